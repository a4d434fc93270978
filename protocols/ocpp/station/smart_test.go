package station

import (
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// limited makes a profile with one limit, from before the tests begin.
func limited(id, stack int, purpose v201.ChargingProfilePurposeEnum, limit float64, change ...func(*v201.ChargingSchedulePeriod)) v201.ChargingProfile {
	p := v201.ChargingProfile{Id: id, StackLevel: stack, ChargingProfilePurpose: purpose, ChargingProfileKind: v201.ChargingProfileKindAbsolute,
		ChargingSchedule: []v201.ChargingSchedule{{Id: id, StartSchedule: t0.Add(-time.Hour), ChargingRateUnit: v201.ChargingRateUnitA,
			ChargingSchedulePeriod: []v201.ChargingSchedulePeriod{{Limit: limit}}}}}
	for _, f := range change {
		f(&p.ChargingSchedule[0].ChargingSchedulePeriod[0])
	}
	return p
}

const (
	txDefault  = v201.ChargingProfilePurposeTxDefaultProfile
	txProfile  = v201.ChargingProfilePurposeTxProfile
	stationMax = v201.ChargingProfilePurposeChargingStationMaxProfile
)

func inWatts(p v201.ChargingProfile) v201.ChargingProfile {
	p.ChargingSchedule[0].ChargingRateUnit = v201.ChargingRateUnitW
	return p
}

func (w *world) profile(evse int, p v201.ChargingProfile, want string) {
	w.t.Helper()
	if got := w.ask(&v201.SetChargingProfileRequest{EvseId: evse, ChargingProfile: p}); !strings.Contains(got, `"`+want+`"`) {
		w.t.Errorf("profile %d: %s, want %s", p.Id, got, want)
	}
}

func (w *world) amps(evse int, want float64) {
	w.t.Helper()
	if got := w.limit(evse).Amps; float64(got) < want-1e-9 || float64(got) > want+1e-9 {
		w.t.Errorf("EVSE %d may draw %v A, not %v", evse, got, want)
	}
}

// twoAC are two EVSEs with alternating current, 32 A each.
func twoAC(c *Config) {
	e := EVSEConfig{ConnectorType: "cType2", Rating: profile.Rating{Phases: 3, Volts: 230, Max: 32}}
	c.EVSEs = []EVSEConfig{e, e}
}

func (w *world) charges(evse int, id string) string {
	w.do(Plugged{evse})
	w.do(Presented{evse, card(id)})
	w.do(Flow{evse, v201.ChargingStateCharging, 3})
	return w.s.Transaction(evse)
}

// The EVSEs together never draw more than the station's maximum (K04.FR.05).
func TestTheStationsMaximumIsDivided(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	w.charges(1, "A")
	w.profile(0, limited(1, 0, stationMax, 20), "Accepted")
	w.amps(1, 20) // alone
	w.charges(2, "B")
	w.amps(1, 10)
	w.amps(2, 10)
	w.profile(1, limited(2, 0, txDefault, 6), "Accepted") // what the one does not take the other one may
	w.amps(1, 6)
	w.amps(2, 14)
	for _, x := range w.effects { // never more together, at no time
		if l, ok := x.(Limit); ok && l.Limit.Amps < 0 {
			t.Error(l)
		}
	}
	w.do(Presented{2, card("B")})
	w.do(Unplugged{2})
	w.profile(1, limited(2, 0, txDefault, 32), "Accepted")
	w.amps(1, 20)
}

// Without a limit of its own a station lets each EVSE draw what it can, of whatever kind they are.
func TestAStationWithoutLimitDividesNothing(t *testing.T) {
	w := newWorld(t, nil) // AC and DC
	w.do(Connected{})
	w.charges(1, "A")
	w.charges(2, "B")
	w.amps(1, 32)
	if got := w.limit(2).Watts; got != 50000 {
		t.Errorf("DC: %v", got)
	}
	if got := w.ask(&v201.GetCompositeScheduleRequest{EvseId: 0, Duration: 60, ChargingRateUnit: v201.ChargingRateUnitW}); !strings.Contains(got, `"limit":72080`) {
		t.Errorf("together: %s", got)
	}
}

// A profile for fewer phases than an EVSE uses is refused, or a vehicle would draw the current on all of them (K01.FR.43); one for
// more is taken (K01.FR.45), as is any for direct current (K01.FR.44).
func TestFewerPhasesThanAnEVSEUses(t *testing.T) {
	one := func(p *v201.ChargingSchedulePeriod) { p.NumberPhases = new(1) }
	three := func(p *v201.ChargingSchedulePeriod) { p.NumberPhases = new(3) }
	onL2 := func(p *v201.ChargingSchedulePeriod) { p.NumberPhases, p.PhaseToUse = new(1), new(2) }
	w := newWorld(t, func(c *Config) {
		c.EVSEs = append(c.EVSEs, EVSEConfig{ConnectorType: "cType2", Rating: profile.Rating{Phases: 1, Volts: 230, Max: 16}},
			EVSEConfig{ConnectorType: "cType2", PhaseSwitch: true, Rating: profile.Rating{Phases: 3, Volts: 230, Max: 16}})
	})
	w.do(Connected{})
	w.profile(1, limited(1, 1, txDefault, 10, one), "UnsupportedParam")
	w.profile(0, limited(1, 2, txDefault, 10, one), "UnsupportedParam")
	w.profile(0, limited(1, 2, stationMax, 10, one), "UnsupportedParam")
	w.amps(1, 32)
	w.profile(1, limited(1, 1, txDefault, 10, three), "Accepted")
	w.profile(2, inWatts(limited(2, 1, txDefault, 1000, one)), "Accepted")
	w.profile(3, limited(3, 1, txDefault, 10, one), "Accepted")
	w.profile(3, limited(3, 1, txDefault, 10, three), "Accepted")
	w.profile(3, limited(3, 1, txDefault, 10, onL2), "UnsupportedParam") // K01.FR.48
	w.profile(4, limited(4, 1, txDefault, 10, onL2), "Accepted")         // K01.FR.46
	if l := w.limit(4); l.Phases != 1 || l.PhaseToUse != 2 {
		t.Errorf("with a switch: %+v", l)
	}
}

// A limit in W without phases is for three of them (K01.FR.49, K01.FR.50), whatever the EVSE has.
func TestWattsToAmps(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.EVSEs = append(c.EVSEs, EVSEConfig{ConnectorType: "cType2", Rating: profile.Rating{Phases: 1, Volts: 230, Max: 32}})
	})
	w.do(Connected{})
	w.profile(1, inWatts(limited(1, 1, txDefault, 6900)), "Accepted")
	w.amps(1, 10)
	w.profile(3, inWatts(limited(2, 1, txDefault, 6900)), "Accepted")
	w.amps(3, 10)
	w.profile(3, inWatts(limited(2, 1, txDefault, 2300, func(p *v201.ChargingSchedulePeriod) { p.NumberPhases = new(1) })), "Accepted")
	w.amps(3, 10)
}

// The current of a DC outlet is at the vehicle's voltage: limits in A cannot be kept, and are refused. A station with nothing else
// says that it takes W alone (K01.FR.26, K08.FR.07).
func TestDirectCurrentIsLimitedInWatts(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.profile(2, limited(1, 1, txDefault, 100), "UnsupportedRateUnit")
	w.profile(2, inWatts(limited(1, 1, txDefault, 20000)), "Accepted")
	if v, _ := w.get("SmartChargingCtrlr", "RateUnit"); v != "A,W" || w.limit(2).Watts != 20000 {
		t.Error(v, w.limit(2))
	}
	if got := w.ask(&v201.GetCompositeScheduleRequest{EvseId: 2, Duration: 60, ChargingRateUnit: v201.ChargingRateUnitA}); !strings.Contains(got, "Rejected") {
		t.Error(got)
	}
	w = newWorld(t, func(c *Config) { c.EVSEs = c.EVSEs[1:] })
	w.do(Connected{})
	if v, _ := w.get("SmartChargingCtrlr", "RateUnit"); v != "W" {
		t.Error(v)
	}
	w.profile(0, limited(1, 1, stationMax, 100), "UnsupportedRateUnit")
	w.profile(0, inWatts(limited(1, 1, stationMax, 30000)), "Accepted")
	for unit, want := range map[v201.ChargingRateUnitEnum]string{v201.ChargingRateUnitA: "Rejected", v201.ChargingRateUnitW: `"limit":30000`, "": `"limit":30000`} {
		if got := w.ask(&v201.GetCompositeScheduleRequest{Duration: 60, ChargingRateUnit: unit}); !strings.Contains(got, want) {
			t.Errorf("%q: %s", unit, got)
		}
	}
}

// A limit that changes by less than LimitChangeSignificance, which is no whole number, is not told.
func TestSmallChangesAreNotTold(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	w.put("SmartChargingCtrlr", "LimitChangeSignificance", "7.5")
	w.charges(1, "A")
	w.profile(1, limited(1, 0, txDefault, 20), "Accepted")
	told := func() (n int) {
		for _, q := range w.requests {
			if e, ok := q.(*v201.TransactionEventRequest); ok && e.TriggerReason == v201.TriggerReasonChargingRateChanged {
				n++
			}
		}
		return n
	}
	n := told()
	w.profile(1, limited(1, 0, txDefault, 19), "Accepted") // 5 %
	if told() != n {
		t.Error("5 % are told")
	}
	w.profile(1, limited(1, 0, txDefault, 17), "Accepted")
	if told() != n+1 {
		t.Errorf("10 %% are told %d times", told()-n)
	}
}

// The profile of a remote start counts for a transaction that runs already (K05.FR.03), and never for another driver's.
func TestTheProfileOfARemoteStart(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		twoAC(c)
		c.Variables = map[string]string{"TxCtrlr.TxStartPoint": "EVConnected", "AuthCtrlr.AuthorizeRemoteStart": "true"}
	})
	w.do(Connected{})
	w.do(Plugged{1})
	tx := w.s.Transaction(1)
	p := limited(1, 0, txProfile, 9)
	start := func(evse int, id string) {
		t.Helper()
		if got := w.ask(&v201.RequestStartTransactionRequest{EvseId: &evse, RemoteStartId: 1, IdToken: card(id), ChargingProfile: &p}); !strings.Contains(got, "Accepted") {
			t.Fatal(got)
		}
	}
	start(1, "A")
	w.amps(1, 9)
	if q, ok := w.s.store.Find(1); tx == "" || !ok || q.TxID != tx {
		t.Errorf("%q: %+v", tx, q)
	}
	p.Id = 2
	start(2, "BAD")
	w.do(Plugged{2})
	w.do(Presented{2, card("C")})
	w.amps(2, 32)

	w.do(Unplugged{1})
	w.mute = true
	start(1, "SLOW")
	w.do(Plugged{1})
	w.do(Presented{EVSE: 1}) // for whom it is free
	w.amps(1, 32)
}

// A profile that cannot be stored is refused, and limits nothing; the one that it would have replaced counts again.
func TestAProfileThatCannotBeStored(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	w.profile(1, limited(1, 0, txDefault, 20), "Accepted")
	for id, amps := range map[int]float64{1: 20, 2: 20} {
		w.noCommit, w.saves = true, nil
		q := &v201.SetChargingProfileRequest{EvseId: 1, ChargingProfile: limited(id, id, txDefault, 10)}
		if got := w.ask(q); got != "" || len(w.saves) != 1 {
			t.Fatalf("answered before it is stored: %s", got)
		}
		w.do(Stored{Token: w.saves[0].Token, Err: errTest})
		w.noCommit = false
		for _, s := range w.saves[1:] {
			w.commit(s)
		}
		w.wait(10 * time.Second)
		w.amps(1, amps)
	}
	last := ""
	for _, r := range w.results {
		if strings.Contains(r, "OutOfStorage") {
			last = r
		}
	}
	if !strings.Contains(last, "Rejected") {
		t.Error("not refused")
	}
	w.effects = nil
	w.start()
	w.do(Connected{})
	w.amps(1, 20)
}

var errTest = &rpc.Error{What: "disk full"}

// Vehicles negotiate anew when another profile than theirs changes what they were offered, and not when it does not (K16.FR.02).
func TestOtherProfilesAreNegotiatedToo(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	w.charges(1, "A")
	w.charges(2, "B") // it does not negotiate
	w.do(EVNeeds{EVSE: 1, Again: true})
	offers := func(evse int) (n int) {
		for _, x := range w.effects {
			if o, ok := x.(Offer); ok && o.Renegotiate && o.EVSE == evse {
				n++
			}
		}
		return n
	}
	for _, x := range []struct {
		evse int
		p    v201.ChargingProfile
		n    int
	}{
		{0, limited(1, 0, stationMax, 20), 1}, {0, limited(2, 1, stationMax, 20), 1}, {1, limited(3, 0, txDefault, 10), 2}, {2, limited(4, 1, txDefault, 6), 2},
		{1, limited(5, 2, txDefault, 10), 2},
	} {
		if w.profile(x.evse, x.p, "Accepted"); offers(1) != x.n || offers(2) != 0 {
			t.Errorf("profile %d: %d offers, and %d to nobody", x.p.Id, offers(1), offers(2))
		}
	}
	w.ask(&v201.ClearChargingProfileRequest{ChargingProfileCriteria: &v201.ClearChargingProfile{ChargingProfilePurpose: txDefault}})
	if offers(1) != 3 {
		t.Errorf("cleared: %d offers", offers(1))
	}
}

// Reports of many long profiles come in several messages (K09.FR.01, K09.FR.02).
func TestReportsOfManyProfiles(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	for i := range 20 {
		p := limited(i+1, i, txDefault, 10)
		for n := range 200 {
			p.ChargingSchedule[0].ChargingSchedulePeriod = append(p.ChargingSchedule[0].ChargingSchedulePeriod, v201.ChargingSchedulePeriod{StartPeriod: 60 * (n + 1), Limit: 10})
		}
		w.profile(1, p, "Accepted")
	}
	w.profile(2, limited(99, 0, txDefault, 10), "Accepted")
	w.requests = nil
	w.ask(&v201.GetChargingProfilesRequest{RequestId: 7})
	n, parts := 0, 0
	for _, q := range w.requests {
		r, ok := q.(*v201.ReportChargingProfilesRequest)
		if !ok {
			continue
		}
		n, parts = n+len(r.ChargingProfile), parts+1
		if size := len(r.AppendJSON(nil)); r.RequestId != 7 || *r.Tbc != (n < 21) || size > reportBytes+1000 {
			t.Errorf("part %d: %d bytes, to be continued %v", parts, size, *r.Tbc)
		}
	}
	if n != 21 || parts < 4 {
		t.Errorf("%d profiles in %d parts", n, parts)
	}
}

// What the standard forbids in a profile is refused, with its reason.
func TestProfilesThatAreRefused(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	tx := w.charges(1, "A")
	schedule := func(p v201.ChargingProfile, f func(*v201.ChargingSchedule)) v201.ChargingProfile {
		f(&p.ChargingSchedule[0])
		return p
	}
	periods := func(starts ...int) func(*v201.ChargingSchedule) {
		return func(c *v201.ChargingSchedule) {
			c.ChargingSchedulePeriod = nil
			for _, at := range starts {
				c.ChargingSchedulePeriod = append(c.ChargingSchedulePeriod, v201.ChargingSchedulePeriod{StartPeriod: at, Limit: 10})
			}
		}
	}
	kind := func(p v201.ChargingProfile, k v201.ChargingProfileKindEnum) v201.ChargingProfile {
		p.ChargingProfileKind = k
		return p
	}
	noStart := func(c *v201.ChargingSchedule) { c.StartSchedule = time.Time{} }
	relative, recurring := v201.ChargingProfileKindRelative, v201.ChargingProfileKindRecurring
	of := func(p v201.ChargingProfile, id string) v201.ChargingProfile {
		p.TransactionId = id
		return p
	}
	valid := func(p v201.ChargingProfile, from, to time.Duration) v201.ChargingProfile {
		p.ValidFrom, p.ValidTo = w.now.Add(from), w.now.Add(to)
		return p
	}
	for _, x := range []struct {
		id   string
		evse int
		p    v201.ChargingProfile
		want string
	}{
		{"K01.FR.03", 1, limited(1, 0, txProfile, 10), "InvalidProfile"},
		{"K01.FR.09", 2, of(limited(1, 0, txProfile, 10), tx), "TxNotFound"},
		{"K01.FR.33", 1, of(limited(1, 0, txProfile, 10), "other"), "TxNotFound"},
		{"K01.FR.16", 0, of(limited(1, 0, txProfile, 10), tx), "InvalidProfile"},
		{"K01.FR.22", 0, limited(1, 0, v201.ChargingProfilePurposeChargingStationExternalConstraints, 10), "InvalidProfile"},
		{"K01.FR.28", 3, limited(1, 0, txDefault, 10), "UnknownEvse"},
		{"K01.FR.31", 1, schedule(limited(1, 0, txDefault, 10), periods(1)), "InvalidSchedule"},
		{"K01.FR.35", 1, schedule(limited(1, 0, txDefault, 10), periods(0, 60, 30)), "InvalidSchedule"},
		{"K01.FR.35", 1, schedule(limited(1, 0, txDefault, 10), periods(0, 60, 60)), "InvalidSchedule"},
		{"K01.FR.38", 0, schedule(kind(limited(1, 0, stationMax, 10), relative), noStart), "InvalidProfile"},
		{"K01.FR.40", 1, schedule(limited(1, 0, txDefault, 10), noStart), "InvalidSchedule"},
		{"K01.FR.40", 1, schedule(kind(limited(1, 0, txDefault, 10), recurring), noStart), "InvalidSchedule"},
		{"K01.FR.41", 1, kind(limited(1, 0, txDefault, 10), relative), "InvalidSchedule"},
		{"K04.FR.03", 1, limited(1, 0, stationMax, 10), "InvalidProfile"},
		{"ProfileStackLevel", 1, limited(1, 21, txDefault, 10), "InvalidStackLevel"},
		{"validity", 1, valid(limited(1, 0, txDefault, 10), time.Hour, time.Hour), "InvalidProfile"},
		{"negative", 1, limited(1, 0, txDefault, -1), "InvalidSchedule"},
	} {
		w.profile(x.evse, x.p, x.want)
		if n := len(w.s.store.All()); n != 0 || w.limit(1).Amps != 32 {
			t.Fatalf("%s: %d profiles are installed, %v", x.id, n, w.limit(1))
		}
	}
	w.profile(1, of(limited(1, 0, txProfile, 10), tx), "Accepted")         // K01.FR.04
	w.profile(1, of(limited(2, 0, txProfile, 12), tx), "DuplicateProfile") // K01.FR.39
	w.profile(1, of(limited(1, 0, txProfile, 12), tx), "Accepted")         // K01.FR.05
	w.amps(1, 12)
	w.profile(1, limited(3, 1, txDefault, 20), "Accepted")
	w.profile(1, limited(4, 1, txDefault, 20), "DuplicateProfile") // K01.FR.06
	w.profile(0, limited(4, 1, txDefault, 20), "DuplicateProfile") // K01.FR.52
	w.profile(0, limited(4, 2, txDefault, 20), "Accepted")
	w.profile(2, limited(5, 2, txDefault, 20), "DuplicateProfile") // K01.FR.53
	w.amps(1, 12)                                                  // K02.FR.04
}

// Periods count until the next one or the end of the schedule, and none after that (K01.FR.11, K01.FR.12); then what is below counts
// (K02.FR.08), and without the CSMS as with it (K06.FR.01, K07.FR.01).
func TestASchedulesEnd(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	w.profile(1, limited(1, 0, txDefault, 20), "Accepted")
	tx := w.charges(1, "A")
	p := limited(2, 0, txProfile, 0)
	p.TransactionId, p.ValidTo = tx, w.now.Add(time.Hour)
	c := &p.ChargingSchedule[0]
	c.StartSchedule, c.Duration = w.now.Add(time.Minute), new(120)
	c.ChargingSchedulePeriod = []v201.ChargingSchedulePeriod{{Limit: 6}, {StartPeriod: 60, Limit: 8}, {StartPeriod: 120, Limit: 30}, {StartPeriod: 180, Limit: 31}}
	w.profile(1, p, "Accepted")
	w.do(Disconnected{})
	for at, want := range []float64{20, 6, 8, 20, 20} {
		w.amps(1, want)
		if w.wait(59 * time.Second); at < 4 {
			w.amps(1, want)
		}
		w.wait(time.Second)
	}
	w.do(Unplugged{1})
	w.charges(1, "A") // offline: by what is there
	if w.amps(1, 20); len(w.s.store.All()) != 1 {
		t.Error("the transaction's profile outlasts it (K02.FR.05)")
	}
}

// The profile of a remote start has to be one of a transaction, and valid (K05.FR.02, K05.FR.05); a station whose smart charging is
// off takes no notice of it (K05.FR.04).
func TestProfilesOfRemoteStartsThatAreRefused(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	ask := func(p v201.ChargingProfile, want string) {
		t.Helper()
		if got := w.ask(&v201.RequestStartTransactionRequest{EvseId: new(1), RemoteStartId: 1, IdToken: card("A"), ChargingProfile: &p}); !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	bad := limited(1, 0, txProfile, 10)
	bad.ChargingSchedule[0].ChargingSchedulePeriod[0].StartPeriod = 5
	ask(limited(1, 0, txDefault, 10), "InvalidProfile")
	ask(bad, "InvalidSchedule")
	w.put("SmartChargingCtrlr", "Enabled", "false")
	ask(bad, "Accepted")
	w.do(Plugged{1})
	w.amps(1, 32)
}

// A composite goes from now for the time asked for, and without a transaction it is that of one that began now (K08.FR.02,
// K08.FR.06).
func TestCompositesWithoutATransaction(t *testing.T) {
	w := newWorld(t, twoAC)
	w.do(Connected{})
	p := limited(1, 0, txDefault, 6)
	p.ChargingProfileKind = v201.ChargingProfileKindRelative
	p.ChargingSchedule[0].StartSchedule = time.Time{}
	p.ChargingSchedule[0].ChargingSchedulePeriod = []v201.ChargingSchedulePeriod{{Limit: 6}, {StartPeriod: 300, Limit: 16}, {StartPeriod: 900, Limit: 20}}
	w.profile(1, p, "Accepted")
	w.wait(10 * time.Minute)
	got := w.ask(&v201.GetCompositeScheduleRequest{EvseId: 1, Duration: 600, ChargingRateUnit: v201.ChargingRateUnitA})
	if !strings.Contains(got, `"duration":600`) || !strings.Contains(got, `[{"startPeriod":0,"limit":6,"numberPhases":3},{"startPeriod":300,"limit":16,"numberPhases":3}]`) {
		t.Error(got)
	}
}

// What comes from outside is reported, counts, and is neither replaced nor cleared by the CSMS (K01.FR.05, K10.FR.08, K10.FR.09,
// K12.FR.05).
func TestLimitsFromOutsideAreNotTheCSMSs(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.EVSEs, c.Control, c.Rating = nil, true, profile.Rating{Phases: 3, Volts: 230, Max: 100}
	})
	w.do(Connected{})
	w.profile(0, limited(-1, 0, stationMax, 10), "InvalidProfile") // its place is kept
	w.do(Outside{map[v201.ChargingLimitSourceEnum]si.Watts{v201.ChargingLimitSourceSO: 6900}})
	w.profile(0, limited(-2, 0, stationMax, 10), "InvalidProfile")
	purpose := v201.ChargingProfilePurposeChargingStationExternalConstraints
	for _, q := range []*v201.ClearChargingProfileRequest{{ChargingProfileId: new(-2)}, {ChargingProfileCriteria: &v201.ClearChargingProfile{ChargingProfilePurpose: purpose}},
		{ChargingProfileCriteria: &v201.ClearChargingProfile{EvseId: new(0)}}} {
		if got := w.ask(q); !strings.Contains(got, "Unknown") {
			t.Error(got)
		}
	}
	w.requests = nil
	w.ask(&v201.GetChargingProfilesRequest{RequestId: 3, ChargingProfile: v201.ChargingProfileCriterion{ChargingLimitSource: []v201.ChargingLimitSourceEnum{v201.ChargingLimitSourceSO}}})
	r, ok := w.requests[0].(*v201.ReportChargingProfilesRequest)
	if !ok || r.ChargingLimitSource != v201.ChargingLimitSourceSO || r.ChargingProfile[0].ChargingProfilePurpose != purpose || r.ChargingProfile[0].Id != -2 {
		t.Errorf("%+v", w.requests)
	}
	if got := w.ask(&v201.GetCompositeScheduleRequest{Duration: 60, ChargingRateUnit: v201.ChargingRateUnitW}); !strings.Contains(got, `"limit":6900`) {
		t.Error(got)
	}
	w.do(Outside{}) // K13.FR.01
	if got := w.ask(&v201.GetCompositeScheduleRequest{Duration: 60, ChargingRateUnit: v201.ChargingRateUnitW}); !strings.Contains(got, `"limit":69000`) {
		t.Error(got)
	}
}
