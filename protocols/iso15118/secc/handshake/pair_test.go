package handshake

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	evccdin "github.com/voltyard/voltyard/protocols/iso15118/evcc/din"
	evcc2 "github.com/voltyard/voltyard/protocols/iso15118/evcc/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// world lets a SECC and an EVCC talk without sockets, on a clock of its own, with a contactor and a power module that follow.
type world struct {
	t    *testing.T
	now  time.Time
	dc   bool
	secc secc.Machine
	evcc evcc.Machine

	seccAt, evccAt time.Time
	present        secc.Present
	vehicle        evcc.Vehicle
	toldEVSE       secc.Present
	toldEV         evcc.Vehicle
	contactorAt    time.Time
	contactor      bool
	dcSet          secc.DC
	draw           evcc.Draw
	relays         bool
	pilot          bool

	toEV, toEVSE []any // messages under way
	seccEnd      *secc.End
	evccEnd      *evcc.End
	authAfter    time.Duration
	authAt       time.Time
	stages       []secc.Stage
	protocol     string
	needs        secc.Needs
	drawn        []si.Amps
	each         func(w *world)

	wallet   *evcc.Wallet
	tls      bool
	resume   *secc.Paused
	paused   *secc.Paused
	evPaused []byte
	states   []string // of the vehicle
	joined   bool
	claims   []secc.ContractClaim
	answer   secc.Authorized
	cps      func(secc.CertificateExchange) []byte
	sent     [][]byte // by the EVSE
	closings int      // of the contactor
}

var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// newDIN is a world with a DC vehicle that speaks DIN 70121.
func newDIN(t *testing.T) *world {
	w := newWorld(t, true)
	w.evcc = evccdin.New(evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, 0, 1}, DC: true})
	return w
}

func newWorld(t *testing.T, dc bool) *world {
	w := &world{t: t, now: epoch, dc: dc, authAfter: time.Second, answer: secc.Authorized{Accepted: true}}
	w.secc = New(secc.Config{DC: dc, EVSEID: "DE*VYD*E1", Volts: 230, Timing: secc.Timing{AuthEIM: time.Minute}})
	w.evcc = evcc2.New(evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, 0, 1}, DC: dc, Phases: 3})
	w.present = secc.Present{Connected: true, Ready: true, MaxAmps: 16, MaxWatts: 20000, MaxVolts: 500, MinVolts: 150, RatedAmps: 32, RatedWatts: 50000, Phases: 3}
	w.vehicle = evcc.Vehicle{Battery: 400, SoC: 30, Capacity: 60000, Energy: 20000, MaxAmps: 20, MinAmps: 6, MaxWatts: 50000, MaxVolts: 450}
	if dc {
		w.present.MaxAmps, w.present.RatedAmps, w.vehicle.MaxAmps = 125, 125, 120
	}
	return w
}

func (w *world) run(d time.Duration) {
	w.feedEVSE(w.present)
	w.feedEV(w.vehicle)
	w.feedEVSE(secc.Started{TLS: w.tls, SessionID: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, Challenge: [16]byte{9, 8, 7}, Resume: w.resume})
	w.feedEV(evcc.Connected{})
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(10 * time.Millisecond) {
		if w.seccEnd != nil && w.evccEnd != nil {
			return
		}
		if w.each != nil {
			w.each(w)
		}
		w.physics()
		for len(w.toEVSE) > 0 {
			m := w.toEVSE[0]
			w.toEVSE = w.toEVSE[1:]
			w.feedEVSE(m.(secc.Event))
		}
		for len(w.toEV) > 0 {
			m := w.toEV[0]
			w.toEV = w.toEV[1:]
			w.feedEV(m.(evcc.Event))
		}
		if !w.seccAt.IsZero() && !w.now.Before(w.seccAt) {
			w.seccAt = time.Time{}
			w.feedEVSE(secc.Deadline{})
		}
		if !w.evccAt.IsZero() && !w.now.Before(w.evccAt) {
			w.evccAt = time.Time{}
			w.feedEV(evcc.Deadline{})
		}
		if !w.authAt.IsZero() && !w.now.Before(w.authAt) {
			w.authAt = time.Time{}
			w.feedEVSE(w.answer)
		}
	}
}

// physics moves contactor, module and inlet.
func (w *world) physics() {
	p, v := w.present, w.vehicle
	p.PilotWants = w.pilot
	if !w.now.Before(w.contactorAt) {
		p.Closed = w.contactor && w.pilot
	}
	switch w.dcSet.Mode {
	case secc.DCCableCheck:
		p.Volts, p.Isolation = w.dcSet.Volts, secc.IsolationValid
	case secc.DCPreCharge:
		p.Volts, p.Amps = w.dcSet.Volts, 0
	case secc.DCCharge:
		p.Volts, p.Amps = w.vehicle.Battery, min(w.dcSet.Amps, p.MaxWatts.At(w.vehicle.Battery))
	default:
		p.Amps = 0
	}
	v.Powered = p.Closed
	w.present, w.vehicle = p, v
	if p != w.toldEVSE {
		w.toldEVSE = p
		w.feedEVSE(p)
	}
	if v != w.toldEV {
		w.toldEV = v
		w.feedEV(v)
	}
}

func (w *world) feedEVSE(ev secc.Event) {
	for _, e := range w.secc.Step(w.now, ev, nil) {
		switch e := e.(type) {
		case secc.Send:
			w.sent = append(w.sent, e.EXI)
			w.toEV = append(w.toEV, evcc.Received{Payload: e.Payload, EXI: e.EXI})
		case secc.SetDeadline:
			w.seccAt = e.At
		case secc.Authorize:
			w.authAt = w.now.Add(w.authAfter)
			if e.Contract != nil {
				w.claims = append(w.claims, *e.Contract)
			}
		case secc.CertificateExchange:
			if b := w.cps(e); b != nil {
				w.toEVSE = append(w.toEVSE, secc.CertificateExchanged{EXI: b})
			}
		case secc.Pause:
			w.paused = &e.Paused
		case secc.Contactor:
			if e.Close && w.contactor {
				w.t.Error("asked to close a closed contactor")
			}
			if e.Close {
				w.closings++
			}
			w.contactor, w.contactorAt = e.Close, w.now.Add(50*time.Millisecond)
		case secc.DC:
			w.dcSet = e
		case secc.Progress:
			w.stages, w.protocol = append(w.stages, e.Stage), e.Protocol
		case secc.Needs:
			w.needs = e
		case secc.End:
			w.seccEnd = &e
			w.toEV = append(w.toEV, evcc.Gone{})
		}
	}
}

func (w *world) feedEV(ev evcc.Event) {
	for _, e := range w.evcc.Step(w.now, ev, nil) {
		switch e := e.(type) {
		case evcc.Send:
			w.toEVSE = append(w.toEVSE, secc.Received{Payload: e.Payload, EXI: e.EXI})
		case evcc.SetDeadline:
			w.evccAt = e.At
		case evcc.Pilot:
			w.pilot = e.Ready
		case evcc.Relays:
			w.relays = e.Close
		case evcc.Progress:
			w.states, w.joined = append(w.states, e.State), e.Joined
		case evcc.Sign:
			s, err := w.wallet.Sign(e)
			if err != nil {
				w.t.Fatal(err)
			}
			w.toEV = append(w.toEV, s)
		case evcc.Open:
			w.toEV = append(w.toEV, w.wallet.Open(w.now, e))
		case evcc.Draw:
			w.draw = e
			w.drawn = append(w.drawn, e.Amps)
			if e.Amps > 0 && !w.present.Closed {
				w.t.Error("the vehicle draws with the contactor open")
			}
		case evcc.End:
			w.evccEnd, w.evPaused = &e, e.Paused
			w.toEVSE = append(w.toEVSE, secc.Gone{})
		}
	}
}

func (w *world) mustEndWell() {
	w.t.Helper()
	if w.seccEnd == nil || !w.seccEnd.OK || w.evccEnd == nil || !w.evccEnd.OK {
		w.t.Fatalf("secc %+v, evcc %+v, stages %v", w.seccEnd, w.evccEnd, w.stages)
	}
	w.mustBeSafe()
}

func (w *world) mustBeSafe() {
	w.t.Helper()
	if w.contactor || w.dcSet.Mode != secc.DCOff || w.relays || w.draw.Amps != 0 {
		w.t.Fatalf("not safe at the end: contactor %v, module %v, relays %v, draws %v", w.contactor, w.dcSet, w.relays, w.draw)
	}
}

func TestACSessionFollowsTheGrantAndEndsWhenTheVehicleIsDone(t *testing.T) {
	w := newWorld(t, false)
	w.each = func(w *world) {
		switch s := w.now.Sub(epoch); {
		case s > 20*time.Second:
			w.vehicle.Done = true
		case s > 10*time.Second:
			w.present.MaxAmps = 0
		case s > 5*time.Second:
			w.present.MaxAmps = 8.5
		}
	}
	w.run(time.Minute)
	w.mustEndWell()
	want := []si.Amps{16, 8.5, 0}
	if len(w.drawn) != 3 || w.drawn[0] != want[0] || w.drawn[1] != want[1] || w.drawn[2] != want[2] {
		t.Errorf("drew %v, want %v", w.drawn, want)
	}
	if w.needs.Phases != 3 || w.needs.MaxAmps != 20 || w.needs.Energy != 20000 {
		t.Errorf("needs %+v", w.needs)
	}
}

func TestDCSession(t *testing.T) {
	for name, make := range map[string]func(*testing.T) *world{
		"din70121":   newDIN,
		"iso15118-2": func(t *testing.T) *world { return newWorld(t, true) },
	} {
		t.Run(name, func(t *testing.T) { dcSession(t, make(t), name+"-dc") })
	}
}

func dcSession(t *testing.T, w *world, protocol string) {
	w.each = func(w *world) {
		if w.now.Sub(epoch) > 20*time.Second {
			w.vehicle.Done = true
		}
		if w.present.Closed && !w.relays && w.draw.Amps > 0 {
			t.Error("current with the vehicle's relays open")
		}
	}
	w.run(time.Minute)
	w.mustEndWell()
	for i, want := range []secc.Stage{secc.StageSetup, secc.StageSetup, secc.StageAuth, secc.StageParams, secc.StageCable, secc.StagePreCharge, secc.StageCharging, secc.StageWelding, secc.StageStopped} {
		if i >= len(w.stages) || w.stages[i] != want {
			t.Fatalf("stages %v", w.stages)
		}
	}
	if w.needs.SoC != 30 || w.needs.Capacity != 60000 {
		t.Errorf("needs %+v", w.needs)
	}
	if w.protocol != protocol {
		t.Errorf("protocol %s", w.protocol)
	}
}

func TestEVSEStopEndsTheSessionInGoodOrder(t *testing.T) {
	for _, w := range []*world{newWorld(t, false), newWorld(t, true), newDIN(t)} {
		w.each = func(w *world) {
			if w.now.Sub(epoch) > 10*time.Second {
				w.present.Stop = true
			}
		}
		w.run(time.Minute)
		w.mustEndWell()
	}
}

func TestEmergencyOpensAtOnceAndTheVehicleHearsOfIt(t *testing.T) {
	for _, w := range []*world{newWorld(t, false), newWorld(t, true), newDIN(t)} {
		w.each = func(w *world) {
			if w.now.Sub(epoch) > 10*time.Second && !w.present.Emergency {
				w.present.Emergency, w.present.Ready = true, false
				w.feedEVSE(w.present)
				if w.contactor || w.dcSet.Mode != secc.DCOff {
					t.Error("not open at once")
				}
			}
		}
		w.run(time.Minute)
		w.mustEndWell()
		if w.now.Sub(epoch) > 12*time.Second {
			t.Errorf("it took until %v", w.now.Sub(epoch))
		}
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		dc    bool
		setup func(w *world)
		class secc.Class
	}{
		"contactor does not close":         {false, func(w *world) { w.each = func(w *world) { w.contactorAt = w.now.Add(time.Hour) } }, secc.ClassHardware},
		"vehicle falls silent":             {false, func(w *world) { w.each = func(w *world) { w.silenceAfter(5 * time.Second) } }, secc.ClassTimeout},
		"vehicle unplugs":                  {true, func(w *world) { w.each = func(w *world) { w.unplugAfter(8 * time.Second) } }, secc.ClassConnection},
		"module fails while charging":      {true, func(w *world) { w.each = func(w *world) { w.present.Ready = w.now.Sub(epoch) < 8*time.Second } }, secc.ClassHardware},
		"nobody authorises":                {false, func(w *world) { w.authAfter = time.Hour }, secc.ClassAuth},
		"battery beyond the EVSE's module": {true, func(w *world) { w.present.MinVolts = 500; w.vehicle.MaxVolts = 450 }, secc.ClassParameter},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.dc)
			c.setup(w)
			w.run(10 * time.Minute)
			if w.seccEnd == nil || w.seccEnd.OK || w.seccEnd.Class != c.class {
				t.Fatalf("secc %+v, evcc %+v", w.seccEnd, w.evccEnd)
			}
			if w.contactor || w.dcSet.Mode != secc.DCOff {
				t.Fatal("not safe at the end")
			}
		})
	}
}

func (w *world) silenceAfter(d time.Duration) {
	if w.now.Sub(epoch) > d {
		w.toEVSE, w.evccAt = nil, time.Time{}
	}
}

func (w *world) unplugAfter(d time.Duration) {
	if w.now.Sub(epoch) > d {
		w.feedEVSE(secc.Gone{})
	}
}

func TestWhatIsNoHandshakeEndsIt(t *testing.T) {
	w := newWorld(t, false)
	w.feedEVSE(secc.Started{SessionID: [8]byte{1}})
	w.feedEVSE(secc.Received{Payload: secc.PayloadEXI, EXI: []byte{0x80, 0x40, 0x00}})
	if w.seccEnd == nil || w.seccEnd.OK {
		t.Fatal("a response was taken for a request")
	}
	w = newWorld(t, false)
	w.feedEVSE(secc.Started{SessionID: [8]byte{1}})
	w.feedEVSE(secc.Received{Payload: secc.PayloadEXI, EXI: []byte("GET / HTTP/1.1\r\n\r\n")})
	if w.seccEnd == nil || w.seccEnd.Class != secc.ClassEXI {
		t.Fatalf("%+v", w.seccEnd)
	}
}
