package localctl

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/internal/randmsg"
	"github.com/voltyard/voltyard/protocols/ocpp/internal/wire"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/protocols/ocpp/v21"
)

var t0 = time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC)

// world is a relay between a station and a CSMS that the test plays.
type world struct {
	t         *testing.T
	r         *Relay
	cfg       Config
	now       time.Time
	disk      map[string][]byte
	toStation []string
	toCSMS    []string
	acks      []Ack
	closed    []string
	state     State
	notes     []string
	lates     []time.Time
	seen      func(State) // when set
	deadline  time.Time
	inbox     []Event
	busy      bool
	ids       int
	full      bool // the disk
	// station answers calls of the controller (and of the CSMS) when set; csms likewise.
	station func(f rpc.Frame) string
	csms    func(f rpc.Frame) string
}

func newWorld(t *testing.T, change func(*Config)) *world {
	w := &world{t: t, now: t0, disk: map[string][]byte{}}
	w.cfg = Config{Identity: "CS1", Version: rpc.V201, Fallback: 6, Phases: 3, Volts: 230, MaxAmps: 63,
		NewID: func() string { w.ids++; return fmt.Sprintf("own-%d", w.ids) }}
	if change != nil {
		change(&w.cfg)
	}
	w.start()
	return w
}

func (w *world) start() {
	r, err := New(w.cfg, w.disk, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.r = r
}

func (w *world) do(ev Event) {
	w.t.Helper()
	w.inbox = append(w.inbox, ev)
	if w.busy {
		return
	}
	w.busy = true
	for len(w.inbox) > 0 {
		ev := w.inbox[0]
		w.inbox = w.inbox[1:]
		for _, e := range w.r.Step(w.now, ev, nil) {
			w.effect(e)
		}
	}
	w.busy = false
}

func (w *world) effect(e Effect) {
	w.t.Helper()
	answer := func(raw []byte, by func(rpc.Frame) string, back func([]byte) Event) {
		f, err := rpc.Parse(raw)
		if err == nil && f.Type == rpc.Call && by != nil {
			if res := by(f); res != "" {
				w.do(back([]byte(fmt.Sprintf(`[3,%q,%s]`, f.ID, res))))
			}
		}
	}
	switch e := e.(type) {
	case Unread:
		w.do(Read{})
	case ToStation:
		w.toStation = append(w.toStation, string(e.Raw))
		answer(e.Raw, w.station, func(b []byte) Event { return FromStation{b} })
	case ToCSMS:
		w.toCSMS = append(w.toCSMS, string(e.Raw))
		answer(e.Raw, w.csms, func(b []byte) Event { return FromCSMS{b} })
	case CloseStation:
		w.closed = append(w.closed, "station")
	case CloseCSMS:
		w.closed = append(w.closed, "csms")
	case Save:
		if w.full {
			w.do(Stored{Token: e.Token, Err: errFull})
			return
		}
		for _, op := range e.Ops {
			if op.Value == nil {
				delete(w.disk, op.Key)
			} else {
				w.disk[op.Key] = op.Value
			}
		}
		w.do(Stored{Token: e.Token})
	case Deadline:
		w.deadline = e.At
	case Ack:
		w.acks = append(w.acks, e)
	case Late:
		w.lates = append(w.lates, e.Until)
	case Seen:
		w.state = e.State
		if w.seen != nil {
			w.seen(e.State)
		}
	case Note:
		w.notes = append(w.notes, e.What)
	}
}

func (w *world) wait(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for !w.deadline.IsZero() && !w.deadline.After(end) {
		w.now = w.deadline
		w.deadline = time.Time{}
		w.do(Tick{})
	}
	w.now = end
}

// obey is a station that takes everything, and has four stack levels.
func obey(f rpc.Frame) string {
	switch f.Action {
	case "GetVariables":
		return `{"getVariableResult":[{"attributeStatus":"Accepted","attributeValue":"3","component":{"name":"SmartChargingCtrlr"},"variable":{"name":"ProfileStackLevel"}}]}`
	case "GetConfiguration":
		return `{"configurationKey":[{"key":"ChargeProfileMaxStackLevel","readonly":true,"value":"3"}]}`
	}
	return `{"status":"Accepted"}`
}

// accept is a CSMS that takes everything.
func accept(f rpc.Frame) string {
	switch f.Action {
	case "BootNotification":
		return `{"currentTime":"2024-03-01T10:00:00Z","interval":300,"status":"Accepted"}`
	case "Authorize":
		return `{"idTokenInfo":{"status":"Accepted"}}`
	case "Heartbeat":
		return `{"currentTime":"2024-03-01T10:00:00Z"}`
	}
	return `{}`
}

const bootFrame = `[2,"b1","BootNotification",{"reason":"PowerUp","chargingStation":{"model":"m","vendorName":"v"}}]`

func (w *world) boot() {
	w.t.Helper()
	w.station, w.csms = obey, accept
	w.do(CSMSUp{})
	w.do(StationUp{})
	w.do(FromStation{[]byte(bootFrame)})
	w.says(0)
}

// says has the station give the time by its clock, which is off.
func (w *world) says(off time.Duration) {
	w.t.Helper()
	w.do(FromStation{fmt.Appendf(nil, `[2,"s%d","StatusNotification",{"timestamp":%q,"connectorStatus":"Available","evseId":1,"connectorId":1}]`,
		w.ids, w.now.Add(off).Format(time.RFC3339Nano))})
}

// frames makes random messages as either side may send them: valid ones of every action, and all kinds of rubbish.
func frames(r *rand.Rand, actions map[string]rpc.ActionInfo, from rpc.Direction) [][]byte {
	var out [][]byte
	id := func() string { return fmt.Sprintf("%x", r.Uint64()) }
	payload := func(make func() wire.Message) []byte {
		m := make()
		randmsg.Fill(r, m)
		return m.AppendJSON(nil)
	}
	for name, a := range actions {
		if a.Direction&from != 0 {
			p := payload(a.Request)
			out = append(out, rpc.AppendCall(nil, id(), name, p),
				[]byte(fmt.Sprintf("[ 2 ,\t%q , %q ,\n %s ]", id(), name, p)),                     // other white space
				[]byte(fmt.Sprintf(`[2,%q,%q,{"nonsense":[1,null,{"a":"\u00e9"}]}]`, id(), name)), // not by the schema
				[]byte(fmt.Sprintf(`[2,%q,%q,17]`, id(), name)))
		}
		if a.Response != nil {
			out = append(out, rpc.AppendResult(nil, id(), payload(a.Response)))
		}
	}
	for _, s := range []string{`[4,"x","GenericError","",{}]`, `[4,"y","OccurenceConstraintViolation","d",{"a":1}]`, `[2,"","A",{}]`, `{}`, `[`, "\x00\xff",
		`[2,"toolong-toolong-toolong-toolong-toolong","A",{}]`, `[9,"a",{}]`, `[6,"a","NotifyPeriodicEventStream",{}]`, `[2,"a","Vendor.Own",{}]`, `[3]`} {
		out = append(out, []byte(s))
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// Every frame of either side, valid or not, reaches the other one byte for byte, in order, and nothing else does.
func TestRelayIsTransparent(t *testing.T) {
	for _, version := range []struct {
		v       rpc.Version
		actions map[string]rpc.ActionInfo
	}{{rpc.V16, v16.Actions}, {rpc.V201, v201.Actions}, {rpc.V21, v21.Actions}} {
		for _, stay := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stay=%v", version.v.Subprotocol(), stay), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(version.v)))
				for range 5 {
					w := newWorld(t, func(c *Config) { c.Version, c.Stay, c.Network, c.Levels = version.v, stay, true, 1 })
					w.do(CSMSUp{})
					w.do(StationUp{})
					var up, down []string
					for _, f := range frames(r, version.actions, rpc.FromStation) {
						up = append(up, string(f))
						w.do(FromStation{bytes.Clone(f)})
					}
					for _, f := range frames(r, version.actions, rpc.FromCSMS) {
						down = append(down, string(f))
						w.do(FromCSMS{bytes.Clone(f)})
					}
					equal(t, "to the CSMS", w.toCSMS, up)
					equal(t, "to the station", w.toStation, down)
				}
			})
		}
	}
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s, message %d:\n got %s\nwant %s", what, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d messages, want %d", what, len(got), len(want))
	}
}

func TestLimitIsInstalledRenewedAndAcknowledged(t *testing.T) {
	w := newWorld(t, nil)
	w.boot()
	w.do(Grant{Seq: 1, Amps: 16, Until: t0.Add(15 * time.Minute)})
	var set []v201.SetChargingProfileRequest
	read := func() {
		set = nil
		for _, raw := range w.toStation {
			if f, err := rpc.Parse([]byte(raw)); err == nil && f.Action == "SetChargingProfile" {
				var q v201.SetChargingProfileRequest
				if err := q.UnmarshalJSON(f.Payload); err != nil {
					t.Fatal(err)
				}
				set = append(set, q)
			}
		}
	}
	read()
	if len(set) != 2 {
		t.Fatalf("%d profiles, want fallback and lease: %v", len(set), w.toStation)
	}
	fall, lease := set[0].ChargingProfile, set[1].ChargingProfile
	if fall.StackLevel != 2 || !fall.ValidTo.IsZero() || fall.ChargingSchedule[0].ChargingSchedulePeriod[0].Limit != 6 ||
		lease.StackLevel != 3 || !lease.ValidTo.Equal(t0.Add(15*time.Minute)) || lease.ChargingSchedule[0].ChargingSchedulePeriod[0].Limit != 16 ||
		lease.ChargingProfilePurpose != v201.ChargingProfilePurposeChargingStationMaxProfile {
		t.Fatalf("%+v\n%+v", fall, lease)
	}
	for seq := uint64(2); seq < 6; seq++ { // the balancer repeats what is not acknowledged
		w.wait(time.Second)
		w.do(Grant{Seq: seq, Amps: 16, Until: w.now.Add(15 * time.Minute)})
	}
	w.wait(6 * time.Second)
	if fmt.Sprint(w.acks) != "[{5 false}]" {
		t.Errorf("acknowledged %v", w.acks)
	}
	w.do(Grant{Seq: 6, Amps: 4, Until: w.now.Add(15 * time.Minute)})
	read()
	if last := set[len(set)-1].ChargingProfile; len(set) != 3 || !last.ValidTo.IsZero() || last.Id != lease.Id {
		t.Fatalf("a grant under the fallback has no end: %+v", last)
	}
	w.wait(time.Second)
	if len(w.acks) != 1 {
		t.Error("a lowering was acknowledged before the station had time to follow")
	}
	w.wait(6 * time.Second)
	w.do(Grant{Seq: 7, Amps: 20, Until: w.now.Add(15 * time.Minute)})
	if last := w.acks[len(w.acks)-1]; last.Seq != 7 {
		t.Errorf("%v: a raise is acknowledged at once", w.acks)
	}
	w.do(Grant{Seq: 8, Amps: 20, Until: w.now.Add(22 * time.Minute), Hold: []byte("eight")})
	read()
	if len(set) != 5 {
		t.Errorf("%d profiles: a renewal must be installed", len(set))
	}
	for _, raw := range w.toCSMS {
		if strings.Contains(raw, "own-") {
			t.Errorf("leaked to the CSMS: %s", raw)
		}
	}
	if string(w.disk[HoldKey]) != "eight" {
		t.Errorf("hold %q", w.disk[HoldKey])
	}
}

func TestNothingIsSentBeforeWhatTheStationHoldsIsStored(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Levels = 4 })
	w.boot()
	n := len(w.toStation)
	for _, e := range w.r.Step(w.now, Grant{Seq: 1, Amps: 30, Until: t0.Add(time.Hour)}, nil) {
		if _, bad := e.(ToStation); bad {
			t.Fatal("sent before it was stored")
		}
	}
	if len(w.toStation) != n {
		t.Fatal("sent")
	}
}

func TestLimitOfTheCSMSIsFoldedInAndOursComesBack(t *testing.T) {
	w := newWorld(t, nil)
	w.boot()
	w.do(Grant{Seq: 1, Amps: 32, Until: t0.Add(15 * time.Minute)})
	theirs := profile.Profile{ID: 7, Stack: 0, Purpose: profile.StationMax, Schedules: []profile.Schedule{{ID: 1, Start: t0,
		Periods: []profile.Period{{Limit: 20}, {Start: 5 * time.Minute, Limit: 40}}}}}
	set := v201.SetChargingProfileRequest{ChargingProfile: profile.To201(&theirs)}
	w.do(FromCSMS{rpc.AppendCall(nil, "c1", set.ActionName(), set.AppendJSON(nil))})
	last := func() []v201.ChargingSchedulePeriod {
		for i := len(w.toStation) - 1; ; i-- {
			f, _ := rpc.Parse([]byte(w.toStation[i]))
			var q v201.SetChargingProfileRequest
			if f.Action == "SetChargingProfile" && q.UnmarshalJSON(f.Payload) == nil && q.ChargingProfile.Id == idLease {
				return q.ChargingProfile.ChargingSchedule[0].ChargingSchedulePeriod
			}
		}
	}
	if p := last(); len(p) != 2 || p[0].Limit != 20 || p[1].Limit != 32 || p[1].StartPeriod != 86700 {
		t.Errorf("%+v", p)
	}
	n := len(w.toStation)
	w.do(FromCSMS{[]byte(`[2,"c2","ClearChargingProfile",{"chargingProfileCriteria":{"evseId":0}}]`)})
	if p := last(); len(p) != 1 || p[0].Limit != 32 {
		t.Errorf("the limit without theirs: %+v", w.toStation[n:])
	}
	if sent := strings.Join(w.toStation[n:], "\n"); !strings.Contains(sent, `"chargingProfileId":7`) || !strings.Contains(sent, "TxDefaultProfile") || strings.Contains(sent, "c2") {
		t.Errorf("sent\n%s", sent)
	}
	if w.toCSMS[len(w.toCSMS)-1] != `[3,"c2",{"status":"Accepted"}]` {
		t.Errorf("%v", w.toCSMS)
	}
}

func event(id, tx, kind string, seq int, more string) string {
	return fmt.Sprintf(`[2,%q,"TransactionEvent",{"eventType":%q,"timestamp":"2024-03-01T10:00:00Z","triggerReason":"Authorized","seqNo":%d,"transactionInfo":{"transactionId":%q,"chargingState":"Charging"},"evse":{"id":1}%s}]`, id, kind, seq, tx, more)
}

func TestMeteringIsUnderstood(t *testing.T) {
	w := newWorld(t, nil)
	w.boot()
	w.do(FromStation{[]byte(`[2,"s","StatusNotification",{"timestamp":"2024-03-01T10:00:00Z","connectorStatus":"Occupied","evseId":1,"connectorId":1}]`)})
	w.do(FromStation{[]byte(event("e1", "t", "Started", 0, `,"meterValue":[{"timestamp":"2024-03-01T10:00:00Z","sampledValue":[{"value":5,"unitOfMeasure":{"unit":"kWh"}}]}]`))})
	w.do(FromStation{[]byte(event("e2", "t", "Updated", 1, `,"meterValue":[{"timestamp":"2024-03-01T10:01:00Z","sampledValue":[{"value":5100,"measurand":"Energy.Active.Import.Register"},{"value":9,"measurand":"Current.Import","phase":"L1"},{"value":10,"measurand":"Current.Import","phase":"L2"},{"value":8,"measurand":"Current.Import","phase":"L3"},{"value":6200,"measurand":"Power.Active.Import"}]}]`))})
	s := w.state
	if !s.Ready || !s.Wants || s.EVs != 1 || s.Amps != (si.Phases{9, 10, 8}) || s.Power != 6200 || s.Energy != 100 || s.Status != "Occupied" {
		t.Errorf("%+v", s)
	}
	w.do(FromStation{[]byte(event("e3", "t", "Ended", 2, ``))})
	if w.state.Wants || w.state.Power != 0 {
		t.Errorf("%+v", w.state)
	}
}

func TestOutageInTheModeThatStays(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Stay = true })
	w.boot()
	w.do(FromStation{[]byte(event("e0", "t0", "Started", 0, `,"idToken":{"idToken":"GOOD","type":"ISO14443"}`))})
	w.csms = nil
	inFlight := event("e1", "t0", "Updated", 1, "")
	w.do(FromStation{[]byte(inFlight)})
	n := len(w.toStation)
	w.do(CSMSDown{})
	w.do(FromStation{[]byte(`[2,"h","Heartbeat",{}]`)})
	w.do(FromStation{[]byte(bootFrame)})
	w.do(FromStation{[]byte(event("e2", "t0", "Ended", 2, ""))})
	w.do(FromStation{[]byte(event("e3", "t1", "Started", 0, `,"idToken":{"idToken":"BAD","type":"ISO14443"}`))})
	w.do(FromStation{[]byte(`[2,"x","Nonsense",{}]`)})
	got := strings.Join(w.toStation[n:], "\n")
	for _, want := range []string{`[3,"e1",{}]`, `[3,"h",{"currentTime"`, `[3,"b1",{"currentTime"`, `[3,"e2",{}]`, `[3,"e3",`, `[4,"x","NotImplemented"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if len(w.closed) != 0 || w.r.Unacknowledged() != 3 {
		t.Fatalf("closed %v, %d waiting", w.closed, w.r.Unacknowledged())
	}
	w.start() // kill -9 here
	w.do(StationUp{})
	w.do(FromStation{[]byte(bootFrame)}) // the station boots again at the fresh controller
	m := len(w.toCSMS)
	w.csms = func(f rpc.Frame) string {
		if strings.Contains(string(f.Payload), "BAD") {
			return `{"idTokenInfo":{"status":"Invalid"}}`
		}
		return accept(f)
	}
	w.do(FromStation{[]byte(event("e4", "t1", "Updated", 1, ""))})
	w.do(CSMSUp{})
	var seqs []string
	for _, raw := range w.toCSMS[m:] {
		f, err := rpc.Parse([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if f.Action == "BootNotification" && len(seqs) > 0 {
			t.Error("the boot must come first")
		}
		var q v201.TransactionEventRequest
		if f.Action == "TransactionEvent" && q.UnmarshalJSON(f.Payload) == nil {
			seqs = append(seqs, fmt.Sprintf("%s/%d/%v", q.TransactionInfo.TransactionId, q.SeqNo, q.Offline != nil))
		}
		if f.Action == "TransactionEvent" && q.SeqNo == 1 && q.TransactionInfo.TransactionId == "t0" {
			was, _ := rpc.Parse([]byte(inFlight))
			if !bytes.Equal(was.Payload, f.Payload) {
				t.Error("the repeat differs from what was sent before the outage")
			}
		}
	}
	if got := strings.Join(seqs, " "); got != "t0/1/false t0/2/true t1/0/true t1/1/true" {
		t.Errorf("delivered %s", got)
	}
	left := maps.Clone(w.disk)
	maps.DeleteFunc(left, func(key string, _ []byte) bool { return key == keyLast || strings.HasPrefix(key, keyToken) })
	if w.r.Unacknowledged() != 0 || len(left) != 0 {
		t.Errorf("left: %d, %v", w.r.Unacknowledged(), left)
	}
	if !strings.Contains(strings.Join(w.toStation, ""), `"RequestStopTransaction",{"transactionId":"t1"}`) {
		t.Error("the refused token's transaction was not stopped")
	}
}

// What a station left behind is delivered without it, and then the connection ends.
func TestAStationLeavesBehindWhatTheCSMSLacks(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Stay = true })
	w.boot()
	w.do(CSMSDown{})
	w.do(FromStation{[]byte(event("e0", "t0", "Started", 0, ""))})
	w.do(FromStation{[]byte(event("e1", "t0", "Ended", 1, ""))})
	w.do(StationDown{})
	n := len(w.toCSMS)
	w.do(CSMSUp{WithoutStation: true})
	if got := w.toCSMS[n:]; len(got) < 2 || w.r.Unacknowledged() != 0 {
		t.Errorf("%d waiting after %v", w.r.Unacknowledged(), got)
	}
	if fmt.Sprint(w.closed) != "[csms]" {
		t.Errorf("closed %v", w.closed)
	}
	w.closed = nil
	w.do(CSMSDown{})
	w.do(CSMSUp{})
	w.do(StationUp{})
	if len(w.closed) != 0 {
		t.Errorf("the station is back; closed %v", w.closed)
	}
}

func TestOutageInTheModeThatCloses(t *testing.T) {
	w := newWorld(t, nil)
	w.boot()
	w.do(CSMSDown{})
	if fmt.Sprint(w.closed) != "[station]" {
		t.Errorf("closed %v", w.closed)
	}
	w = newWorld(t, nil)
	w.boot()
	w.do(StationDown{})
	if fmt.Sprint(w.closed) != "[csms]" || w.state.Ready {
		t.Errorf("closed %v", w.closed)
	}
}

func TestOwnCallsWaitForTheSlotAndLateAnswersDoNotLeak(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Levels, c.Timeout = 2, 10*time.Second })
	w.boot()
	w.wait(time.Second)
	w.station = nil
	n := len(w.toStation)
	w.do(FromCSMS{[]byte(`[2,"c1","GetLocalListVersion",{}]`)})
	w.do(Grant{Seq: 1, Amps: 10, Until: w.now.Add(time.Hour)})
	w.do(FromCSMS{[]byte(`[2,"c2","ClearCache",{}]`)})
	if got := len(w.toStation) - n; got != 1 {
		t.Fatalf("%d sent, want the first of the CSMS: %v", got, w.toStation[n:])
	}
	w.do(FromStation{[]byte(`[3,"c1",{"versionNumber":1}]`)}) // now the limit goes first
	own, err := rpc.Parse([]byte(w.toStation[len(w.toStation)-1]))
	if err != nil || own.Action != "SetChargingProfile" {
		t.Fatalf("%v", w.toStation[n:])
	}
	m := len(w.toCSMS)
	w.wait(11 * time.Second) // the station does not answer
	if got, _ := rpc.Parse([]byte(w.toStation[len(w.toStation)-1])); got.ID != "c2" {
		t.Errorf("last sent %v", got)
	}
	w.do(FromStation{[]byte(fmt.Sprintf(`[3,%q,{"status":"Accepted"}]`, own.ID))})
	if len(w.toCSMS) != m {
		t.Errorf("a late answer leaked: %v", w.toCSMS[m:])
	}
}

func TestSetNetworkProfileIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	w.boot()
	n := len(w.toStation)
	w.do(FromCSMS{[]byte(`[2,"c1","SetNetworkProfile",{}]`)})
	if len(w.toStation) != n || w.toCSMS[len(w.toCSMS)-1] != `[3,"c1",{"status":"Rejected"}]` {
		t.Errorf("%v", w.toCSMS)
	}
}

func TestOldStationsAreLimitedInTheirOwnTerms(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Version, c.Whole, c.Stay = rpc.V16, true, true })
	w.station, w.csms = obey, accept
	w.do(CSMSUp{})
	w.do(StationUp{})
	w.do(FromStation{[]byte(`[2,"b1","BootNotification",{"chargePointVendor":"v","chargePointModel":"m"}]`)})
	w.do(FromStation{[]byte(`[2,"s1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2024-03-01T10:00:00Z"}]`)})
	w.do(Grant{Seq: 1, Amps: 15.7, Until: t0.Add(time.Hour)})
	var q v16.SetChargingProfileRequest
	f, _ := rpc.Parse([]byte(w.toStation[len(w.toStation)-1]))
	if err := q.UnmarshalJSON(f.Payload); err != nil || q.CsChargingProfiles.ChargingSchedule.ChargingSchedulePeriod[0].Limit != 15 || q.CsChargingProfiles.StackLevel != 3 {
		t.Errorf("%+v, %v", q, err)
	}
	w.do(CSMSDown{})
	if fmt.Sprint(w.closed) != "[station]" {
		t.Errorf("closed %v: only the CSMS can make transaction ids", w.closed)
	}
}
