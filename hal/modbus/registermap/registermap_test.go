package registermap_test

import (
	"context"
	"errors"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/metering"
	"github.com/voltyard/voltyard/hal/modbus"
	"github.com/voltyard/voltyard/hal/modbus/modbustest"
	"github.com/voltyard/voltyard/hal/modbus/registermap"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/test/virtual"
)

func serve(t *testing.T) (*modbustest.Server, *modbustest.Unit, *modbus.Client) {
	s, u := modbustest.NewServer(), modbustest.NewUnit()
	s.Do(func(units map[byte]*modbustest.Unit) { units[3] = u })
	bus := modbus.TCP("meter", func(context.Context, string, string) (net.Conn, error) {
		a, b := net.Pipe()
		t.Cleanup(func() { _ = a.Close() })
		go s.ServeTCP(b)
		return a, nil
	}, modbus.Timing{})
	t.Cleanup(func() { _ = bus.Close() })
	return s, u, bus.Client(3)
}

func TestEveryBuiltInMapParses(t *testing.T) {
	if len(registermap.Names()) < 8 {
		t.Fatal(registermap.Names())
	}
	for _, name := range registermap.Names() {
		m, err := registermap.Find(name)
		if err != nil {
			t.Error(err)
		} else if m.Title == "" {
			t.Errorf("%s has no title", name)
		}
	}
	if _, err := registermap.Find("nobody"); err == nil || !strings.Contains(err.Error(), "eastron-sdm630") {
		t.Errorf("an unknown map: %v", err)
	}
}

func TestFloatMeter(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		s, u, unit := serve(t)
		m, err := registermap.Find("eastron-sdm630")
		if err != nil {
			t.Fatal(err)
		}
		for at, f := range map[uint16]float64{0x00: 230, 0x02: 231, 0x04: 229, 0x06: 16, 0x08: 10, 0x0A: 6, 0x0C: 3600, 0x0E: -2300, 0x10: 1300,
			0x34: 2600, 0x48: 1234.5, 0x4A: 7.25} {
			modbustest.Float(u.Input, at, f)
		}
		r := m.Reader(unit)
		got, err := r.Read(t.Context())
		want := hal.MeterReading{At: time.Now(), Import: 1234500, Export: 7250, Power: 2600, Current: si.Phases{16, -10, 6}, Voltage: [3]si.Volts{230, 231, 229}}
		if err != nil || got != want {
			t.Fatalf("got %+v %v\nwant %+v", got, err, want)
		}
		// Between two readings of the energy registers, one request for currents and powers and one for the total.
		before := s.Requests()
		for range 4 {
			time.Sleep(time.Second)
			if _, err := r.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.Requests() - before; n != 8 {
			t.Errorf("%d requests for 4 readings, want 8", n)
		}
		time.Sleep(time.Second)
		modbustest.Float(u.Input, 0x48, 1300)
		if got, err = r.Read(t.Context()); err != nil || got.Import != 1300000 {
			t.Errorf("the register after 5 s: %v %v", got.Import, err)
		}
		modbustest.Float(u.Input, 0x08, math.NaN())
		if _, err = r.Read(t.Context()); !errors.Is(err, metering.ErrNotAvailable) {
			t.Errorf("no number for a current: %v", err)
		}
	})
}

func TestWholeNumbers(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		_, u, unit := serve(t)
		m, err := registermap.Parse([]byte(`
title: test
function: 3
type: s32
word_order: little
values:
  current_l1: {at: 0, type: u16, scale: 0.1}
  current_l2: {at: 1, type: s16, scale: 0.1}
  power: {at: 2, scale: -1}
  import: {at: 10, type: u64}
  export: {at: 14, type: float64}
  voltage_l1: {at: 4, type: u32, scale: 0.01}
`))
		if err != nil {
			t.Fatal(err)
		}
		modbustest.Set(u.Holding, 0, 321, 120, 0x1234, 0xFFFF, 23000, 0)
		modbustest.Set(u.Holding, 10, 5, 1, 0, 0)
		bits := math.Float64bits(77.5)
		modbustest.Set(u.Holding, 14, uint16(bits), uint16(bits>>16), uint16(bits>>32), uint16(bits>>48))
		got, err := m.Reader(unit).Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Power != 0x10000-0x1234 || got.Import != 65541 || got.Export != 77.5 || got.Voltage[0] != 230 {
			t.Errorf("%+v", got)
		}
		if d := got.Current.Sub(si.Phases{32.1, 12, 0}); math.Abs(float64(d.Highest())) > 1e-9 || math.Abs(float64(d.Lowest())) > 1e-9 {
			t.Errorf("currents %v", got.Current)
		}
		for _, absent := range []uint16{0xFFFF} {
			modbustest.Set(u.Holding, 0, absent)
			if _, err := m.Reader(unit).Read(t.Context()); !errors.Is(err, metering.ErrNotAvailable) {
				t.Errorf("%#x: %v", absent, err)
			}
		}
		modbustest.Set(u.Holding, 0, 1, 0x8000)
		if _, err := m.Reader(unit).Read(t.Context()); !errors.Is(err, metering.ErrNotAvailable) {
			t.Errorf("lowest value: %v", err)
		}
	})
}

func TestMapsThatCannotBe(t *testing.T) {
	good := "function: 3\ntype: u16\nvalues: {current_l1: {at: 1}, power: {at: 2}}\n"
	if _, err := registermap.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for text, why := range map[string]string{
		strings.Replace(good, "3", "6", 1):                            "function 6",
		strings.Replace(good, "u16", "u24", 1):                        `type "u24"`,
		strings.Replace(good, "power", "watts", 1):                    `value "watts"`,
		strings.Replace(good, "power", "import", 1):                   "direction",
		strings.Replace(good, "current_l1", "current_l2", 1):          "no current_l1",
		strings.Replace(good, "at: 2", "at: 65535", 1) + "x: 1":       "x",
		good + "word_order: middle\n":                                 "word_order",
		good + "max_read: 500\n":                                      "max_read",
		strings.Replace(good, "{at: 2}", "{at: 65535, type: u32}", 1): "last register",
		"]": "",
	} {
		if _, err := registermap.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %s", text, err, why)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("function: 3\ntype: u16\nvalues: {current_l1: {at: 1}, power: {at: 2}}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := registermap.Parse(text)
		if (m == nil) == (err == nil) {
			t.Fatal(m, err)
		}
	})
}
