package localctl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/test/virtual"
)

// lease is the last profile that took the grant's place in the station.
func (w *world) lease() (amps float64, p v201.ChargingProfile) {
	for i := len(w.toStation) - 1; i >= 0; i-- {
		f, _ := rpc.Parse([]byte(w.toStation[i]))
		var q v201.SetChargingProfileRequest
		if f.Action == "SetChargingProfile" && q.UnmarshalJSON(f.Payload) == nil && q.ChargingProfile.Id == idLease {
			return q.ChargingProfile.ChargingSchedule[0].ChargingSchedulePeriod[0].Limit, q.ChargingProfile
		}
	}
	w.t.Fatal("no lease was sent")
	return
}

// live has the station say something that cannot be old, by its clock.
func (w *world) live(off time.Duration, more string) {
	w.t.Helper()
	w.do(FromStation{fmt.Appendf(nil, `[2,"l%d","TransactionEvent",{"eventType":"Updated","timestamp":%q,"triggerReason":"MeterValuePeriodic","seqNo":1,`+
		`"transactionInfo":{"transactionId":"T1","chargingState":"Charging"},"evse":{"id":1}%s}]`, w.ids, w.now.Add(off).UTC().Format(time.RFC3339Nano), more)})
}

// A lease ends in time by the clock of its station; a station whose clock is not known, or is far off, gets none.
func TestLeasesEndByTheStationsClock(t *testing.T) {
	const never = 0
	for _, c := range []struct {
		off  time.Duration
		ends time.Duration // by the station's clock, after t0
	}{{0, 15 * time.Minute}, {-3 * time.Minute, 12 * time.Minute}, {3 * time.Minute, 15 * time.Minute}, {-6 * time.Minute, never}, {6 * time.Minute, never}, {-3 * time.Hour, never}} {
		t.Run(c.off.String(), func(t *testing.T) {
			w := newWorld(t, nil)
			w.station, w.csms = obey, accept
			w.do(CSMSUp{})
			w.do(StationUp{})
			w.do(FromStation{[]byte(bootFrame)})
			w.do(Grant{Seq: 1, Amps: 16, Until: t0.Add(15 * time.Minute)})
			if a, p := w.lease(); a != 6 || !p.ValidTo.IsZero() {
				t.Errorf("while the clock is not known: %v A until %v", a, p.ValidTo)
			}
			if got := strings.Join(w.toStation, "\n"); strings.Count(got, "TriggerMessage") != 1 {
				t.Errorf("asked for the time: %s", got)
			}
			w.live(c.off, "")
			a, p := w.lease()
			switch {
			case c.ends == never && (a != 6 || !p.ValidTo.IsZero()):
				t.Errorf("%v A until %v", a, p.ValidTo)
			case c.ends != never && (a != 16 || !p.ValidTo.Equal(t0.Add(c.ends))):
				t.Errorf("%v A until %v", a, p.ValidTo)
			}
			if w.state.Off != 0 {
				t.Error("reported before it was sure")
			}
			w.wait(2 * time.Minute)
			w.live(c.off, "")
			if (w.state.Off != 0) != (c.ends == never) {
				t.Errorf("reported as off by %v", w.state.Off)
			}
			w.wait(time.Minute)
			w.do(FromCSMS{[]byte(`[2,"h","GetLocalListVersion",{}]`)})
			w.live(0, "") // somebody has set it, or it was right
			w.do(Grant{Seq: 2, Amps: 17, Until: w.now.Add(15 * time.Minute)})
			if a, p := w.lease(); a != 17 || p.ValidTo.After(w.now.Add(15*time.Minute)) || w.state.Off != 0 {
				t.Errorf("once the clock is right: %v A until %v, off by %v", a, p.ValidTo, w.state.Off)
			}
		})
	}
}

// A clock that turns out to be slower, by what the station says or by what it is told, has the balancer know until when its lease
// lasts, and the lease sent anew. What is old by right changes nothing.
func TestAClockThatIsSetBack(t *testing.T) {
	for _, version := range []rpc.Version{rpc.V201, rpc.V21} {
		for _, perTx := range []bool{false, true} {
			w := newWorld(t, func(c *Config) { c.Version, c.PerTx = version, perTx })
			w.boot()
			w.live(0, "")
			w.do(Grant{Seq: 1, Amps: 16, Until: t0.Add(15 * time.Minute)})
			w.wait(10 * time.Second)
			began := w.now
			w.live(-5*time.Hour, `,"offline":true`)
			w.says(-10 * time.Hour)
			if len(w.lates) != 0 {
				t.Fatalf("old messages count: %v", w.lates)
			}
			w.toStation = nil
			w.live(-2*time.Minute, "")
			if len(w.lates) != 1 || w.lates[0].Sub(t0) != 17*time.Minute {
				t.Errorf("%v: until %v", version, w.lates)
			}
			if s := strings.Join(w.toStation, "\n"); !strings.Contains(s, t0.Add(13 * time.Minute).Format(time.RFC3339)[:19]) {
				t.Errorf("%v: sent anew: %s", version, s)
			}
			w.wait(10 * time.Second)
			w.live(-2*time.Minute, "")
			if len(w.lates) != 1 {
				t.Errorf("%v: told twice: %v", version, w.lates)
			}
			w.csms = func(rpc.Frame) string {
				return fmt.Sprintf(`{"currentTime":%q}`, w.now.Add(-4*time.Minute).Format(time.RFC3339Nano))
			}
			w.do(FromStation{[]byte(`[2,"hb","Heartbeat",{}]`)})
			if len(w.lates) != 2 || w.lates[1].Sub(t0) != 17*time.Minute {
				t.Errorf("%v: until %v", version, w.lates)
			}
			if w.now.Sub(began) > time.Minute {
				t.Fatal("the test took too long for its figures")
			}
			w.start() // the controller begins anew, and knows what the station has
			w.lates = nil
			w.do(CSMSUp{})
			w.do(StationUp{})
			w.live(-4*time.Minute, "")
			if len(w.lates) != 1 || w.lates[0].Sub(t0) < 15*time.Minute-time.Second || w.lates[0].Sub(t0) > 17*time.Minute {
				t.Errorf("%v: after a restart: until %v", version, w.lates)
			}
		}
	}
}

// When our own clock is set nothing moves.
func TestOurOwnClockIsSet(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{-20 * time.Minute, 20 * time.Minute} {
			clock := virtual.NewClock()
			clock.Set(7 * time.Minute)
			w := newWorld(t, nil)
			w.now = clock.Now()
			w.start()
			w.csms = func(rpc.Frame) string {
				return fmt.Sprintf(`{"currentTime":%q,"interval":300,"status":"Accepted"}`, time.Now().UTC().Format(time.RFC3339Nano))
			}
			w.station = obey
			w.do(CSMSUp{})
			w.do(StationUp{})
			w.do(FromStation{[]byte(bootFrame)})
			w.live(-7*time.Minute, "") // the station's clock is right
			w.do(Grant{Seq: 1, Amps: 16, Until: w.now.Add(15 * time.Minute)})
			right := time.Now().Add(15 * time.Minute)
			if _, p := w.lease(); !p.ValidTo.Equal(right) {
				t.Errorf("until %v, want %v", p.ValidTo, right)
			}
			time.Sleep(time.Minute)
			clock.Set(7*time.Minute + d)
			w.now = clock.Now()
			w.do(Tick{})
			w.do(FromStation{fmt.Appendf(nil, `[2,"l","StatusNotification",{"timestamp":%q,"connectorStatus":"Occupied","evseId":1,"connectorId":1}]`, time.Now().UTC().Format(time.RFC3339Nano))})
			w.do(Grant{Seq: 2, Amps: 16, Until: w.now.Add(15 * time.Minute)})
			right = time.Now().Add(15 * time.Minute)
			if _, p := w.lease(); !p.ValidTo.Equal(right) || len(w.lates) != 0 {
				t.Errorf("set by %v: until %v, want %v", d, p.ValidTo, right)
			}
		}
	})
}

// A station whose clock falls back by days is not limited by schedules that begin later: it counts as not following until it has
// taken some that begin earlier.
func TestAClockThatFallsBackByDays(t *testing.T) {
	w := newWorld(t, nil)
	w.boot()
	w.live(0, "")
	w.do(Grant{Seq: 1, Amps: 6})
	w.wait(10 * time.Second)
	var over []bool
	w.seen = func(s State) { over = append(over, s.Over) }
	for range 2 {
		w.live(-72*time.Hour, "")
		w.wait(61 * time.Second)
	}
	w.live(-72*time.Hour, "")
	w.wait(10 * time.Second)
	was := false
	for _, o := range over {
		was = was || o
	}
	if _, p := w.lease(); !was || w.state.Over || !p.ChargingSchedule[0].StartSchedule.Before(w.now.Add(-73*time.Hour)) {
		t.Errorf("not followed: %v; now begins %v", over, p.ChargingSchedule[0].StartSchedule)
	}
}

// What a station delivers late does not tell what it draws now.
func TestOldReadingsAreNotOfNow(t *testing.T) {
	for _, how := range []string{`,"offline":true`, ""} {
		w := newWorld(t, nil)
		w.boot()
		w.live(0, "")
		w.do(Grant{Seq: 1, Amps: 6})
		w.wait(10 * time.Second)
		w.live(-4*time.Minute, how+fmt.Sprintf(`,"meterValue":[{"timestamp":%q,"sampledValue":[{"value":32,"measurand":"Current.Import"}]}]`, w.now.Add(-4*time.Minute).Format(time.RFC3339)))
		w.wait(time.Minute)
		if w.state.Measured || w.state.Over {
			t.Errorf("%q: %+v", how, w.state)
		}
		w.live(0, fmt.Sprintf(`,"meterValue":[{"timestamp":%q,"sampledValue":[{"value":32,"measurand":"Current.Import"}]}]`, w.now.Format(time.RFC3339)))
		w.wait(time.Minute)
		if !w.state.Over {
			t.Errorf("a reading of now: %+v", w.state)
		}
	}
}
