package modbus_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voltyard/voltyard/hal/modbus"
	"github.com/voltyard/voltyard/hal/modbus/modbustest"
	"github.com/voltyard/voltyard/test/virtual"
)

// site is a server behind pipes, and how often it was dialled.
type site struct {
	*modbustest.Server
	unit  *modbustest.Unit
	bus   *modbus.Bus
	dials int
	dead  error // what dialling answers
}

// framings are the two ways over a stream; both must behave alike.
var framings = map[string]bool{"tcp": false, "rtu over tcp": true}

func each(t *testing.T, f func(t *testing.T, s *site)) {
	for name, rtu := range framings {
		t.Run(name, func(t *testing.T) {
			virtual.Test(t, func(t *testing.T) { f(t, open(t, rtu)) })
		})
	}
}

func open(t *testing.T, rtu bool) *site {
	s := &site{Server: modbustest.NewServer(), unit: modbustest.NewUnit()}
	s.Do(func(units map[byte]*modbustest.Unit) { units[1] = s.unit })
	for i := range uint16(200) {
		s.unit.Holding[i], s.unit.Input[i] = i, 1000+i
		s.unit.Coils[i], s.unit.Discrete[i] = i%3 == 0, i%5 == 0
	}
	dial := func(context.Context, string, string) (net.Conn, error) {
		s.dials++
		if s.dead != nil {
			return nil, s.dead
		}
		a, b := net.Pipe()
		t.Cleanup(func() { _, _ = a.Close(), b.Close() })
		if rtu {
			go s.ServeRTU(b)
		} else {
			go s.ServeTCP(b)
		}
		return a, nil
	}
	if rtu {
		s.bus = modbus.RTUOverTCP("gateway", dial, modbus.Timing{})
	} else {
		s.bus = modbus.TCP("meter", dial, modbus.Timing{})
	}
	t.Cleanup(func() { _ = s.bus.Close() })
	return s
}

func same(t *testing.T, what string, got, want any, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func TestEveryFunction(t *testing.T) {
	each(t, func(t *testing.T, s *site) {
		c, ctx := s.bus.Client(1), t.Context()
		coils, err := c.ReadCoils(ctx, 0, 10)
		same(t, "coils", coils, []bool{true, false, false, true, false, false, true, false, false, true}, err)
		inputs, err := c.ReadDiscrete(ctx, 4, 3)
		same(t, "discrete inputs", inputs, []bool{false, true, false}, err)
		holding, err := c.ReadHolding(ctx, 7, 3)
		same(t, "holding registers", holding, []uint16{7, 8, 9}, err)
		input, err := c.ReadInput(ctx, 7, 2)
		same(t, "input registers", input, []uint16{1007, 1008}, err)
		full, err := c.ReadInput(ctx, 0, 125)
		same(t, "the largest read", len(full), 125, err)

		same(t, "one coil", nil, nil, c.WriteCoil(ctx, 1, true))
		same(t, "one register", nil, nil, c.WriteRegister(ctx, 20, 0xBEEF))
		same(t, "coils", nil, nil, c.WriteCoils(ctx, 2, []bool{true, true, false, true, true, true, true, true, true}))
		same(t, "registers", nil, nil, c.WriteRegisters(ctx, 30, []uint16{1, 2, 3}))
		got, err := c.ReadWrite(ctx, 29, 4, 31, []uint16{8, 9})
		same(t, "read and write", got, []uint16{29, 1, 8, 9}, err)
		coils, err = c.ReadCoils(ctx, 0, 11)
		same(t, "what was written", coils, []bool{true, true, true, true, false, true, true, true, true, true, true}, err)
		holding, err = c.ReadHolding(ctx, 20, 1)
		same(t, "what was written", holding, []uint16{0xBEEF}, err)
		if s.dials != 1 {
			t.Errorf("%d connections for one bus", s.dials)
		}
	})
}

func TestRequestsThatCannotBe(t *testing.T) {
	each(t, func(t *testing.T, s *site) {
		c, ctx := s.bus.Client(1), t.Context()
		_, e1 := c.ReadHolding(ctx, 0, 126)
		_, e2 := c.ReadCoils(ctx, 0, 2001)
		_, e3 := c.ReadInput(ctx, 0, 0)
		_, e4 := c.ReadInput(ctx, 65535, 2)
		_, e5 := c.ReadWrite(ctx, 0, 1, 0, make([]uint16, 122))
		for i, err := range []error{e1, e2, e3, e4, e5, c.WriteRegisters(ctx, 0, make([]uint16, 124)), c.WriteRegisters(ctx, 0, nil),
			c.WriteCoils(ctx, 0, make([]bool, 1969))} {
			if !errors.Is(err, modbus.ErrRequest) {
				t.Errorf("request %d: %v", i, err)
			}
		}
		if s.Requests() != 0 {
			t.Errorf("%d requests went out", s.Requests())
		}
	})
}

func TestExceptionIsAnAnswer(t *testing.T) {
	each(t, func(t *testing.T, s *site) {
		_, err := s.bus.Client(1).ReadHolding(t.Context(), 5000, 2)
		var e modbus.Exception
		if !errors.As(err, &e) || e != modbus.IllegalAddress || s.Requests() != 1 {
			t.Fatalf("%v after %d requests", err, s.Requests())
		}
		same(t, "afterwards", nil, nil, s.bus.Client(1).WriteRegister(t.Context(), 1, 1))
	})
}

// once mangles one frame only.
func once(f func([]byte) []byte) func([]byte) []byte {
	done := false
	return func(b []byte) []byte {
		if done {
			return b
		}
		done = true
		return f(b)
	}
}

// otherUnit is a whole frame of another unit, checksum and all.
func otherUnit(b []byte) []byte {
	b[0] ^= 7
	return binary.LittleEndian.AppendUint16(b[:len(b)-2], modbus.CRC(b[:len(b)-2]))
}

var faults = map[string]func([]byte) []byte{
	"silence":     func([]byte) []byte { return nil },
	"flipped bit": func(b []byte) []byte { b[len(b)-3] ^= 0x10; return b },
	"cut short":   func(b []byte) []byte { return b[:len(b)-2] },
	"wrong unit":  otherUnit,
	"collision":   func(b []byte) []byte { return append([]byte{0xFF, 0x13}, b...) },
	"noise":       func([]byte) []byte { return []byte("\x01\x83\x00") },
}

func TestLineFaultsAreRepeatedOnceAndHealed(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			virtual.Test(t, func(t *testing.T) {
				s := open(t, true)
				s.Mangle(once(f))
				got, err := s.bus.Client(1).ReadHolding(t.Context(), 7, 3)
				same(t, "after one fault", got, []uint16{7, 8, 9}, err)

				s.Mangle(f)
				_, err = s.bus.Client(1).ReadHolding(t.Context(), 7, 3)
				if !errors.Is(err, modbus.ErrFrame) && !errors.Is(err, modbus.ErrTimeout) {
					t.Fatalf("with every answer broken: %v", err)
				}
				before := s.Requests()
				s.Mangle(once(f))
				err = s.bus.Client(1).WriteRegister(t.Context(), 7, 3)
				if err == nil || s.Requests() != before+1 {
					t.Fatalf("a write without an answer: %v, sent %d times", err, s.Requests()-before)
				}
				got, err = s.bus.Client(1).ReadHolding(t.Context(), 8, 1)
				same(t, "healed", got, []uint16{8}, err)
			})
		})
	}
}

func TestTCPFaults(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		s := open(t, false)
		c := s.bus.Client(1)
		read := func(what string) {
			t.Helper()
			got, err := c.ReadHolding(t.Context(), 7, 3)
			same(t, what, got, []uint16{7, 8, 9}, err)
		}
		s.Mangle(once(func(b []byte) []byte { // a late answer of another transaction comes first
			late := append([]byte(nil), b...)
			late[0] ^= 0x55
			late[len(late)-1] = 99
			return append(late, b...)
		}))
		read("a late answer is passed over")
		s.Mangle(once(func(b []byte) []byte { b[6] = 9; return b }))
		read("an answer of another unit is asked again")
		s.Mangle(once(func([]byte) []byte { return nil }))
		read("a lost answer is asked again")

		s.Mangle(once(func(b []byte) []byte { b[2] = 1; return b }))
		if _, err := c.ReadHolding(t.Context(), 7, 3); err == nil {
			t.Fatal("a header that is not Modbus passed")
		}
		read("a new connection after it")
		s.Mangle(once(func(b []byte) []byte { return b[:5] }))
		if _, err := c.ReadHolding(t.Context(), 7, 3); err == nil {
			t.Fatal("half a header passed")
		}
		read("a new connection after half a frame")
		if s.dials != 3 {
			t.Errorf("%d connections, want 3", s.dials)
		}
	})
}

func TestHalfOpenConnectionIsMadeAnew(t *testing.T) {
	each(t, func(t *testing.T, s *site) {
		c := s.bus.Client(1)
		_, err := c.ReadHolding(t.Context(), 1, 1)
		same(t, "alive", nil, nil, err)
		s.Mangle(func([]byte) []byte { return nil })
		for range 2 {
			if _, err := c.ReadHolding(t.Context(), 1, 1); !errors.Is(err, modbus.ErrTimeout) {
				t.Fatal(err)
			}
		}
		s.Mangle(nil)
		_, err = c.ReadHolding(t.Context(), 1, 1)
		same(t, "alive again", nil, nil, err)
		if s.dials < 2 {
			t.Error("the silent connection was kept")
		}
	})
}

func TestUnreachableCostsOneWaitInAPause(t *testing.T) {
	each(t, func(t *testing.T, s *site) {
		s.dead = errors.New("no route")
		c := s.bus.Client(1)
		for range 10 {
			if _, err := c.ReadHolding(t.Context(), 1, 1); !errors.Is(err, s.dead) {
				t.Fatal(err)
			}
		}
		if s.dials != 1 {
			t.Fatalf("%d attempts within a pause", s.dials)
		}
		s.dead = nil
		time.Sleep(3 * time.Second)
		_, err := c.ReadHolding(t.Context(), 1, 1)
		same(t, "after the pause", nil, nil, err)
	})
}

func TestUnitsShareTheBusInTurn(t *testing.T) {
	each(t, func(t *testing.T, s *site) {
		other := modbustest.NewUnit()
		other.Holding[1] = 42
		s.Do(func(units map[byte]*modbustest.Unit) { units[2] = other })
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				unit, want := byte(1), uint16(1)
				if i%2 == 0 {
					unit, want = 2, 42
				}
				got, err := s.bus.Client(unit).ReadHolding(t.Context(), 1, 1)
				if err != nil || got[0] != want {
					t.Errorf("unit %d: %v %v", unit, got, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	each(t, func(t *testing.T, s *site) {
		c := s.bus.Client(9) // nobody there: each transaction takes its whole time
		go func() { _, _ = c.ReadHolding(t.Context(), 1, 1) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := s.bus.Client(1).ReadHolding(ctx, 1, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Fatalf("waited %v", d)
		}
	})
}

func TestClosedBus(t *testing.T) {
	each(t, func(t *testing.T, s *site) {
		_ = s.bus.Close()
		_ = s.bus.Close()
		if _, err := s.bus.Client(1).ReadHolding(t.Context(), 1, 1); !errors.Is(err, modbus.ErrClosed) {
			t.Fatal(err)
		}
	})
}

func TestSerialLineSettings(t *testing.T) {
	for _, s := range []modbus.Serial{{Parity: "mark"}, {StopBits: 3}} {
		if _, err := modbus.RTU(s, modbus.Timing{}); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
	b, err := modbus.RTU(modbus.Serial{Device: "/nowhere/tty"}, modbus.Timing{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Client(1).ReadHolding(t.Context(), 0, 1); err == nil {
		t.Error("a device that is not there was read")
	}
}

// FuzzAnswer feeds bytes to both framings as the answer to a read: it must end within the time for an answer, without panic.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 7}, false)
	f.Add([]byte{1, 3, 2, 0, 7, 0xF9, 0x86}, true)
	f.Add([]byte{1, 0x83, 2, 0xC0, 0xF1}, true)
	f.Fuzz(func(t *testing.T, answer []byte, rtu bool) {
		virtual.Test(t, func(t *testing.T) {
			s := open(t, rtu)
			s.Mangle(func([]byte) []byte { return answer })
			start := time.Now()
			got, err := s.bus.Client(1).ReadHolding(t.Context(), 7, 1)
			if (err == nil) == (len(got) == 0) || time.Since(start) > 2*time.Second {
				t.Fatalf("%v %v after %v", got, err, time.Since(start))
			}
		})
	})
}
