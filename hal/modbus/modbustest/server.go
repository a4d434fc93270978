// Package modbustest is a Modbus server for tests, with the faults that lines and units have.
package modbustest

import (
	"encoding/binary"
	"io"
	"math"
	"net"
	"sync"

	"github.com/voltyard/voltyard/hal/modbus"
)

// Unit is the memory of one unit. The zero value answers with exception 2 to everything.
type Unit struct {
	Holding, Input  map[uint16]uint16
	Coils, Discrete map[uint16]bool
}

// NewUnit returns an empty unit.
func NewUnit() *Unit {
	return &Unit{map[uint16]uint16{}, map[uint16]uint16{}, map[uint16]bool{}, map[uint16]bool{}}
}

// Set puts words into registers.
func Set(regs map[uint16]uint16, at uint16, words ...uint16) {
	for i, w := range words {
		regs[at+uint16(i)] = w
	}
}

// Float puts a float32 into two registers, the high word first.
func Float(regs map[uint16]uint16, at uint16, f float64) {
	b := math.Float32bits(float32(f))
	Set(regs, at, uint16(b>>16), uint16(b))
}

// Server answers for units.
type Server struct {
	mu    sync.Mutex
	units map[byte]*Unit
	// Mangle, when set, sees each response frame before it is sent and returns what is sent instead; nil is silence.
	mangle   func(frame []byte) []byte
	requests int
}

// NewServer returns a server without units.
func NewServer() *Server { return &Server{units: map[byte]*Unit{}} }

// Do changes units and faults while no request is answered.
func (s *Server) Do(f func(units map[byte]*Unit)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.units)
}

// Mangle sets what happens to response frames; nil lets them pass.
func (s *Server) Mangle(f func(frame []byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mangle = f
}

// Requests is how many requests came.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// ServeTCP answers on a connection with MBAP frames until it ends.
func (s *Server) ServeTCP(c net.Conn) {
	defer func() { _ = c.Close() }()
	for {
		head := make([]byte, 7)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		pdu := make([]byte, int(binary.BigEndian.Uint16(head[4:]))-1)
		if _, err := io.ReadFull(c, pdu); err != nil {
			return
		}
		resp := s.answer(head[6], pdu)
		if resp == nil {
			continue
		}
		frame := append(binary.BigEndian.AppendUint16(head[:4:4], uint16(len(resp)+1)), head[6])
		if !s.send(c, append(frame, resp...)) {
			return
		}
	}
}

// ServeRTU answers on a line with RTU frames until it ends.
func (s *Server) ServeRTU(c io.ReadWriter) {
	for {
		frame := make([]byte, 7, 256)
		if _, err := io.ReadFull(c, frame); err != nil {
			return
		}
		for n := requestLen(frame); len(frame) < n; n = requestLen(frame) {
			more := make([]byte, n-len(frame))
			if _, err := io.ReadFull(c, more); err != nil {
				return
			}
			frame = append(frame, more...)
		}
		n := len(frame) - 2
		if modbus.CRC(frame[:n]) != binary.LittleEndian.Uint16(frame[n:]) {
			continue
		}
		resp := s.answer(frame[0], frame[1:n])
		if resp == nil {
			continue
		}
		out := append([]byte{frame[0]}, resp...)
		if !s.send(c, binary.LittleEndian.AppendUint16(out, modbus.CRC(out))) {
			return
		}
	}
}

// requestLen is the length of a whole request frame, as far as it is known.
func requestLen(f []byte) int {
	switch f[1] {
	case 15, 16:
		return 9 + int(f[6])
	case 23:
		if len(f) < 11 {
			return 11
		}
		return 13 + int(f[10])
	}
	return 8
}

func (s *Server) send(c io.Writer, frame []byte) bool {
	s.mu.Lock()
	if s.mangle != nil {
		frame = s.mangle(frame)
	}
	s.mu.Unlock()
	if frame == nil {
		return true
	}
	_, err := c.Write(frame)
	return err == nil
}

func (s *Server) answer(unit byte, req []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	u := s.units[unit]
	if u == nil {
		return nil
	}
	if out := u.answer(req); out != nil {
		return out
	}
	return []byte{req[0] | 0x80, byte(modbus.IllegalAddress)}
}

func (u *Unit) answer(q []byte) []byte {
	at, n := binary.BigEndian.Uint16(q[1:]), int(binary.BigEndian.Uint16(q[3:]))
	switch q[0] {
	case 1:
		return bits(q[0], u.Coils, at, n)
	case 2:
		return bits(q[0], u.Discrete, at, n)
	case 3:
		return words(q[0], u.Holding, at, n)
	case 4:
		return words(q[0], u.Input, at, n)
	case 5:
		u.Coils[at] = n == 0xFF00
		return q
	case 6:
		u.Holding[at] = uint16(n)
		return q
	case 15:
		for i := range n {
			u.Coils[at+uint16(i)] = q[6+i/8]>>(i%8)&1 == 1
		}
		return q[:5]
	case 16:
		store(u.Holding, at, q[6:])
		return q[:5]
	case 23:
		store(u.Holding, binary.BigEndian.Uint16(q[5:]), q[10:])
		return words(q[0], u.Holding, at, n)
	}
	return []byte{q[0] | 0x80, byte(modbus.IllegalFunction)}
}

func store(regs map[uint16]uint16, at uint16, b []byte) {
	for i := 0; i+1 < len(b); i += 2 {
		regs[at+uint16(i/2)] = binary.BigEndian.Uint16(b[i:])
	}
}

func words(fn byte, regs map[uint16]uint16, at uint16, n int) []byte {
	out := []byte{fn, byte(2 * n)}
	for i := range n {
		w, ok := regs[at+uint16(i)]
		if !ok {
			return nil
		}
		out = binary.BigEndian.AppendUint16(out, w)
	}
	return out
}

func bits(fn byte, have map[uint16]bool, at uint16, n int) []byte {
	out := make([]byte, 2+(n+7)/8)
	out[0], out[1] = fn, byte((n+7)/8)
	for i := range n {
		b, ok := have[at+uint16(i)]
		if !ok {
			return nil
		}
		if b {
			out[2+i/8] |= 1 << (i % 8)
		}
	}
	return out
}
