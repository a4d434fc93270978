package balancer

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/plan"
)

// absurd is a plan that asks for far too much of everything.
func absurd(t msg.PlanTask) msg.Planned {
	s := plan.Schedule{Made: t.Now, Peak: si.Watts(math.Inf(1))}
	for _, v := range t.Visits {
		for _, a := range []plan.Advice{
			{EVSE: v.EVSE, Since: v.Since, Steps: []plan.Step{{From: t.Now, Import: 1e9, Export: 1e9}, {From: t.Now.Add(time.Hour)}}},
			{EVSE: v.EVSE, Since: v.Since, Waits: true, Steps: []plan.Step{{From: t.Now, Import: si.Amps(math.NaN())}, {From: t.Now.Add(time.Hour)}}},
			{EVSE: v.EVSE, Since: v.Since, Waits: true, Steps: []plan.Step{{From: t.Now}, {From: t.Now.Add(time.Hour)}}},
		}[len(s.Advices)%3:] {
			s.Advices = append(s.Advices, a)
			break
		}
	}
	return msg.Planned{Schedule: s}
}

// Whatever the planner does, a limit is carried out at the same moment, and the sum of what the cars may draw stays under it.
func TestNoPlannerDelaysOrLiftsALimit(t *testing.T) {
	for name, answer := range map[string]func(ctx actor.Context){
		"absent":  nil,
		"wedged":  func(actor.Context) {},
		"absurd":  func(ctx actor.Context) { answerWith(ctx, absurd, 0) },
		"late":    func(ctx actor.Context) { answerWith(ctx, absurd, 50*time.Second) },
		"flooded": func(ctx actor.Context) { answerWith(ctx, absurd, 0); answerWith(ctx, absurd, time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			kittest.Run(t, func(t *testing.T, env *kit.Env) {
				if answer != nil {
					kittest.NewProbe(t, env, msg.Planner, answer)
				}
				l := parking(t, env, 40, 3, nil)
				if top := l.watch(20 * time.Second); top > 40+1e-6 {
					t.Errorf("%v under a fuse of 40 A", top)
				}
				for _, c := range l.cars {
					c.took()
				}
				sent := time.Now()
				l.limit("dso", "1", 3*6*690)
				if l.watch(10*time.Millisecond) > 40+1e-6 {
					t.Error("over the fuse")
				}
				for _, c := range l.cars {
					for _, g := range c.took() {
						if d := g.at.Sub(sent); d > 10*time.Millisecond || g.Import.Highest() > 9+1e-6 {
							t.Errorf("%s: %v after %v", c.id, g.Import, d)
						}
					}
				}
				if top := l.watch(3 * time.Minute); top > 18+1e-6 {
					t.Errorf("%v under a limit of 18 A", top)
				}
				if top := l.sum(); top < 6-1e-6 && name != "absurd" && name != "late" && name != "flooded" {
					t.Errorf("only %v is given out", top)
				}
			})
		})
	}
}

func answerWith(ctx actor.Context, make func(msg.PlanTask) msg.Planned, delay time.Duration) {
	t, ok := ctx.Message().(msg.PlanTask)
	if !ok {
		return
	}
	root, to, p := ctx.ActorSystem().Root, ctx.ActorSystem().NewLocalPID(msg.Balancer), make(t)
	time.AfterFunc(delay, func() { root.Send(to, p) })
}

// A plan that has a car wait is followed when the planner has died: silence raises nothing.
func TestADeadPlannerRaisesNothing(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		var asked atomic.Int32
		kittest.NewProbe(t, env, msg.Planner, func(ctx actor.Context) {
			if m, ok := ctx.Message().(msg.PlanTask); ok && len(m.Visits) == 2 {
				if asked.Add(1) > 1 {
					return // it is dead
				}
				ctx.Send(env.At(msg.Balancer), msg.Planned{Schedule: plan.Schedule{Made: m.Now, Advices: []plan.Advice{
					{EVSE: "e0", Since: m.Visits[0].Since, Waits: true, Steps: []plan.Step{{From: m.Now}, {From: m.Now.Add(2 * time.Hour), Import: 20}, {From: m.Now.Add(5 * time.Hour)}}},
					{EVSE: "e1", Since: m.Visits[1].Since, Steps: []plan.Step{{From: m.Now, Import: 32}, {From: m.Now.Add(5 * time.Hour)}}}}}})
			}
		})
		l := parking(t, env, 64, 2, nil)
		time.Sleep(10 * time.Second)
		l.cars[0].took()
		for range 100 {
			time.Sleep(time.Minute)
			if a, _ := l.cars[0].allowed(); a != 0 {
				t.Fatalf("%v while the plan has it wait", a)
			}
		}
		told, ok := kittest.Last[msg.VehiclePlan](l.cars[0].heardOthers())
		if e := told.Tuples; !ok || len(e) != 1 || len(e[0].Entries) != 2 || e[0].Entries[0].Max != 0 || e[0].Entries[1].Max != 13800 {
			t.Errorf("the waiting vehicle is told %+v", told)
		}
		if told, ok := kittest.Last[msg.VehiclePlan](l.cars[1].heardOthers()); ok {
			t.Errorf("the other one is told %+v", told)
		}
		if why := l.view.Load().EVSEs[0].LimitedBy; why[:5] != "plan:" {
			t.Error(why)
		}
		time.Sleep(25 * time.Minute)
		if a, _ := l.cars[0].allowed(); a != 20 {
			t.Errorf("%v, the plan says 20 A", a)
		}
		if asked.Load() < 100 {
			t.Errorf("a plan was asked for %d times in two hours", asked.Load())
		}
	})
}

// Another vehicle does not inherit the plan of the one before, and a plan of long ago discharges nobody.
func TestPlansAreForTheirVehicleAndTheirTime(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		once := false
		kittest.NewProbe(t, env, msg.Planner, func(ctx actor.Context) {
			if m, ok := ctx.Message().(msg.PlanTask); ok && len(m.Visits) == 1 && !once {
				once = true
				ctx.Send(env.At(msg.Balancer), msg.Planned{Schedule: plan.Schedule{Made: m.Now, Advices: []plan.Advice{
					{EVSE: "e0", Since: m.Visits[0].Since, Waits: true, Steps: []plan.Step{{From: m.Now, Export: 10}, {From: m.Now.Add(5 * time.Hour)}}}}}})
			}
		})
		l := parking(t, env, 64, 1, nil)
		l.cars[0].set(func(r *msg.EVSEReport) { r.SoC, r.MaxExport, r.Phases = 80, 11000, 3 })
		time.Sleep(30 * time.Second)
		if i, e := l.cars[0].allowed(); i != 0 || e != 10 {
			t.Errorf("import %v, export %v: the plan has it give 10 A", i, e)
		}
		l.cars[0].set(func(r *msg.EVSEReport) { r.SoC = 30 })
		time.Sleep(5 * time.Second)
		if _, e := l.cars[0].allowed(); e != 0 {
			t.Errorf("%v given back below the driver's reserve", e)
		}
		l.cars[0].set(func(r *msg.EVSEReport) { r.SoC = 80 })
		time.Sleep(planFresh)
		if _, e := l.cars[0].allowed(); e != 0 {
			t.Errorf("%v given back by an old plan", e)
		}
		l.cars[0].set(func(r *msg.EVSEReport) { r.Since = r.Since.Add(time.Minute) })
		time.Sleep(10 * time.Second)
		if i, _ := l.cars[0].allowed(); i != 32 {
			t.Errorf("the next vehicle gets %v", i)
		}
	})
}
