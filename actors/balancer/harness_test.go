package balancer

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/lease"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/topology"
)

// car is an EVSE with a vehicle, as the balancer sees it: it takes grants at once and draws what it may.
type car struct {
	env  *kit.Env
	id   string
	born time.Time

	mu      sync.Mutex
	grant   lease.Grant
	grants  []stamped
	report  msg.EVSEReport
	now     func() time.Time
	silent  bool
	stopped bool
	others  []any
}

type stamped struct {
	at time.Time
	lease.Grant
}

type carTick struct{}

// allowed is what the car may draw now: nothing after its grant has ended.
func (c *car) allowed() (imports, exports si.Amps) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.grant.Until.IsZero() && !c.now().Before(c.grant.Until) {
		return 0, 0
	}
	return c.grant.Import.Highest(), c.grant.Export.Highest()
}

func (c *car) Receive(ctx actor.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var token uint64
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.tick(ctx)
	case carTick:
		if !c.stopped {
			c.tick(ctx)
		}
	case *actor.Stopping:
		c.stopped = true
		return
	case *actor.Stopped:
		return
	case msg.Introduce:
		token = m.Token
	case msg.Grant:
		if c.silent {
			return
		}
		if m.Seq > c.grant.Seq {
			c.grant = m.Grant
			c.grants = append(c.grants, stamped{time.Now(), m.Grant})
		}
		ctx.Send(c.env.At(msg.Balancer), msg.GrantAck{EVSE: c.id, Seq: m.Seq})
	default:
		c.others = append(c.others, m)
	}
	if c.silent {
		return
	}
	r := c.report
	r.EVSE, r.Introduced, r.Grant, r.GrantSeq = c.id, token, c.grant, c.grant.Seq
	if r.Plugged {
		r.Draw = c.grant.Import.Sub(c.grant.Export)
		if !c.grant.Until.IsZero() && !c.now().Before(c.grant.Until) {
			r.Draw = si.Phases{}
		}
	}
	ctx.Send(c.env.At(msg.Balancer), r)
}

func (c *car) tick(ctx actor.Context) {
	root, self := ctx.ActorSystem().Root, ctx.Self()
	time.AfterFunc(500*time.Millisecond, func() { root.Send(self, carTick{}) })
}

func (c *car) set(f func(r *msg.EVSEReport)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.report)
}

// heardOthers returns what came besides grants.
func (c *car) heardOthers() []any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]any(nil), c.others...)
}

// took returns the grants that came since the last call.
func (c *car) took() []stamped {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.grants
	c.grants = nil
	return out
}

// lot is a balancer with three-phase cars under one fuse.
type lot struct {
	t    *testing.T
	env  *kit.Env
	tree *topology.Tree
	cars []*car
	view kit.Cell[msg.SiteView]
	ear  *kittest.Probe // in place of the building
	pid  *actor.PID
}

func parking(t *testing.T, env *kit.Env, fuse si.Amps, n int, change func(c *Config, s *topology.Site)) *lot {
	t.Helper()
	f := si.Same(fuse)
	site := topology.Site{Nodes: []topology.Node{{ID: "grid", Fuse: &f}}}
	for i := range n {
		site.EVSEs = append(site.EVSEs, topology.EVSE{ID: fmt.Sprint("e", i), Node: "grid", Phases: 3, Max: 32, MaxExport: 32})
	}
	cfg := Config{Site: "test", Names: map[string]string{}, Meters: map[string]time.Duration{}, Sources: []limits.Source{{Name: "dso"}, {Name: "bems"}}, Reserve: 30}
	if change != nil {
		change(&cfg, &site)
	}
	tree, err := topology.New(site)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Tree = tree
	now := cfg.Clock
	if now == nil {
		now = time.Now
	}
	l := &lot{t: t, env: env, tree: tree}
	l.ear = kittest.NewProbe(t, env, msg.Building, nil)
	for i := range n {
		c := &car{env: env, id: fmt.Sprint("e", i), born: time.Now(), now: now, report: msg.EVSEReport{Plugged: true, Auth: true, Wants: true, Operative: true, SoC: -1, Since: time.Now()}}
		kittest.Spawn(t, env, msg.EVSEName(c.id), func() actor.Actor { return c })
		l.cars = append(l.cars, c)
	}
	l.pid = kittest.Spawn(t, env, msg.Balancer, New(env, cfg, &l.view))
	return l
}

// sum is what all cars may draw together, A on each phase, and its largest value while d passes.
func (l *lot) watch(d time.Duration) (top si.Amps) {
	for range d / (10 * time.Millisecond) {
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		top = max(top, l.sum())
	}
	return top
}

func (l *lot) sum() (sum si.Amps) {
	for _, c := range l.cars {
		a, _ := c.allowed()
		sum += a
	}
	return sum
}

func (l *lot) limit(source, id string, w si.Watts) {
	l.env.System.Root.Send(l.pid, msg.ApplyLimit{Received: time.Now(), Reply: l.ear.PID,
		Limit: limits.Limit{Source: source, ID: id, Issued: time.Now(), Values: limits.Values{ImportW: &w}}})
}
