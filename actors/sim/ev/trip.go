package ev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/v2gconn"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/iec61851"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	evccdin "github.com/voltyard/voltyard/protocols/iso15118/evcc/din"
	evcc2 "github.com/voltyard/voltyard/protocols/iso15118/evcc/v2"
	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// Trip is one vehicle's visit at any SECC, without a cable of the simulation: what flows is what the EVSE grants and the
// battery takes. `voltyard ev` and the end-to-end tests make such visits.
type Trip struct {
	Net       network.Network
	Interface string
	SDPPort   int
	DIN       bool // it speaks DIN 70121, else ISO 15118-2
	EVCC      evcc.Config
	TLS       *v2gtls.Client // nil: a plain connection
	Wallet    *evcc.Wallet   // with EVCC.Contract
	Battery   sim.Battery
	MaxAmps   si.Amps       // AC, per phase
	Volts     si.Volts      // AC, phase to neutral
	Speed     float64       // how many seconds of energy one second brings; 0 means 1
	Charge    time.Duration // it leaves after charging for so long, or when it is full
	// Renegotiate has it negotiate anew after a third of that time.
	Renegotiate bool
	// Pause has it pause after half of that time, and come back after this; 0: it does not.
	Pause time.Duration
	// Notice hears of every state and of what is worth telling; nil hears nothing.
	Notice func(text string)
}

// TripResult is how a trip went.
type TripResult struct {
	OK         bool          `json:"ok"`
	Why        string        `json:"why,omitempty"`
	Protocol   string        `json:"protocol"`
	TLS        bool          `json:"tls"`
	Sessions   int           `json:"sessions"`
	Joined     bool          `json:"joined"` // the paused session was joined
	Negotiated int           `json:"negotiated"`
	EMAID      string        `json:"emaid,omitempty"`
	Installed  bool          `json:"installed"` // a contract certificate was installed or renewed
	Receipts   int           `json:"receipts"`
	Responses  int           `json:"responses"`
	Energy     si.WattHours  `json:"energy_wh"`
	SoC        si.Percent    `json:"soc"`
	Took       time.Duration `json:"took_ns"`
	States     []string      `json:"states"`
}

// Run makes the trip. When ctx ends the vehicle ends its session in good order, if the EVSE lets it.
func (t *Trip) Run(ctx context.Context) TripResult {
	begun := time.Now()
	r := TripResult{TLS: t.TLS != nil, Protocol: "iso15118-2"}
	if t.DIN {
		r.Protocol = "din70121"
	}
	d := &drive{Trip: t, result: &r}
	if t.Pause > 0 {
		d.stopAfter = t.Charge / 2
	} else {
		d.stopAfter = t.Charge
	}
	end := d.session(ctx, t.EVCC, t.Pause > 0)
	if end.OK && end.Paused != nil {
		t.notice("paused")
		select {
		case <-time.After(t.Pause):
		case <-ctx.Done():
		}
		cfg := t.EVCC
		cfg.Session = end.Paused
		if t.Wallet != nil && cfg.Contract != nil {
			cfg.Contract = t.Wallet.Contract(false, false)
		}
		d.charging, d.stopAfter = 0, t.Charge-t.Charge/2
		end = d.session(ctx, cfg, false)
	}
	r.OK, r.Why = end.OK, end.Why
	r.SoC = t.Battery.SoC()
	if t.Wallet != nil && t.EVCC.Contract != nil {
		r.EMAID = t.Wallet.EMAID
	}
	r.Took = time.Since(begun)
	return r
}

func (t *Trip) notice(text string) {
	if t.Notice != nil {
		t.Notice(text)
	}
}

// drive is a trip under way.
type drive struct {
	*Trip
	result    *TripResult
	conn      net.Conn
	machine   evcc.Machine
	deadline  *time.Timer
	draw      evcc.Draw
	loop      bool          // energy may flow
	charging  time.Duration // so far, in this session
	stopAfter time.Duration
	asked     bool // for a renegotiation
	pause     bool
	done      bool
	end       *evcc.End
	queue     []evcc.Event
}

type incoming struct {
	payload uint16
	exi     []byte
	err     error
}

// session is one connection.
func (d *drive) session(ctx context.Context, cfg evcc.Config, pause bool) evcc.End {
	d.result.Sessions++
	conn, err := find(ctx, d.Net, Place{Interface: d.Interface, SDPPort: d.SDPPort}, d.TLS)
	if err != nil {
		return evcc.End{Why: err.Error()}
	}
	defer conn.Close()
	d.conn, d.pause, d.end, d.done, d.draw, d.loop = conn, pause, nil, false, evcc.Draw{}, false
	if d.machine = evcc.Machine(evcc2.New(cfg)); d.DIN {
		d.machine = evccdin.New(cfg)
	}
	d.deadline = time.NewTimer(time.Hour)
	d.deadline.Stop()
	defer d.deadline.Stop()
	in, quit := make(chan incoming, 4), make(chan struct{})
	defer close(quit)
	go func() {
		for {
			payload, exi, err := v2gconn.Read(conn)
			select {
			case in <- incoming{payload, exi, err}:
			case <-quit:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	tick := time.NewTicker(tick)
	defer tick.Stop()
	d.feed(d.measure())
	d.feed(evcc.Connected{})
	leave := ctx.Done()
	for d.end == nil {
		select {
		case m := <-in:
			if m.err != nil {
				d.feed(evcc.Gone{})
				continue
			}
			d.result.Responses++
			d.feed(evcc.Received{Payload: m.payload, EXI: m.exi})
		case <-d.deadline.C:
			d.feed(evcc.Deadline{})
		case <-tick.C:
			d.tick()
		case <-leave:
			leave, d.done, d.pause = nil, true, false
			d.feed(d.measure())
		}
	}
	return *d.end
}

// tick moves the battery and the driver's mind.
func (d *drive) tick() {
	if d.loop {
		d.charging += tick
		v := d.Battery.Volts()
		w := min(d.draw.Amps.Times(v), d.draw.Watts, d.Battery.Accepts())
		if !d.EVCC.DC {
			w = min(min(d.draw.Amps, d.MaxAmps).Times(d.Volts)*si.Watts(max(1, d.EVCC.Phases)), d.Battery.Accepts())
		}
		d.result.Energy += d.Battery.Add(si.WattHours(float64(w) * tick.Hours() * max(1, d.Speed)))
	}
	if d.Renegotiate && !d.asked && d.charging > d.Charge/3 {
		d.asked = true
		d.feed(evcc.Renegotiate{})
	}
	d.done = d.done || d.charging >= d.stopAfter || d.Battery.SoC() >= 99.9
	d.feed(d.measure())
}

func (d *drive) measure() evcc.Vehicle {
	b := &d.Battery
	v := evcc.Vehicle{Powered: true, Battery: b.Volts(), SoC: b.SoC(), Capacity: b.Capacity, Energy: b.Capacity - b.Energy,
		MinAmps: iec61851.MinCurrent, MaxWatts: b.Accepts(), Done: d.done, Pause: d.pause}
	if d.EVCC.DC {
		v.MaxAmps, v.MaxVolts = b.Accepts().At(b.Volts()), b.Nominal*1.15
	} else {
		v.MaxAmps, v.MaxVolts = d.MaxAmps, d.Volts
	}
	return v
}

// feed gives the machine an event, and those that follow from what it asks for.
func (d *drive) feed(ev evcc.Event) {
	d.queue = append(d.queue, ev)
	for len(d.queue) > 0 && d.end == nil {
		ev := d.queue[0]
		d.queue = d.queue[1:]
		for _, e := range d.machine.Step(time.Now(), ev, nil) {
			d.carryOut(e)
		}
	}
	d.queue = nil
}

func (d *drive) carryOut(e evcc.Effect) {
	switch e := e.(type) {
	case evcc.Send:
		if err := v2gconn.Write(d.conn, e.Payload, e.EXI); err != nil {
			_ = d.conn.Close() // the reader reports it
		}
	case evcc.SetDeadline:
		d.deadline.Stop()
		if !e.At.IsZero() {
			d.deadline.Reset(time.Until(e.At))
		}
	case evcc.Draw:
		d.draw = e
	case evcc.Progress:
		d.loop = e.State == "chargingStatus" || e.State == "currentDemand"
		d.result.Joined = d.result.Joined || e.Joined
		switch e.State {
		case "chargeParameterDiscovery":
			d.result.Negotiated++
		case "meteringReceipt":
			d.result.Receipts++
		}
		if n := len(d.result.States); n == 0 || d.result.States[n-1] != e.State {
			d.result.States = append(d.result.States, e.State)
		}
		d.notice(e.State)
	case evcc.Sign:
		s, err := d.Wallet.Sign(e)
		if err != nil {
			d.notice(err.Error())
			d.end = &evcc.End{Why: err.Error()}
			return
		}
		d.queue = append(d.queue, s)
	case evcc.Open:
		o := d.Wallet.Open(time.Now(), e)
		d.result.Installed = d.result.Installed || o.Err == ""
		d.queue = append(d.queue, o)
	case evcc.End:
		d.end = &e
	}
}

// find is the vehicle's side of SDP: it asks for the SECC and connects to it, over TLS when tls is given.
func find(ctx context.Context, n network.Network, place Place, tls *v2gtls.Client) (net.Conn, error) {
	sock, to, err := n.OpenSDP(ctx, place.Interface, place.SDPPort)
	if err != nil {
		return nil, err
	}
	defer sock.Close()
	want := v2gtp.SecurityNone
	if tls != nil {
		want = v2gtp.SecurityTLS
	}
	other := false
	buf := make([]byte, 64)
	for range sdpTries {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		_, _ = sock.WriteTo(v2gtp.AppendRequest(nil, v2gtp.Request{Security: want}), to)
		_ = sock.SetReadDeadline(time.Now().Add(sdpRetry))
		k, _, err := sock.ReadFrom(buf)
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				pause(ctx, sdpRetry/10) // a refused datagram comes back at once
			}
			continue
		}
		res, err := v2gtp.ParseResponse(buf[:k])
		if err != nil {
			continue
		}
		if res.Security != want {
			other = true
			pause(ctx, sdpRetry)
			continue
		}
		c, err := n.DialSECC(ctx, place.Interface, res.Addr)
		if err != nil || tls == nil {
			return c, err
		}
		t, err := tls.Handshake(ctx, c)
		if err != nil {
			return nil, err
		}
		return t, nil
	}
	if other {
		return nil, fmt.Errorf("the SECC on %s port %d offers no connection of the security that was asked for", place.Interface, place.SDPPort)
	}
	return nil, fmt.Errorf("no SECC answers on %s port %d", place.Interface, place.SDPPort)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
