package modbus_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/voltyard/voltyard/hal/modbus"
	"github.com/voltyard/voltyard/hal/modbus/modbustest"
)

// pty returns one end of a pseudo terminal, and the name of the other.
func pty(t *testing.T) (*os.File, string) {
	t.Helper()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return f, fmt.Sprintf("/dev/pts/%d", n)
}

func TestSerialLine(t *testing.T) {
	end, name := pty(t)
	s, u := modbustest.NewServer(), modbustest.NewUnit()
	modbustest.Set(u.Input, 10, 1, 2, 3)
	s.Do(func(units map[byte]*modbustest.Unit) { units[7] = u })
	bus, err := modbus.RTU(modbus.Serial{Device: name, Baud: 115200}, modbus.Timing{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	c := bus.Client(7)
	if _, err := c.ReadInput(t.Context(), 10, 3); !errors.Is(err, modbus.ErrTimeout) { // it sets the line to raw, too
		t.Fatalf("nobody answers: %v", err)
	}
	flush(t, end)
	go s.ServeRTU(end)
	got, err := c.ReadInput(t.Context(), 10, 3)
	same(t, "input registers", got, []uint16{1, 2, 3}, err)
	s.Mangle(once(faults["collision"]))
	got, err = c.ReadInput(t.Context(), 10, 3)
	same(t, "after a collision", got, []uint16{1, 2, 3}, err)
	same(t, "a write", nil, nil, c.WriteRegisters(t.Context(), 20, []uint16{8, 9}))
	s.Do(func(map[byte]*modbustest.Unit) { same(t, "what was written", u.Holding[21], uint16(9), nil) })
}

// flush throws away what was sent while nobody listened.
func flush(t *testing.T, f *os.File) {
	t.Helper()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TCFLSH, unix.TCIOFLUSH); err != nil {
		t.Fatal(err)
	}
}
