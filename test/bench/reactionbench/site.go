package reactionbench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/building"
	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/mqtt"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/iec61851"
	"github.com/voltyard/voltyard/storage/bolt"
)

// ledger adds up the set-points of all EVSEs as the hardware gets them.
type ledger struct {
	mu    sync.Mutex
	amps  map[string]si.Amps
	sum   si.Amps
	limit float64 // W; the higher of the two limits that count
	a     answer
}

const perAmp = 3 * 230

func (l *ledger) set(evse string, a si.Amps) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.amps[evse] == a {
		return
	}
	l.sum += a - l.amps[evse]
	l.amps[evse] = a
	l.a.Moved++
	l.a.Last = now.UnixNano()
	w := float64(l.sum) * perAmp
	l.a.Top = max(l.a.Top, w)
	if l.limit > 0 && w > l.limit*(1+1e-6) {
		l.a.Over++
	}
}

// ask returns what happened since the last call, and begins anew.
func (l *ledger) ask(q question) answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.a
	a.Sum = float64(l.sum) * perAmp
	for _, x := range l.amps {
		if x > 0 {
			a.Ready++
		}
	}
	l.a, l.limit = answer{}, max(q.Was, q.Is)
	return a
}

// board watches what a simulated board is told.
type board struct {
	hal.Board
	id     string
	ledger *ledger
}

func (b *board) Set(o hal.Output) error {
	err := b.Board.Set(o)
	amps := si.Amps(0)
	if o.Drive == hal.DrivePWM {
		amps = iec61851.Read(o.Duty).Current
	}
	b.ledger.set(b.id, amps)
	return err
}

// drawing has a vehicle draw what it is offered, at once.
func drawing(o *sim.Outlet) {
	cable := o.Cable()
	changed := make(chan struct{}, 1)
	cable.Plug(func(sim.Offer) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	cable.Pilot(hal.PilotC)
	go func() {
		for range changed {
			offer := cable.Offer()
			a := si.Amps(0)
			if offer.Closed && offer.Drive == hal.DrivePWM {
				a = iec61851.Read(offer.Duty).Current
			}
			cable.Draw(si.Same(a))
		}
	}()
}

// forgetful is a store that keeps nothing.
type forgetful struct{}

func (forgetful) Apply([]bolt.Op) error                  { return nil }
func (forgetful) Scan(string, []byte) ([]bolt.KV, error) { return nil, nil }
func (forgetful) Size() int64                            { return 0 }

// siteFile describes a car park: rows of eight EVSEs behind a fuse each, phases turned, all behind one import limit.
func siteFile(evses int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "site: {id: %s}\nnodes:\n  - {id: root, max_import_w: %.0f}\n", siteID, capacity(evses))
	for i := 0; i < evses; i += 8 {
		fmt.Fprintf(&b, "  - {id: row%d, parent: root, fuse_a: 200}\n", i/8)
	}
	b.WriteString("evses:\n")
	for i := range evses {
		fmt.Fprintf(&b, "  - {id: e%d, node: row%d, type: ac, max_a: 32, rotation: %s, hal: sim}\n", i, i/8, []string{"RST", "STR", "TRS"}[i%3])
	}
	fmt.Fprintf(&b, "limits: [{source: %s}]\n", source)
	return b.String()
}

// serve is the site's process: it runs until its standard input ends.
func serve(broker string, evses int) error {
	cfg, err := configs.Parse([]byte(siteFile(evses)), ".")
	if err != nil {
		return err
	}
	env := kit.NewEnv(zerolog.New(os.Stderr).Level(zerolog.ErrorLevel))
	l := &ledger{amps: map[string]si.Amps{}}
	var view kit.Cell[msg.SiteView]
	parts := ems.Parts{Net: network.Real{}, Outlets: map[string]hal.Outlet{}, Meters: map[string]hal.Meter{}, Store: forgetful{}, View: &view}
	var outlets []*sim.Outlet
	stations := map[string]bool{}
	for _, e := range cfg.EVSEs {
		o := sim.NewOutlet(sim.Config{Speed: 1, Phases: 3, Watchdog: 3 * time.Second})
		outlets = append(outlets, o)
		h := o.HAL()
		h.Board = &board{Board: h.Board, id: e.ID, ledger: l}
		parts.Outlets[e.ID] = h
		stations[e.Station] = true
	}
	children, err := ems.Assemble(env, cfg, parts)
	if err != nil {
		return err
	}
	for id := range stations {
		children = append(children, ems.Child{Kind: "station", Name: "station-" + id, Make: func() actor.Actor { return accepting{env} }})
	}
	children = append(children, ems.Child{Kind: "building", Name: "building",
		Make: building.New(env, siteID, mqtt.Config{URL: broker, ClientID: "site"}, &view, building.Options{})})
	ended := make(chan bool, 1)
	root, err := ems.Spawn(env, msg.EMS, children, func(failed bool) { ended <- failed })
	if err != nil {
		return err
	}
	time.Sleep(time.Second) // all actors are there before the vehicles come
	for _, o := range outlets {
		drawing(o)
	}
	out := json.NewEncoder(os.Stdout)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			return err
		}
		if err := out.Encode(l.ask(q)); err != nil {
			return err
		}
	}
	env.System.Root.Send(root, ems.Stop{})
	<-ended
	os.Exit(0) // what main would print is not for the bench's process
	return nil
}

// accepting is a station role that lets everybody charge.
type accepting struct{ env *kit.Env }

// Receive handles one message.
func (s accepting) Receive(ctx actor.Context) {
	if a, ok := ctx.Message().(msg.Authorize); ok {
		ctx.Send(s.env.At(msg.EVSEName(a.EVSE)), msg.Authorized{EVSE: a.EVSE, Accepted: true})
	}
}
