// Package firmware is the actor that updates this controller: it downloads an image that a CSMS has sent one of the site's own
// stations to, has it installed and activated by a program of the system's (Hook), ends the process, and in the next one proves
// the new firmware or has the old one brought back. All stations of the process share one update; whether it is genuine, and
// when its steps may be taken, the station's machine decides (protocols/ocpp/station).
//
// Only /ems spawns it.
package firmware

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/transfer"
	"github.com/voltyard/voltyard/actors/msg"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
)

// Config says how updates are carried out.
type Config struct {
	Dir      string // for images and the state, of this actor alone
	Hook     Hook
	Confirm  time.Duration // within which new firmware has to be proven; 0 for 10 minutes
	Transfer transfer.Config
	Stations []string // the site's own, the controller's own identity among them
	Version  string
	Restart  func() // ends the process in good order
}

// Firmware is the actor.
type Firmware struct {
	env    *kit.Env
	cfg    Config
	log    zerolog.Logger
	timers *kit.Timers
	state  state
	states map[string]msg.StationState
	job    *job
	gen    uint64 // of jobs; results of an older one are of no interest
	asks   map[string]order
	end    bool // the process ends
	busy   bool // the hook runs
}

// order is what a station has asked for.
type order struct {
	request int
	reply   *actor.PID
	fetch   bool
	install bool
	active  bool
}

// job is the update under way.
type job struct {
	gen      uint64
	image    string // key of the image
	orders   map[string]*order
	cancel   context.CancelFunc // of the download
	fetching bool
	digest   [sha256.Size]byte
	fetched  bool
	placing  bool
	placed   bool
	waiting  bool // for the stations
}

// New returns the producer of the actor.
func New(env *kit.Env, cfg Config) func() actor.Actor {
	if cfg.Confirm <= 0 {
		cfg.Confirm = 10 * time.Minute
	}
	return func() actor.Actor {
		return &Firmware{env: env, cfg: cfg, log: env.Log.With().Str("actor", "firmware").Logger(), states: map[string]msg.StationState{}, asks: map[string]order{}}
	}
}

type (
	paused struct {
		gen uint64
		on  bool
	}
	fetched struct {
		gen    uint64
		digest [sha256.Size]byte
		err    error
	}
	placed struct {
		gen uint64
		err error
	}
	activated struct {
		gen uint64
		err error
	}
	judged struct {
		verb string
		err  error
	}
)

// look is how often new firmware is looked at whether it has proven itself.
const look = time.Second

// Receive handles one message.
func (f *Firmware) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		f.begin(ctx)
	case *actor.Stopping:
		f.timers.StopAll()
		f.drop(false)
	case msg.Chore:
		f.chore(ctx, m)
	case msg.StationState:
		f.states[m.Station] = m
		f.activate(ctx)
	case paused:
		if f.current(m.gen) {
			f.tell(ctx, func(o *order) role.Event { return role.ImageFetching{Request: o.request, Paused: m.on} }, func(o *order) bool { return o.fetch })
		}
	case fetched:
		f.fetched(ctx, m)
	case placed:
		f.placed(ctx, m)
	case activated:
		f.activated(ctx, m)
	case judged:
		f.judged(ctx, m)
	case kit.Fired:
		if !f.timers.Due(m) {
			return
		}
		switch m.Key {
		case "look":
			f.prove(ctx)
		case "late":
			f.back(ctx, fmt.Sprintf("it was not proven within %v", f.cfg.Confirm))
		}
	}
}

func (f *Firmware) begin(ctx actor.Context) {
	f.timers = kit.NewTimers(ctx)
	if err := os.MkdirAll(f.cfg.Dir, 0o700); err != nil {
		f.log.Error().Err(err).Msg("the folder of firmware cannot be made; no update will succeed")
	}
	s, err := load(f.cfg.Dir)
	if err != nil {
		f.log.Error().Err(err).Msg("an update that was under way is forgotten")
	}
	f.state = s
	f.sweep()
	if s.Phase == phaseTrial {
		f.timers.Set("look", look)
		f.timers.Set("late", f.cfg.Confirm)
	}
	for _, id := range f.cfg.Stations {
		ctx.Send(f.env.At(msg.StationName(id)), msg.StationStates{})
		ctx.Send(f.env.At(msg.StationName(id)), msg.ChoreEvent{What: role.Forgotten{}})
	}
}

// sweep removes images that no update needs: at most the one under way stays, which a station names again.
func (f *Firmware) sweep() {
	entries, err := os.ReadDir(f.cfg.Dir)
	if err != nil {
		return
	}
	var newest string
	var at time.Time
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), "image-") && info.ModTime().After(at) {
			newest, at = strings.SplitN(e.Name(), ".", 2)[0], info.ModTime()
		}
	}
	for _, e := range entries {
		if name := strings.SplitN(e.Name(), ".", 2)[0]; strings.HasPrefix(name, "image-") && name != newest && name != f.state.Image {
			_ = os.Remove(filepath.Join(f.cfg.Dir, e.Name()))
		}
	}
}

func (f *Firmware) chore(ctx actor.Context, c msg.Chore) {
	answer := func(e role.Event) { ctx.Send(c.Reply, msg.ChoreEvent{What: e}) }
	switch e := c.What.(type) {
	case role.ClaimUpdate:
		answer(role.UpdateClaimed{Request: e.Request, Refused: f.claim(c, e)})
	case role.FetchImage:
		o := f.order(c, e.Request, e.Image)
		if o == nil {
			answer(role.ImageFetched{Request: e.Request, Err: errOther})
			return
		}
		o.fetch = true
		f.fetch(ctx, e, o)
	case role.InstallImage:
		f.install(ctx, c, e)
	case role.ActivateImage:
		f.wanted(ctx, c, e)
	case role.CancelUpdate:
		if f.job != nil && f.job.orders[c.Station] != nil && f.job.orders[c.Station].request == e.Request {
			delete(f.job.orders, c.Station)
			if len(f.job.orders) == 0 {
				f.drop(true)
				f.rest(ctx, false)
			}
		}
	}
}

var errOther = errors.New("another firmware update is under way")

// claim returns why a station may not update now, "" if it may.
func (f *Firmware) claim(c msg.Chore, e role.ClaimUpdate) string {
	switch {
	case f.end || f.state.Phase == phaseTrial || f.state.Phase == phaseAway:
		return "the controller restarts or proves new firmware"
	case f.job == nil || f.job.image == e.Image:
	case f.job.placing || f.job.placed || len(f.job.orders) > 1 || f.job.orders[c.Station] == nil:
		return "another image is under way for another station of this controller"
	default:
		f.drop(true)
	}
	f.order(c, e.Request, e.Image)
	return ""
}

// order finds or makes the order of a station; nil when another image is under way.
func (f *Firmware) order(c msg.Chore, request int, image string) *order {
	if f.job == nil {
		f.gen++
		f.job = &job{gen: f.gen, image: image, orders: map[string]*order{}}
	}
	if image != "" && f.job.image == "" {
		f.job.image = image
	}
	if image != "" && f.job.image != image {
		return nil
	}
	o := f.job.orders[c.Station]
	if o == nil || o.request != request {
		o = &order{request: request}
		f.job.orders[c.Station] = o
	}
	o.reply = c.Reply
	return o
}

// drop forgets the job, with the image when it is not needed any more.
func (f *Firmware) drop(image bool) {
	if f.job == nil {
		return
	}
	if f.job.cancel != nil {
		f.job.cancel()
	}
	if image && f.job.image != "" && f.state.Phase != phaseTrial {
		transfer.Discard(f.path(f.job.image))
	}
	f.job = nil
}

// path is where an image is kept. Its key is hexadecimal.
func (f *Firmware) path(image string) string {
	return filepath.Join(f.cfg.Dir, "image-"+image[:min(len(image), 32)])
}

func (f *Firmware) current(gen uint64) bool { return f.job != nil && f.job.gen == gen }

// tell sends an event to the stations for whom it is.
func (f *Firmware) tell(ctx actor.Context, event func(*order) role.Event, to func(*order) bool) {
	for _, o := range f.job.orders {
		if to(o) && o.reply != nil {
			ctx.Send(o.reply, msg.ChoreEvent{What: event(o)})
		}
	}
}

// fetch downloads the image, once for all stations.
func (f *Firmware) fetch(ctx actor.Context, e role.FetchImage, o *order) {
	j := f.job
	if j.fetched {
		ctx.Send(o.reply, msg.ChoreEvent{What: role.ImageFetched{Request: o.request, SHA256: j.digest}})
		return
	}
	if j.fetching {
		return
	}
	j.fetching = true
	c, cancel := context.WithCancel(context.Background())
	j.cancel = cancel
	root, self, gen, path, cfg := ctx.ActorSystem().Root, ctx.Self(), j.gen, f.path(e.Image), f.cfg.Transfer
	log := f.log
	cfg.Paused = func(on bool, why error) {
		if on {
			log.Warn().Err(why).Msg("the download of firmware pauses")
		}
		root.Send(self, paused{gen, on})
	}
	go func() {
		defer cancel()
		r := fetched{gen: gen, err: transfer.Get(c, cfg, e.URL, path, e.Retries, e.Every)}
		if r.err == nil {
			r.digest, r.err = digest(path)
		}
		root.Send(self, r)
	}()
}

func digest(path string) (d [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return d, err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return d, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

func (f *Firmware) fetched(ctx actor.Context, m fetched) {
	if !f.current(m.gen) {
		return
	}
	j := f.job
	j.fetching, j.fetched, j.digest = false, m.err == nil, m.digest
	f.tell(ctx, func(o *order) role.Event {
		return role.ImageFetched{Request: o.request, SHA256: m.digest, Err: m.err}
	}, func(o *order) bool { return o.fetch })
}

// install has the installer put the image in its place, once for all stations.
func (f *Firmware) install(ctx actor.Context, c msg.Chore, e role.InstallImage) {
	if f.state.Phase == phaseGood && f.state.To == f.cfg.Version && f.state.SHA256 == hex.EncodeToString(e.SHA256[:]) && f.job != nil && !f.job.placing && len(f.job.orders) <= 1 {
		// What runs is this image: another station has brought it.
		o := f.order(c, e.Request, "")
		o.install = true
		ctx.Send(c.Reply, msg.ChoreEvent{What: role.ImageInstalled{Request: e.Request}})
		return
	}
	o := f.order(c, e.Request, "")
	o.install = true
	j := f.job
	if j.placed {
		ctx.Send(c.Reply, msg.ChoreEvent{What: role.ImageInstalled{Request: e.Request}})
		return
	}
	if j.placing {
		return
	}
	j.placing, j.digest = true, e.SHA256
	if j.image == "" { // this process has not downloaded it
		j.image = f.found(e.SHA256)
	}
	path, want, hook, log := "", e.SHA256, f.cfg.Hook, f.log
	if j.image != "" {
		path = f.path(j.image)
	}
	root, self, gen := ctx.ActorSystem().Root, ctx.Self(), j.gen
	go func() {
		got, err := digest(path)
		switch {
		case err != nil:
			err = fmt.Errorf("the image is not there any more: %w", err)
		case got != want:
			err = fmt.Errorf("the image has changed since its signature was verified: %w", errBad)
		default:
			err = hook.run(log, "install", path)
		}
		root.Send(self, placed{gen, err})
	}()
}

// found is the key of the image in the folder, "" when there is none with this digest.
func (f *Firmware) found(want [sha256.Size]byte) string {
	names, _ := filepath.Glob(filepath.Join(f.cfg.Dir, "image-*"))
	for _, n := range names {
		if d, err := digest(n); err == nil && d == want {
			return strings.TrimPrefix(filepath.Base(n), "image-")
		}
	}
	return ""
}

func (f *Firmware) placed(ctx actor.Context, m placed) {
	if !f.current(m.gen) {
		return
	}
	f.job.placing, f.job.placed = false, m.err == nil
	f.tell(ctx, func(o *order) role.Event {
		return role.ImageInstalled{Request: o.request, Bad: errors.Is(m.err, errBad), Err: m.err}
	}, func(o *order) bool { return o.install })
}
