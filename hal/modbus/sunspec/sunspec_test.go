package sunspec_test

import (
	"context"
	"errors"
	"math"
	"net"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/modbus"
	"github.com/voltyard/voltyard/hal/modbus/modbustest"
	"github.com/voltyard/voltyard/hal/modbus/sunspec"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/test/virtual"
)

func serve(t *testing.T, u *modbustest.Unit) *sunspec.Reader {
	s := modbustest.NewServer()
	s.Do(func(units map[byte]*modbustest.Unit) { units[1] = u })
	bus := modbus.TCP("meter", func(context.Context, string, string) (net.Conn, error) {
		a, b := net.Pipe()
		t.Cleanup(func() { _ = a.Close() })
		go s.ServeTCP(b)
		return a, nil
	}, modbus.Timing{})
	t.Cleanup(func() { _ = bus.Close() })
	return sunspec.NewReader(bus.Client(1))
}

// device makes a map with the common model and one other.
func device(base, id uint16, data []uint16) *modbustest.Unit {
	u := modbustest.NewUnit()
	modbustest.Set(u.Holding, base, 0x5375, 0x6E53, 1, 66)
	modbustest.Set(u.Holding, base+4, make([]uint16, 66)...)
	modbustest.Set(u.Holding, base+70, id, uint16(len(data)))
	modbustest.Set(u.Holding, base+72, data...)
	modbustest.Set(u.Holding, base+72+uint16(len(data)), 0xFFFF, 0)
	return u
}

func s16(v int) uint16 { return uint16(int16(v)) }

// wye is model 203 with 12.3, -4.5 and 0.7 A.
func wye() []uint16 {
	d := make([]uint16, 105)
	copy(d, []uint16{175, 123, 45, 7, s16(-1), 2300, 2301, 2302, 2303})
	d[13] = s16(-1)
	copy(d[16:], []uint16{196, 283, s16(-104), 16, 1})
	d[36], d[37], d[44], d[45], d[52] = 0, 500, 1, 2, 1
	return d
}

func TestWholeNumberModels(t *testing.T) {
	for _, base := range []uint16{0, 40000, 50000} {
		for _, id := range []uint16{201, 202, 203, 204} {
			virtual.Test(t, func(t *testing.T) {
				got, err := serve(t, device(base, id, wye())).Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want := hal.MeterReading{At: time.Now(), Import: 655380, Export: 5000, Power: 1960}
				near(t, got.Current, si.Phases{12.3, -4.5, 0.7})
				near(t, si.Phases{si.Amps(got.Voltage[0]), si.Amps(got.Voltage[1]), si.Amps(got.Voltage[2])}, si.Phases{230.1, 230.2, 230.3})
				got.Current, got.Voltage = want.Current, want.Voltage
				if got != want {
					t.Errorf("model %d at %d: %+v, want %+v", id, base, got, want)
				}
			})
		}
	}
}

func near(t *testing.T, got, want si.Phases) {
	t.Helper()
	for i := range got {
		if math.Abs(float64(got[i]-want[i])) > 1e-4 {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestFloatModel(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		d := make([]uint16, 124)
		for at, f := range map[int]float64{2: 10, 4: 20, 6: 30, 10: 230, 12: 231, 14: 232, 26: -1500, 28: -2300, 30: 400, 32: 400, 58: 9000, 66: 12000} {
			b := math.Float32bits(float32(f))
			d[at], d[at+1] = uint16(b>>16), uint16(b)
		}
		got, err := serve(t, device(40000, 213, d)).Read(t.Context())
		want := hal.MeterReading{At: time.Now(), Import: 12000, Export: 9000, Power: -1500, Current: si.Phases{-10, 20, 30}, Voltage: [3]si.Volts{230, 231, 232}}
		if err != nil || got != want {
			t.Fatalf("%+v %v\nwant %+v", got, err, want)
		}
	})
}

func TestSinglePhaseLeavesTheOthersOut(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		d := wye()
		for _, at := range []int{2, 3, 7, 8, 18, 19} {
			d[at] = 0x8000
		}
		got, err := serve(t, device(40000, 201, d)).Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		near(t, got.Current, si.Phases{12.3, 0, 0})
		d[1] = 0x8000
		if _, err := serve(t, device(40000, 201, d)).Read(t.Context()); err == nil {
			t.Error("a meter without any current was believed")
		}
	})
}

func TestNoMeterThere(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		if _, err := serve(t, modbustest.NewUnit()).Read(t.Context()); !errors.Is(err, sunspec.ErrNotSunSpec) {
			t.Errorf("no mark: %v", err)
		}
		if _, err := serve(t, device(40000, 103, make([]uint16, 50))).Read(t.Context()); !errors.Is(err, sunspec.ErrNoMeter) {
			t.Errorf("an inverter: %v", err)
		}
		if _, err := serve(t, device(40000, 203, make([]uint16, 20))).Read(t.Context()); !errors.Is(err, sunspec.ErrNoMeter) {
			t.Errorf("a model cut short: %v", err)
		}
		loop := modbustest.NewUnit() // models of length 0 for ever
		modbustest.Set(loop.Holding, 40000, 0x5375, 0x6E53)
		for i := range uint16(1000) {
			modbustest.Set(loop.Holding, 40002+2*i, 7, 0)
		}
		if _, err := serve(t, loop).Read(t.Context()); !errors.Is(err, sunspec.ErrNoMeter) {
			t.Errorf("an endless chain: %v", err)
		}
	})
}
