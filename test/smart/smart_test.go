// Package smart proves that the sum of what third-party stations may draw never exceeds the tree, with the real balancer and
// the real local controller, stations that obey their profile stacks exactly, and a CSMS that sets and clears what it likes.
// It runs in virtual time.
package smart

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/balancer"
	"github.com/voltyard/voltyard/actors/controller"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/ocppstat"
	"github.com/voltyard/voltyard/actors/kit/ws"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/recorder"
	"github.com/voltyard/voltyard/actors/sim/csms"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	v16 "github.com/voltyard/voltyard/protocols/ocpp/v16"
	v201 "github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/lease"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/topology"
	"github.com/voltyard/voltyard/storage/bolt"
	"github.com/voltyard/voltyard/test/virtual"
)

// disk is a database in memory.
type disk struct {
	mu   sync.Mutex
	data map[string][]byte
}

func (d *disk) Apply(ops []bolt.Op) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, op := range ops {
		d.data[op.Bucket+"\x00"+string(op.Key)] = append([]byte{}, op.Value...)
		if op.Value == nil {
			delete(d.data, op.Bucket+"\x00"+string(op.Key))
		}
	}
	return nil
}

func (d *disk) Scan(bucket string, prefix []byte) (out []bolt.KV, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, v := range d.data {
		if key, ok := strings.CutPrefix(k, bucket+"\x00"); ok && strings.HasPrefix(key, string(prefix)) {
			out = append(out, bolt.KV{Key: []byte(key), Value: v})
		}
	}
	return out, nil
}

func (d *disk) Size() int64 { return 0 }

// park is a random site.
type park struct {
	t      *testing.T
	env    *kit.Env
	rng    *rand.Rand
	tree   *topology.Tree
	bounds lease.Bounds
	boxes  []*box
	view   kit.Cell[msg.SiteView]
	clock  *virtual.Clock // of the controller
}

const fallback = 6

// newPark draws a tree on which the fallbacks of all stations fit, with room for some more.
func newPark(t *testing.T, env *kit.Env, seed uint64, kinds []kind) *park {
	t.Helper()
	p := &park{t: t, env: env, rng: rand.New(rand.NewPCG(seed, 19)), clock: virtual.NewClock()}
	p.clock.Set(someTime(p.rng, 10*time.Minute))
	env.Born = p.clock.Now()
	site := topology.Site{}
	under := make([]si.Amps, 1+p.rng.IntN(4))
	parent := make([]int, len(under))
	for i := range under {
		parent[i] = p.rng.IntN(max(i, 1))
	}
	rotations := []si.Rotation{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 2, 1}}
	var listed []controller.Station
	mem := network.NewMemory()
	south, err := mem.ListenSECC(context.Background(), "site")
	if err != nil {
		t.Fatal(err)
	}
	north, err := mem.ListenSECC(context.Background(), "cloud")
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range kinds {
		at := p.rng.IntN(len(under))
		need := si.Amps(fallback)
		if k.deaf {
			need = k.max
		}
		for n := at; ; n = parent[n] {
			under[n] += need
			if n == 0 {
				break
			}
		}
		levels := 0
		if k.levels == 1 {
			levels = 1
		}
		id := fmt.Sprintf("CS-%d", i)
		site.EVSEs = append(site.EVSEs, topology.EVSE{ID: id, Node: fmt.Sprint("n", at), Phases: k.phases, Max: k.max,
			Rotation: rotations[p.rng.IntN(4)], Station: &topology.Station{Fallback: fallback, Levels: levels}})
		listed = append(listed, controller.Station{ID: id, Fallback: fallback, MaxAmps: k.max, Phases: k.phases, Levels: levels, Whole: k.whole, PerTx: k.perTx, EVSEs: k.evses})
		b := newBox(id, k, p.rng.Uint64(), func(ctx context.Context, _, _ string) (net.Conn, error) {
			return mem.DialSECC(ctx, "site", south.Addr().(*net.TCPAddr).AddrPort())
		})
		b.id = id
		p.boxes = append(p.boxes, b)
	}
	for i := range under {
		fuse := si.Same(max(under[i], 10) + si.Amps(p.rng.IntN(40)))
		n := topology.Node{ID: fmt.Sprint("n", i), Fuse: &fuse}
		if i > 0 {
			n.Parent = fmt.Sprint("n", parent[i])
		}
		site.Nodes = append(site.Nodes, n)
	}
	if p.tree, err = topology.New(site); err != nil {
		t.Fatal(err)
	}
	_, p.bounds = lease.FromResult(allocate.Allocate(allocate.Snapshot{Tree: p.tree, Now: time.Now()}))
	kittest.Spawn(t, env, msg.Recorder, recorder.New(env, &disk{data: map[string][]byte{}}))
	kittest.Spawn(t, env, "csms", csms.New(env, csms.Config{Listener: north, Path: "/ocpp", V21: true}))
	kittest.Spawn(t, env, msg.Balancer, balancer.New(env, balancer.Config{Site: "smart", Tree: p.tree, Names: map[string]string{},
		Meters: map[string]time.Duration{}, Sources: []limits.Source{{Name: "dso"}}, Allocate: allocate.Options{Step: 0.1, Hysteresis: 0.5}, PlanOff: true, Clock: p.clock.Now}, &p.view))
	kittest.Spawn(t, env, msg.Controller, controller.New(env, controller.Config{Listen: "site", Path: "/ocpp", Stay: true, Stations: listed, Volts: 230,
		CSMS: &controller.CSMS{URL: "ws://cloud/ocpp", Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return mem.DialSECC(ctx, "cloud", north.Addr().(*net.TCPAddr).AddrPort())
		}}, NewID: ws.NewID, Clock: p.clock.Now, Stats: ocppstat.New(env), Bind: func(string) (net.Listener, error) { return south, nil }}))
	for _, b := range p.boxes {
		kittest.Spawn(t, env, b.id, func() actor.Actor { return b })
	}
	return p
}

// check compares what all may draw with the tree.
func (p *park) check(now time.Time) bool {
	x := make([]si.Phases, len(p.boxes))
	for i, b := range p.boxes {
		k, _ := p.tree.FindEVSE(b.id)
		x[k] = b.may(now)
		_ = i
	}
	for r := range p.tree.Rows() {
		if got := p.tree.Load(r, x); got > p.bounds.Import[r]*(1+1e-6)+0.01 && !math.IsInf(p.bounds.Import[r], 1) {
			row := p.tree.Rows()[r]
			p.t.Errorf("%v %s, phase %d: %.2f may be drawn, the limit is %.2f", now.Format(time.TimeOnly), p.tree.Node(row.Node).ID, row.Phase, got, p.bounds.Import[r])
			for _, b := range p.boxes {
				r := p.view.Load()
				for _, st := range r.Stations {
					if st.ID == b.id {
						p.t.Logf("%+v", st)
					}
				}
				p.t.Log(b.describe(), " may ", b.may(now))
			}
			return false
		}
	}
	return true
}

// csmsSets has the CSMS set or clear a random profile in a station.
func (p *park) csmsSets(b *box) {
	rng := p.rng
	stack := rng.IntN(b.kind.levels + 1)
	if rng.IntN(10) == 0 && !b.kind.tells {
		stack = rng.IntN(4)
	}
	if rng.IntN(3) == 0 {
		clear := []string{`{}`, `{"chargingProfileId":2}`, `{"chargingProfileCriteria":{"evseId":0}}`,
			`{"chargingProfileCriteria":{"chargingProfilePurpose":"ChargingStationMaxProfile"}}`, `{"chargingProfileCriteria":{"chargingProfilePurpose":"TxProfile"}}`,
			fmt.Sprintf(`{"chargingProfileCriteria":{"stackLevel":%d}}`, stack), `{"chargingProfileId":-1971000002}`, `{"chargingProfileCriteria":{"evseId":1}}`,
			`{"chargingProfileCriteria":{"chargingProfilePurpose":"TxDefaultProfile"}}`}
		if b.kind.version == rpc.V16 {
			clear = []string{`{}`, `{"id":2}`, `{"connectorId":0}`, `{"chargingProfilePurpose":"ChargePointMaxProfile"}`, `{"chargingProfilePurpose":"TxProfile"}`,
				fmt.Sprintf(`{"stackLevel":%d}`, stack), `{"id":1971000002}`, `{"connectorId":1}`, `{"chargingProfilePurpose":"TxDefaultProfile"}`}
		}
		p.env.Send("csms", csms.Request{Station: b.id, Action: "ClearChargingProfile", Payload: []byte(clear[rng.IntN(len(clear))])})
		return
	}
	if b.kind.version == rpc.V21 && rng.IntN(6) == 0 {
		id := []int{1 + rng.IntN(6), -1971000002, 1971000002, -1971001001}[rng.IntN(4)]
		p.env.Send("csms", csms.Request{Station: b.id, Action: "UpdateDynamicSchedule", Payload: fmt.Appendf(nil, `{"chargingProfileId":%d,"scheduleUpdate":{"limit":%d}}`, id, rng.IntN(64))})
		return
	}
	evse := rng.IntN(b.kind.evses + 1)
	q := profile.Profile{ID: 1 + rng.IntN(6), EVSE: evse, Stack: stack, Purpose: profile.TxDefault}
	switch rng.IntN(3) {
	case 0:
		q.Purpose, q.EVSE = profile.StationMax, 0
	case 1:
		if evse > 0 {
			b.mu.Lock()
			q.TxID = b.outlets[evse-1].tx
			b.mu.Unlock()
			if q.TxID != "" {
				q.Purpose = profile.Tx
			}
		}
	}
	s := profile.Schedule{ID: 1, Start: time.Now().Truncate(time.Second).Add(time.Duration(rng.IntN(600)-300) * time.Second)}
	switch {
	case rng.IntN(4) == 0:
		q.Kind, q.Recurrence = profile.Recurring, profile.Day
	case rng.IntN(4) == 0 && q.Purpose != profile.StationMax:
		q.Kind, s.Start = profile.Relative, time.Time{}
	}
	if rng.IntN(2) == 0 {
		s.Duration = time.Duration(60+rng.IntN(3000)) * time.Second
	}
	if rng.IntN(4) == 0 {
		q.ValidTo = time.Now().Truncate(time.Second).Add(time.Duration(rng.IntN(1200)) * time.Second)
	}
	for i := range 1 + rng.IntN(3) {
		s.Periods = append(s.Periods, profile.Period{Start: time.Duration(i*(30+rng.IntN(300))) * time.Second, Limit: float64(rng.IntN(64))})
	}
	q.Schedules = []profile.Schedule{s}
	if evse > 0 && rng.IntN(4) == 0 {
		p.csmsStarts(b, q, s)
		return
	}
	if rng.IntN(20) == 0 {
		q.ID = []int{-1971000002, -1971000001}[rng.IntN(2)]
		if b.kind.version == rpc.V16 {
			q.ID = -q.ID
		}
	}
	if b.kind.version == rpc.V16 {
		m := v16.SetChargingProfileRequest{ConnectorId: q.EVSE, CsChargingProfiles: profile.To16(&q)}
		p.env.Send("csms", csms.Request{Station: b.id, Action: m.ActionName(), Payload: m.AppendJSON(nil)})
		return
	}
	m := v201.SetChargingProfileRequest{EvseId: q.EVSE, ChargingProfile: profile.To201(&q)}
	payload := m.AppendJSON(nil)
	if b.kind.version == rpc.V21 {
		payload = strange(rng, payload)
	}
	p.env.Send("csms", csms.Request{Station: b.id, Action: m.ActionName(), Payload: payload})
}

// csmsStarts has the CSMS ask for a transaction, with a profile.
func (p *park) csmsStarts(b *box, q profile.Profile, s profile.Schedule) {
	q.Purpose, q.TxID = profile.Tx, ""
	q.Schedules = []profile.Schedule{s}
	if b.kind.version == rpc.V16 {
		c := profile.To16(&q)
		m := v16.RemoteStartTransactionRequest{ConnectorId: &q.EVSE, IdTag: "T", ChargingProfile: &c}
		p.env.Send("csms", csms.Request{Station: b.id, Action: m.ActionName(), Payload: m.AppendJSON(nil)})
		return
	}
	c := profile.To201(&q)
	m := v201.RequestStartTransactionRequest{EvseId: &q.EVSE, IdToken: v201.IdToken{IdToken: "T", Type: v201.IdTokenISO14443}, RemoteStartId: p.rng.IntN(1000), ChargingProfile: &c}
	p.env.Send("csms", csms.Request{Station: b.id, Action: m.ActionName(), Payload: m.AppendJSON(nil)})
}

// happens lets one random thing happen.
func (p *park) happens() {
	rng := p.rng
	b := p.boxes[rng.IntN(len(p.boxes))]
	evse := 1 + rng.IntN(b.kind.evses)
	switch rng.IntN(27) {
	case 0, 1, 2, 3, 4, 5:
		p.env.Send(b.id, plug{evse})
	case 6, 7, 8:
		if b.kind.priority && rng.IntN(2) == 0 {
			p.env.Send(b.id, press{evse})
			return
		}
		p.env.Send(b.id, unplug{evse})
	case 9, 10, 11, 12, 13, 14, 15:
		p.csmsSets(b)
	case 16, 17:
		p.env.Send(b.id, bar{time.Duration(rng.IntN(1200)) * time.Second})
	case 18:
		p.env.Send(b.id, lose{1 + rng.IntN(3)})
	case 19:
		p.env.Send("csms", csms.Cut{Station: b.id})
	case 20:
		p.env.Send(b.id, skew{time.Duration(rng.IntN(40)-20) * time.Second})
	case 21:
		p.env.Send(msg.Controller+"/stationlink-"+b.id, kit.Crash{Why: "test"})
	case 22:
		p.env.Send(msg.Balancer, kit.Crash{Why: "test"})
	case 24: // its clock is set forward, as nobody was told to
		p.env.Send(b.id, ahead{time.Duration(rng.IntN(600)) * time.Second})
	case 25, 26: // the controller's own clock is set
		p.clock.Set(someTime(rng, 20*time.Minute))
	case 23: // the whole controller begins anew
		p.env.Send(msg.Controller, kit.Crash{Why: "test"})
		p.env.Send(msg.Balancer, kit.Crash{Why: "test"})
	}
}

// someTime is up to most, either way.
func someTime(rng *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(2*most))) - most
}

func randomKind(rng *rand.Rand) kind {
	k := kind{version: rpc.V201, levels: 2 + rng.IntN(4), tells: true, max: 32, phases: 3, evses: 1 + rng.IntN(2),
		reading: time.Duration(10+rng.IntN(50)) * time.Second, whole: rng.IntN(3) == 0, sloppy: rng.IntN(3) == 0}
	switch rng.IntN(3) {
	case 0:
		k.version = rpc.V16
	case 1:
		k.version = rpc.V21
		k.before, k.priority = rng.IntN(2) == 0, rng.IntN(2) == 0
		if most := []int{-1971000001, -7, 0}; rng.IntN(2) == 0 {
			k.most = &most[rng.IntN(3)]
		}
		if rng.IntN(3) == 0 {
			k.rate = time.Duration(1+rng.IntN(20)) * time.Second
		}
	}
	if rng.IntN(4) == 0 {
		k.phases = 1
	}
	k.says, k.grain = []string{"Current.Import", "Power.Active.Import", "Energy.Active.Import.Register"}[rng.IntN(3)], []float64{1, 10, 100}[rng.IntN(3)]
	k.syncs, k.triggers, k.keeps = rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(2) == 0
	switch rng.IntN(4) {
	case 0: // right
	case 1:
		k.off = someTime(rng, 3*time.Hour)
	default:
		k.off = someTime(rng, 8*time.Minute)
	}
	switch rng.IntN(5) {
	case 0:
		k.levels = 1
	case 1:
		k.tells = false
	case 2:
		k.perTx, k.evses = true, 1+rng.IntN(3)
	}
	return k
}

const seeds = 12

// Whatever the CSMS sets and clears, however late stations answer, whoever goes and comes back: the stations together may
// never draw more than the tree carries.
func TestSumStaysUnderTheTree(t *testing.T) {
	sumStays(t, randomKind)
}

// The same with stations of OCPP 2.1 alone.
func TestSumStaysUnderTheTreeWith21(t *testing.T) {
	sumStays(t, func(rng *rand.Rand) kind {
		for {
			if k := randomKind(rng); k.version == rpc.V21 {
				return k
			}
		}
	})
}

func sumStays(t *testing.T, some func(*rand.Rand) kind) {
	for range virtual.Rounds(t, seeds) {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			kittest.Run(t, func(t *testing.T, env *kit.Env) {
				rng := rand.New(rand.NewPCG(seed, 23))
				var kinds []kind
				for range 2 + rng.IntN(5) {
					kinds = append(kinds, some(rng))
				}
				p := newPark(t, env, seed, kinds)
				p.commission()
				next := time.Now()
				for end := time.Now().Add(2 * time.Hour); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
					if !p.check(time.Now()) {
						return
					}
					if !time.Now().Before(next) {
						p.happens()
						next = time.Now().Add(time.Duration(rng.Int64N(int64(30 * time.Second))))
					}
				}
				ups := 0
				for _, b := range p.boxes {
					b.mu.Lock()
					ups += b.ups
					b.mu.Unlock()
				}
				t.Logf("%d stations, %d profiles set", len(p.boxes), ups)
			})
		})
	}
}

// A station that accepts every profile and follows none is noticed by its own meter; from then on its maximum is reserved, until
// it draws no more than it may.
func TestAStationThatFollowsNothing(t *testing.T) {
	noticed, n := 0, virtual.Rounds(t, seeds)
	for range n {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			kittest.Run(t, func(t *testing.T, env *kit.Env) {
				rng := rand.New(rand.NewPCG(seed, 29))
				deaf := randomKind(rng)
				deaf.grain = min(deaf.grain, 10)
				deaf.deaf, deaf.perTx, deaf.evses, deaf.levels, deaf.tells = true, false, 1, max(deaf.levels, 2), true
				kinds := []kind{deaf}
				for range 1 + rng.IntN(4) {
					kinds = append(kinds, randomKind(rng))
				}
				p := newPark(t, env, seed, kinds)
				p.commission()
				for i, b := range p.boxes[1:] {
					env.Send(b.id, plug{1 + i%b.kind.evses})
				}
				for range 6 {
					time.Sleep(time.Duration(rng.IntN(600)) * time.Second)
					p.check(time.Now())
					env.Send(p.boxes[0].id, plug{1})
					notice := 2*deaf.reading + time.Minute
					if deaf.says == "Energy.Active.Import.Register" {
						notice += 2*deaf.reading + time.Minute // two that belong together, far enough apart to show a few amperes
					}
					// From the moment at which it has not room for all that it takes: a reading, time to be wrong in, and others make room.
					bound := time.Now()
					for range 600 + rng.IntN(3000) {
						if deaf.passes(p.view.Load().Stations[0].Limit) >= deaf.max {
							bound = time.Now()
						}
						if time.Since(bound) > notice && !p.check(time.Now()) {
							return
						}
						time.Sleep(time.Second)
					}
					time.Sleep(notice)
					switch got := p.view.Load().Stations[0].LimitedBy; {
					case strings.Contains(got, "more than it accepted"):
						noticed++
					case got != "own maximum" && deaf.passes(p.view.Load().Stations[0].Limit) < deaf.max: // unless there is room for all that it takes
						t.Errorf("the station is shown as %q", got)
					}
					env.Send(p.boxes[0].id, unplug{1})
					time.Sleep(2 * time.Minute)
					if got := p.view.Load().Stations[0].LimitedBy; strings.Contains(got, "more than it accepted") {
						t.Errorf("the station draws nothing any more and is shown as %q", got)
					}
				}
			})
		})
	}
	if noticed == 0 && n == seeds { // a few may all have room for all that it takes
		t.Error("no station was ever noticed: nothing was tested")
	}
}

// commission waits until all stations have taken their first profiles: before, nobody can bound them.
func (p *park) commission() {
	p.t.Helper()
	time.Sleep(3 * time.Minute)
	if !p.check(time.Now()) {
		p.t.Fatal("the stations are not under their limits")
	}
}
