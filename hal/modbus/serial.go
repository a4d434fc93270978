package modbus

import (
	"context"
	"fmt"
	"time"

	"go.bug.st/serial"
)

// Parity of a serial line.
type Parity string

// Parities. The standard's default is even.
const (
	ParityEven Parity = "even"
	ParityOdd  Parity = "odd"
	ParityNone Parity = "none"
)

// Serial says how a serial line is set. 8 data bits are fixed in RTU.
type Serial struct {
	Device   string // /dev/ttyUSB0
	Baud     int    // default 9600
	Parity   Parity // default even
	StopBits int    // 1 or 2; default 1
}

// RTU returns a bus over a serial line. It opens with the first transaction.
func RTU(s Serial, t Timing) (*Bus, error) {
	if s.Baud == 0 {
		s.Baud = 9600
	}
	mode := &serial.Mode{BaudRate: s.Baud, DataBits: 8}
	switch s.Parity {
	case ParityEven, "":
		mode.Parity = serial.EvenParity
	case ParityOdd:
		mode.Parity = serial.OddParity
	case ParityNone:
		mode.Parity = serial.NoParity
	default:
		return nil, fmt.Errorf("serial line %s: parity %q: want even, odd or none", s.Device, s.Parity)
	}
	switch s.StopBits {
	case 0, 1:
		mode.StopBits = serial.OneStopBit
	case 2:
		mode.StopBits = serial.TwoStopBits
	default:
		return nil, fmt.Errorf("serial line %s: %d stop bits: want 1 or 2", s.Device, s.StopBits)
	}
	return newBus(&rtuLink{line: &serialLine{device: s.Device, mode: mode}, gap: gap(s.Baud)}, t), nil
}

// gap is the silence between frames: 3.5 characters of 11 bits, and never less than 1.75 ms (Serial Line, section 2.5.1.1).
// The pause of a converter on USB is added, because it hands over what it has received in steps.
func gap(baud int) time.Duration {
	return max(1750*time.Microsecond, 38500*time.Millisecond/time.Duration(baud)) + 2*time.Millisecond
}

type serialLine struct {
	device string
	mode   *serial.Mode
	port   serial.Port
}

func (l *serialLine) name() string { return l.device }

func (l *serialLine) open(context.Context) error {
	port, err := serial.Open(l.device, l.mode)
	if err != nil {
		return fmt.Errorf("%w; check that the device is there and may be read and written", err)
	}
	l.port = port
	return nil
}

func (l *serialLine) drop() {
	if l.port != nil {
		_ = l.port.Close()
	}
}

func (l *serialLine) write(_ time.Time, b []byte) error {
	for len(b) > 0 {
		n, err := l.port.Write(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (l *serialLine) read(deadline time.Time, b []byte) (int, error) {
	wait := time.Until(deadline)
	if wait <= 0 {
		return 0, ErrTimeout
	}
	if err := l.port.SetReadTimeout(max(wait, time.Millisecond)); err != nil {
		return 0, err
	}
	n, err := l.port.Read(b)
	if err == nil && n == 0 {
		err = ErrTimeout
	}
	return n, err
}
