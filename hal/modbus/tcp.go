package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// Dial opens a connection. Tests give their own.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// TCP returns a bus over Modbus TCP, by convention port 502. It connects with the first transaction.
func TCP(address string, dial Dial, t Timing) *Bus {
	return newBus(&tcpLink{stream: stream{address: address, dial: dial}}, t)
}

// stream is a TCP connection that can be made anew.
type stream struct {
	address string
	dial    Dial
	conn    net.Conn
}

func (s *stream) name() string { return s.address }

func (s *stream) open(ctx context.Context) (err error) {
	dial := s.dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	}
	s.conn, err = dial(ctx, "tcp", s.address)
	return err
}

func (s *stream) drop() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

// plain turns the timeout of a connection into ErrTimeout.
func plain(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrTimeout
	}
	return err
}

// tcpLink frames with the MBAP header (Messaging on TCP/IP, section 3.1.3).
type tcpLink struct {
	stream
	id  uint16
	buf [7 + maxPDU]byte
}

const mbap = 7

func (l *tcpLink) exchange(deadline time.Time, unit byte, req []byte) ([]byte, error) {
	l.id++
	if err := l.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	frame := be(l.buf[:0], l.id, 0, uint16(len(req)+1))
	frame = append(append(frame, unit), req...)
	if _, err := l.conn.Write(frame); err != nil {
		return nil, brokenOff(err)
	}
	for {
		id, from, resp, err := l.receive()
		if err != nil {
			return nil, err
		}
		if id != l.id {
			continue // the late answer of an earlier transaction
		}
		if from != unit {
			return nil, fmt.Errorf("%w: unit %d answers", ErrFrame, from)
		}
		return resp, nil
	}
}

// brokenOff marks an error after which the position in the stream is lost, deadlines included: it is no ErrTimeout.
func brokenOff(err error) error {
	return fmt.Errorf("connection lost: %w", err)
}

// receive reads one frame. A header that cannot be one loses the position in the stream, so that the connection must end.
func (l *tcpLink) receive() (id uint16, unit byte, resp []byte, err error) {
	h := l.buf[:mbap]
	if n, err := io.ReadFull(l.conn, h); err != nil {
		if n == 0 {
			return 0, 0, nil, plain(err)
		}
		return 0, 0, nil, brokenOff(err)
	}
	protocol, length := binary.BigEndian.Uint16(h[2:]), int(binary.BigEndian.Uint16(h[4:]))
	if protocol != 0 || length < 3 || length > maxPDU+1 {
		return 0, 0, nil, fmt.Errorf("not Modbus TCP: header % x", h)
	}
	id, unit = binary.BigEndian.Uint16(h), h[6]
	resp = make([]byte, length-1)
	if _, err := io.ReadFull(l.conn, resp); err != nil {
		return 0, 0, nil, brokenOff(err)
	}
	return id, unit, resp, nil
}
