// Package ws is the only place that touches websockets: a peer whose reader takes credit and sends to an actor, whose one
// writer has a deadline, with bounded frames and a bounded queue; the dialler and the server's handshake around it.
// Text messages only, as OCPP-J has it; permessage-deflate where the other side offers it. Actors and the simulated
// stations and CSMS use it.
package ws

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/gorilla/websocket"

	"github.com/voltyard/voltyard/actors/kit"
)

// Options bound a connection. Zero values are the defaults.
type Options struct {
	MaxFrame int64         // bytes of a message; 256 KiB when 0
	Queue    int           // messages that wait for the writer; 64 when 0
	Credit   int           // messages that wait in the actor; 16 when 0
	Write    time.Duration // deadline of a write; 10 s when 0
	Ping     time.Duration // interval of our pings; 0 for 30 s, negative for none
	Deflate  bool          // offer or accept permessage-deflate
	Rate     int           // messages per second that are read on average, with five seconds' worth at once; as many pings and pongs; 0 for no bound on messages
	Slowed   func()        // told, in the reader, of each message, ping or pong that had to wait for that; nil for nobody
}

func (o Options) filled() Options {
	if o.MaxFrame <= 0 {
		o.MaxFrame = 256 << 10
	}
	if o.Queue <= 0 {
		o.Queue = 64
	}
	if o.Credit <= 0 {
		o.Credit = 16
	}
	if o.Write <= 0 {
		o.Write = 10 * time.Second
	}
	if o.Ping == 0 {
		o.Ping = 30 * time.Second
	}
	return o
}

// Frame is a message that came in. Peer to its actor, which gives the credit back with Peer.Handled.
type Frame struct {
	Peer *Peer
	Raw  []byte
}

// Closed is the end of a connection. Peer to its actor, once, after the last Frame.
type Closed struct {
	Peer *Peer
	Code int // of the close frame, 1006 without one
	Text string
}

// Peer is an open websocket. Its methods may be called from any goroutine.
type Peer struct {
	conn     *websocket.Conn
	opt      Options
	credit   kit.Credit
	ctx      context.Context // ends with the first Close
	cancel   context.CancelFunc
	protocol string
	done     sync.WaitGroup
	writer
}

// Sizes of the buffers: nearly all OCPP messages are shorter, and longer ones only take more writes.
const bufferSize = 1024

var pool sync.Pool

// usualControls is how many pings and pongs per second are read on average where messages are not bounded; a few a minute are usual.
const usualControls = 10

func newPeer(c *websocket.Conn, o Options) *Peer {
	o = o.filled()
	p := &Peer{conn: c, opt: o, credit: kit.NewCredit(o.Credit), protocol: c.Subprotocol()}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	c.SetReadLimit(o.MaxFrame)
	return p
}

// Subprotocol is the one agreed, "" for none.
func (p *Peer) Subprotocol() string { return p.protocol }

// Remote is the other side's address.
func (p *Peer) Remote() net.Addr { return p.conn.RemoteAddr() }

// Attach starts to read and write; messages go to the actor from then on. Call it once.
func (p *Peer) Attach(root *actor.RootContext, to *actor.PID) {
	p.done.Add(1)
	p.begin()
	go p.read(root, to)
}

// Handled gives back the credit of one Frame.
func (p *Peer) Handled() { p.credit.Give() }

// Wait returns when reader and writer have ended.
func (p *Peer) Wait() { p.done.Wait() }

var errTooBig = errors.New("message too big")

// next reads one message. The library bounds what comes over the wire; a compressed message is bounded by what it becomes.
func (p *Peer) next() (kind int, raw []byte, err error) {
	kind, r, err := p.conn.NextReader()
	if err != nil {
		return kind, nil, err
	}
	raw, err = io.ReadAll(io.LimitReader(r, p.opt.MaxFrame+1))
	if err == nil && int64(len(raw)) > p.opt.MaxFrame {
		err = errTooBig
	}
	return kind, raw, err
}

// slow lets the other side wait: what it sends meanwhile fills the connection's buffers, and then its own.
func (p *Peer) slow(d time.Duration) {
	if d <= 0 {
		return
	}
	if p.opt.Slowed != nil {
		p.opt.Slowed()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.ctx.Done():
	}
}

func (p *Peer) read(root *actor.RootContext, to *actor.PID) {
	defer p.done.Done()
	code := websocket.CloseAbnormalClosure
	var text string
	alive := func() {
		if p.opt.Ping > 0 && p.ctx.Err() == nil {
			_ = p.conn.SetReadDeadline(time.Now().Add(2*p.opt.Ping + p.opt.Write))
		}
	}
	bucket := func(perSecond int) kit.Rate {
		return kit.Rate{Burst: 5 * perSecond, Every: time.Second / time.Duration(perSecond)}
	}
	rate, controls := bucket(max(p.opt.Rate, 1)), bucket(usualControls)
	if p.opt.Rate > 0 {
		controls = rate
	}
	control := func() {
		p.slow(controls.Wait(time.Now()))
		alive()
	}
	alive()
	p.conn.SetPongHandler(func(string) error { control(); return nil })
	ping := p.conn.PingHandler()
	p.conn.SetPingHandler(func(s string) error { control(); return ping(s) })
	for {
		kind, raw, err := p.next()
		if err != nil {
			var ce *websocket.CloseError
			switch {
			case errors.As(err, &ce):
				code, text = ce.Code, ce.Text
			case errors.Is(err, websocket.ErrReadLimit), errors.Is(err, errTooBig):
				p.Close(websocket.CloseMessageTooBig, "message too big")
				code, text = websocket.CloseMessageTooBig, "message too big"
			default:
				text = err.Error()
			}
			break
		}
		if p.opt.Rate > 0 {
			p.slow(rate.Wait(time.Now()))
		}
		alive()
		if kind != websocket.TextMessage {
			p.Close(websocket.CloseUnsupportedData, "text messages only")
			code, text = websocket.CloseUnsupportedData, "text messages only"
			break
		}
		if !p.credit.Take(p.ctx) {
			continue // closing: what still comes in is dropped until the other side has closed
		}
		root.Send(to, Frame{Peer: p, Raw: raw})
	}
	p.Close(websocket.CloseGoingAway, "")
	root.Send(to, Closed{Peer: p, Code: code, Text: text})
	// The writer may still be sending the close frame.
	time.AfterFunc(time.Second, func() { _ = p.conn.Close() })
}
