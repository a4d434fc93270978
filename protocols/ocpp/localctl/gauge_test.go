package localctl

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
)

// measures has the station say what it measures, by a clock that is off.
func (w *world) measures(off time.Duration, measurand string, value float64) {
	w.t.Helper()
	at := w.now.Add(off).UTC().Format(time.RFC3339Nano)
	if w.cfg.Version == rpc.V16 {
		w.do(FromStation{fmt.Appendf(nil, `[2,"m%d","MeterValues",{"connectorId":1,"transactionId":5,"meterValue":[{"timestamp":%q,"sampledValue":[{"value":"%.3f","measurand":%q}]}]}]`, w.ids, at, value, measurand)})
		return
	}
	w.live(off, fmt.Sprintf(`,"meterValue":[{"timestamp":%q,"sampledValue":[{"value":%.3f,"measurand":%q}]}]`, at, value, measurand))
}

// A station that reports no current and draws more than it accepted is found out by its power, or else by its register, and counts as
// following again once these say so.
func TestNotFollowingShowsInPowerAndEnergy(t *testing.T) {
	for _, version := range []rpc.Version{rpc.V16, rpc.V201, rpc.V21} {
		for _, grain := range []float64{0, 1, 10, 100} { // 0: power
			t.Run(fmt.Sprint(version, " ", grain), func(t *testing.T) {
				w := newWorld(t, func(c *Config) { c.Version = version })
				w.boot()
				w.do(Grant{Seq: 1, Amps: 6})
				register := 0.0
				charge := func(power float64, readings int) {
					for range readings {
						w.wait(time.Minute)
						register += power / 60
						if grain == 0 {
							w.measures(0, "Power.Active.Import", power)
						} else {
							w.measures(0, "Energy.Active.Import.Register", math.Floor(register/grain)*grain)
						}
					}
					w.wait(10 * time.Second)
					register += power / 360
				}
				if version == rpc.V16 {
					w.do(FromStation{[]byte(`[2,"st","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Charging","timestamp":"2024-03-01T10:00:00Z"}]`)})
				}
				charge(6*3*250, 5) // all that it may, at a high voltage
				if w.state.Over {
					t.Fatal("an honest station is accused")
				}
				charge(32*3*230, 3)
				if !w.state.Over {
					t.Fatal("not noticed")
				}
				w.acks = nil
				w.do(Grant{Seq: 2, Amps: 5})
				charge(32*3*230, 3)
				if !w.state.Over || len(w.acks) != 0 {
					t.Errorf("still not followed, and %+v, acknowledged %v", w.state.Over, w.acks)
				}
				charge(3*3*230, 6)
				if w.state.Over || len(w.acks) != 1 {
					t.Errorf("followed, and %+v, acknowledged %v", w.state.Over, w.acks)
				}
				charge(32*3*230, 3)
				if !w.state.Over {
					t.Fatal("not noticed again")
				}
				if notes := strings.Join(w.notes, "\n"); !strings.Contains(notes, "its maximum is reserved until it follows") {
					t.Error(notes)
				}
				if version == rpc.V16 {
					w.do(FromStation{[]byte(`[2,"st","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]`)})
				} else {
					w.do(FromStation{[]byte(strings.Replace(event("e9", "T1", "Ended", 9, ""), `"Charging"`, `"Idle"`, 1))})
				}
				w.wait(10 * time.Second)
				if w.state.Over {
					t.Error("it draws nothing any more")
				}
			})
		}
	}
}

// No station that follows its limits is accused, whatever the voltage and the limits do, however coarse its register is, and as late
// as its readings may come; or when its clock is set and they are hardly late. One that takes all it can is noticed.
func TestHonestStationsAreNotAccused(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, func(c *Config) { c.Settle = 6 * time.Second })
		w.boot()
		grain := rapid.SampledFrom([]float64{0.1, 1, 10, 100, 1000}).Draw(rt, "grain")
		every := rapid.IntRange(10, 300).Draw(rt, "every")
		volts := rapid.SampledFrom([]float64{215, 230, 252}).Draw(rt, "volts")
		honest, steps := rapid.Bool().Draw(rt, "honest"), rapid.Bool().Draw(rt, "clock steps")
		delays := []int{0, 0, 1, 5, int(lagged.Seconds())}
		if steps {
			delays = delays[:4]
		}
		limit := func() float64 { return rapid.SampledFrom([]float64{0, 6, 10, 16, 32}).Draw(rt, "limit") }
		amps, before, fell := limit(), 63.0, w.now
		seq := uint64(1)
		grant := func() { w.do(Grant{Seq: seq, Amps: si.Amps(amps), Until: w.now.Add(15 * time.Minute)}) }
		grant()
		register, off := 0.0, time.Duration(0)
		type late struct {
			at, ts time.Time
			wh     float64
		}
		var coming []late
		for s := range 1800 {
			w.wait(time.Second)
			draw := amps
			if w.now.Sub(fell) < 5*time.Second { // vehicles take their time
				draw = max(draw, before)
			}
			if !honest {
				draw = 63
			}
			register += draw * volts * 3 / 3600
			if s%every == 0 {
				delay := time.Duration(rapid.SampledFrom(delays).Draw(rt, "delay")) * time.Second
				coming = append(coming, late{w.now.Add(delay), w.now.Add(off), math.Floor(register/grain) * grain})
			}
			for len(coming) > 0 && !coming[0].at.After(w.now) {
				c := coming[0]
				coming = coming[1:]
				w.measures(c.ts.Sub(w.now), "Energy.Active.Import.Register", c.wh)
			}
			if s%7 == 0 && rapid.IntRange(0, 15).Draw(rt, "change") == 0 {
				seq++
				if a := limit(); honest && a != amps {
					if a < amps || w.now.Sub(fell) < 5*time.Second {
						before, fell = max(amps, map[bool]float64{true: before}[w.now.Sub(fell) < 5*time.Second]), w.now
					}
					amps = a
				}
				grant()
			}
			if steps && s%61 == 0 && rapid.IntRange(0, 9).Draw(rt, "step") == 0 {
				off = time.Duration(rapid.IntRange(-120, 120).Draw(rt, "off")) * time.Second
			}
			if w.now.Sub(t0)%(7*time.Minute) == 0 { // leases are renewed
				seq++
				grant()
			}
			if honest && w.state.Over {
				rt.Fatalf("accused after %d s: %v A, register %v, by %v Wh every %d s: %v", s, amps, register, grain, every, w.notes)
			}
		}
		if !honest && amps < 32 && grain < 1000 && off == 0 && !w.state.Over {
			rt.Fatalf("not noticed: %v A, by %v Wh every %d s", amps, grain, every)
		}
	})
}

// A station that goes on as when it was noticed stays noticed, though a short time afterwards shows too little to accuse it anew.
func TestAStationThatGoesOnStaysNoticed(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Settle = 6 * time.Second })
	w.boot()
	w.do(Grant{Seq: 1, Amps: 22.5})
	wh, noticed := 0.0, false
	for s := range 600 {
		w.wait(time.Second)
		wh += 32 * 230 * 3 / 3600.0
		if s%13 == 0 {
			w.measures(0, "Energy.Active.Import.Register", math.Floor(wh))
		}
		if noticed && !w.state.Over {
			t.Fatalf("forgotten after %d s", s)
		}
		noticed = noticed || w.state.Over
	}
	if !noticed {
		t.Fatal("never noticed")
	}
}
