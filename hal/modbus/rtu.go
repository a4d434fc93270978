package modbus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// line carries bytes with pauses that mean something.
type line interface {
	name() string
	open(ctx context.Context) error
	drop()
	// write sends everything or fails.
	write(deadline time.Time, b []byte) error
	// read returns what has come, at least one byte, or ErrTimeout at the deadline.
	read(deadline time.Time, b []byte) (int, error)
}

// rtuLink frames as on a serial line: address, PDU, CRC (Serial Line, section 2.5.1).
type rtuLink struct {
	line
	gap  time.Duration // silence between frames
	last time.Time     // when the line was last busy
	buf  [256]byte
}

// RTUOverTCP returns a bus over RTU frames through a transparent gateway.
func RTUOverTCP(address string, dial Dial, t Timing) *Bus {
	return newBus(&rtuLink{line: &tcpLine{stream{address: address, dial: dial}}, gap: 5 * time.Millisecond}, t)
}

func (l *rtuLink) exchange(deadline time.Time, unit byte, req []byte) ([]byte, error) {
	if wait := time.Until(l.last.Add(l.gap)); wait > 0 {
		time.Sleep(wait)
	}
	if err := l.quiet(deadline); err != nil {
		return nil, err
	}
	frame := append(append(l.buf[:0], unit), req...)
	crc := CRC(frame)
	frame = append(frame, byte(crc), byte(crc>>8))
	if err := l.write(deadline, frame); err != nil {
		return nil, err
	}
	resp, err := l.receive(deadline, unit, req)
	l.last = time.Now()
	return resp, err
}

// quiet throws away what is on the line, until it is silent for a gap: the rest of a late answer, or another master's talk.
func (l *rtuLink) quiet(deadline time.Time) error {
	for {
		until := time.Now().Add(l.gap)
		switch _, err := l.read(until, l.buf[:]); {
		case errors.Is(err, ErrTimeout):
			return nil
		case err != nil:
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("%w: the line is never silent", ErrFrame)
		}
	}
}

// receive collects the answer. Its length follows from the request and, for an exception, from its second byte.
func (l *rtuLink) receive(deadline time.Time, unit byte, req []byte) ([]byte, error) {
	n, want := 0, 1+responseLen(req)+2
	for n < want {
		k, err := l.read(deadline, l.buf[n:])
		if errors.Is(err, ErrTimeout) && n > 0 {
			return nil, fmt.Errorf("%w: %d bytes of %d", ErrFrame, n, want)
		}
		if err != nil {
			return nil, err
		}
		n += k
		if n >= 2 && l.buf[1]&exceptionBit != 0 {
			want = 5
		}
		if n > want {
			return nil, fmt.Errorf("%w: more than the %d bytes of an answer", ErrFrame, want)
		}
	}
	frame := l.buf[:n]
	if CRC(frame[:n-2]) != uint16(frame[n-2])|uint16(frame[n-1])<<8 {
		return nil, fmt.Errorf("%w: checksum", ErrFrame)
	}
	if frame[0] != unit {
		return nil, fmt.Errorf("%w: unit %d answers", ErrFrame, frame[0])
	}
	return append([]byte(nil), frame[1:n-2]...), nil
}

// CRC is the checksum of a serial frame; it travels low byte first (Serial Line, section 2.5.1.2).
func CRC(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, x := range b {
		crc ^= uint16(x)
		for range 8 {
			odd := crc&1 == 1
			crc >>= 1
			if odd {
				crc ^= 0xA001
			}
		}
	}
	return crc
}

// tcpLine is a gateway's connection seen as a line.
type tcpLine struct{ stream }

func (l *tcpLine) write(deadline time.Time, b []byte) error {
	if err := l.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	_, err := l.conn.Write(b)
	if err != nil {
		return brokenOff(err)
	}
	return nil
}

func (l *tcpLine) read(deadline time.Time, b []byte) (int, error) {
	if err := l.conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	n, err := l.conn.Read(b)
	if n > 0 {
		return n, nil
	}
	if os.IsTimeout(err) {
		return 0, ErrTimeout
	}
	return 0, err
}
