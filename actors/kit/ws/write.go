package ws

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// writer is the sending half of a peer. Its goroutine lives while there is something to send: with two connections a station and
// a message now and then on each, the stacks of waiting writers would be a good part of what a station costs.
type writer struct {
	mu     sync.Mutex
	queue  [][]byte
	begun  bool // by Attach; what is sent before waits
	busy   bool // a goroutine is writing
	over   bool // the close frame is sent, or nothing can be sent any more
	closed bool
	code   int
	text   string
	heart  *time.Timer
}

// Send queues a message. It returns false, and closes the connection, when the other side takes nothing any more.
func (p *Peer) Send(raw []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if len(p.queue) >= p.opt.Queue {
		p.shut(websocket.ClosePolicyViolation, "too slow")
		return false
	}
	p.queue = append(p.queue, raw)
	p.wake()
	return true
}

// Close ends the connection with a close frame, after what was queued before. Only the first call counts.
func (p *Peer) Close(code int, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut(code, text)
}

// begin starts to write, and to ping.
func (p *Peer) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = true
	if p.opt.Ping > 0 {
		p.heart = time.AfterFunc(p.opt.Ping, p.ping)
	}
	p.wake()
}

// shut is Close, and wake starts the goroutine if there is something to do for it; both are called with the lock held.
func (p *Peer) shut(code int, text string) {
	if p.closed {
		return
	}
	if code < 1000 || code == websocket.CloseNoStatusReceived || code == websocket.CloseAbnormalClosure || code == websocket.CloseTLSHandshake {
		code = websocket.CloseNormalClosure // not allowed in a close frame
	}
	if len(text) > 120 {
		text = text[:120]
	}
	p.closed, p.code, p.text = true, code, text
	p.cancel()
	p.wake()
}

func (p *Peer) wake() {
	if !p.begun || p.busy || p.over || len(p.queue) == 0 && !p.closed {
		return
	}
	p.busy = true
	p.done.Add(1)
	go p.write()
}

// write sends what is queued, and then the close frame if there is one due.
func (p *Peer) write() {
	defer p.done.Done()
	for {
		raw, more := p.take()
		if !more {
			return
		}
		if raw == nil {
			p.bye()
			return
		}
		if !p.put(raw) {
			p.fail()
			return
		}
	}
}

// take is the next message, nil for the close frame; false when there is nothing to do, and the goroutine ends.
func (p *Peer) take() (raw []byte, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) > 0 {
		raw = p.queue[0]
		n := copy(p.queue, p.queue[1:])
		p.queue[n] = nil
		p.queue = p.queue[:n]
		return raw, true
	}
	p.busy = false
	p.over = p.closed
	return nil, p.closed
}

// fail ends a connection that nothing can be sent on.
func (p *Peer) fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy, p.over, p.queue = false, true, nil
	p.shut(websocket.CloseGoingAway, "")
	p.rest()
	_ = p.conn.Close() // wakes the reader
}

// bye sends the close frame, and gives the other side a second for its own.
func (p *Peer) bye() {
	p.mu.Lock()
	p.rest()
	p.mu.Unlock()
	deadline := time.Now().Add(time.Second)
	_ = p.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(p.code, p.text), deadline)
	_ = p.conn.SetReadDeadline(deadline)
}

func (p *Peer) rest() {
	if p.heart != nil {
		p.heart.Stop()
	}
}

// ping runs on the timer's own goroutine; the library lets it write between two frames of a message.
func (p *Peer) ping() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.done.Add(1)
	p.mu.Unlock()
	defer p.done.Done()
	if p.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(p.opt.Write)) != nil {
		p.fail()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.heart.Reset(p.opt.Ping)
	}
}

func (p *Peer) put(raw []byte) bool {
	if p.conn.SetWriteDeadline(time.Now().Add(p.opt.Write)) != nil {
		return false
	}
	p.conn.EnableWriteCompression(p.opt.Deflate && len(raw) > 256)
	return p.conn.WriteMessage(websocket.TextMessage, raw) == nil
}
