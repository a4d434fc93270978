package balancer

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/limits/guard"
	"github.com/voltyard/voltyard/site/limits/lpc"
	"github.com/voltyard/voltyard/site/topology"
	"github.com/voltyard/voltyard/test/virtual"
)

// A wall clock that jumps by hours neither lifts a limit nor cuts one short, nor a lease; it moves schedules, and counts a
// contract's running quarter as used up in proportion. Statements of sources whose clocks now differ are refused, which ends
// in their failsafe.
func TestClockJumps(t *testing.T) {
	for name, d := range map[string]time.Duration{"forward": 5 * time.Hour, "backward": -5 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			kittest.Run(t, func(t *testing.T, env *kit.Env) {
				off := virtual.NewClock()
				l := parking(t, env, 64, 2, func(c *Config, s *topology.Site) {
					c.Clock = off.Now
					c.Sources = []limits.Source{{Name: "dso", Failsafe: limits.Values{ImportW: watt(9000)}}, {Name: "smgw"}, {Name: "evening"}}
					c.Guards = []guard.Config{{Source: "smgw", Node: "grid", LPC: &lpc.Config{Failsafe: 30000}},
						{Source: "evening", Node: "grid", Periods: []guard.Period{{From: 5 * time.Hour, To: 6 * time.Hour, Values: limits.Values{ImportW: watt(7000)}}}}}
					s.Nodes[0].Contract = watt(36000)
				})
				beat := func(d time.Duration) (top si.Amps) {
					for range d / (10 * time.Second) {
						env.System.Root.Send(l.pid, msg.SourceAlive{Source: "smgw"})
						top = max(top, l.watch(10*time.Second))
					}
					return top
				}
				beat(30 * time.Second)
				env.System.Root.Send(l.pid, msg.ReleaseLimit{Source: "smgw", ID: "r", Reply: l.ear.PID})
				w := si.Watts(20000)
				env.System.Root.Send(l.pid, msg.ApplyLimit{Reply: l.ear.PID, Limit: limits.Limit{Source: "dso", ID: "1", Issued: time.Now(),
					Validity: 10 * time.Minute, Values: limits.Values{ImportW: &w}}})
				beat(20 * time.Second)
				before := l.total()
				if !near(before, 20000) {
					t.Fatalf("%v before the jump", before)
				}
				off.Set(d)
				if top := beat(8 * time.Minute); si.Watts(float64(top)*690) > 20001 {
					t.Errorf("%v A after the jump", top)
				}
				want := si.Watts(20000) // midnight in the test's world: forward, the schedule of 5 o'clock applies
				if d > 0 {
					want = 7000
				}
				if w := l.total(); !near(w, want) {
					t.Errorf("%v, want %v", w, want)
				}
				l.ear.Take()
				env.System.Root.Send(l.pid, msg.ApplyLimit{Reply: l.ear.PID, Limit: limits.Limit{Source: "dso", ID: "1", Issued: time.Now(),
					Validity: 10 * time.Minute, Values: limits.Values{ImportW: watt(60000)}}})
				beat(10 * time.Second)
				if a, _ := kittest.Last[msg.LimitAnswer](l.ear.Take()); a.Code != limits.Expired && a.Code != limits.FromFuture {
					t.Errorf("a source with another clock: %+v", a)
				}
				beat(2 * time.Minute) // its limit expires by the monotonic clock
				if w := l.total(); w > 9001 {
					t.Errorf("%v instead of the failsafe", w)
				}
			})
		})
	}
}
