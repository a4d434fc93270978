package ev

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
)

// Models of the demo's vehicles: round figures of common cars.
func models(dc bool) []Model {
	if dc {
		return []Model{
			{Name: "sedan", ISO15118: true, Phases: 3, MaxAmps: 16, Battery: sim.Battery{Capacity: 75e3, MaxPower: 120e3, Nominal: 360}},
			{Name: "van", ISO15118: true, Phases: 3, MaxAmps: 16, Battery: sim.Battery{Capacity: 60e3, MaxPower: 45e3, Nominal: 400}},
			{Name: "classic", ISO15118: true, DIN: true, Phases: 3, MaxAmps: 16, Battery: sim.Battery{Capacity: 28e3, MaxPower: 65e3, Nominal: 360}},
		}
	}
	return []Model{
		{Name: "hatchback", ISO15118: true, Phases: 3, MaxAmps: 32, Battery: sim.Battery{Capacity: 52e3, MaxPower: 22e3, Nominal: 350}},
		{Name: "compact", ISO15118: true, Phases: 1, MaxAmps: 32, Battery: sim.Battery{Capacity: 40e3, MaxPower: 7.4e3, Nominal: 350}},
		{Name: "suv", ISO15118: true, Phases: 3, MaxAmps: 16, Battery: sim.Battery{Capacity: 77e3, MaxPower: 11e3, Nominal: 360}},
	}
}

// Random plans n arrivals of the demo: the first ones within a few seconds, so that all places are in use, the rest as
// places get free. Each wants some kWh, so that at the given speed it stays some 15 to 35 s. The same seed plans the same.
func Random(seed uint64, n int, places []Place, speed float64, volts si.Volts) []Arrival {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	var out []Arrival
	for i := range n {
		p := places[i%len(places)]
		m := models(p.DC)[rng.IntN(len(models(p.DC)))]
		m.Volts = volts
		if !p.ISO15118 {
			m.ISO15118 = false
		}
		soc := 0.15 + 0.3*rng.Float64()
		m.Battery.Energy = si.WattHours(soc * float64(m.Battery.Capacity))
		power := m.MaxAmps.Times(volts) * si.Watts(m.Phases)
		if p.DC {
			power = min(m.Battery.MaxPower, 50e3)
		}
		secs := 15 + 15*rng.Float64() // at full power
		want := si.WattHours(float64(power) * secs / 3600 * speed)
		want = min(want, m.Battery.Capacity-m.Battery.Energy)
		v := Visit{ID: fmt.Sprintf("%s-%d", m.Name, i+1), Model: m, Place: p, Energy: want}
		if p.Reader {
			v.Card = fmt.Sprintf("04A1B2C3%06X", i+1)
		}
		at := time.Duration(float64(i/len(places))*28+float64(i%len(places))*0.4) * time.Second
		at += time.Duration(rng.Float64() * float64(2*time.Second))
		out = append(out, Arrival{at, v})
	}
	slices.SortStableFunc(out, func(a, b Arrival) int { return int(a.After - b.After) })
	return out
}

// Recorded is one real session of a file.
type Recorded struct {
	ID              string
	Station         string
	Connect, Depart time.Time
	Energy          si.WattHours
}

// ReadSessions reads recorded sessions from a CSV file with a header that has at least session_id, station, connect_utc,
// disconnect_utc and kwh_delivered, in any order. They are returned in order of connection.
func ReadSessions(r io.Reader) ([]Recorded, error) {
	c := csv.NewReader(r)
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("read sessions: header: %w", err)
	}
	col := map[string]int{}
	for i, h := range head {
		col[h] = i
	}
	for _, need := range []string{"session_id", "station", "connect_utc", "disconnect_utc", "kwh_delivered"} {
		if _, ok := col[need]; !ok {
			return nil, fmt.Errorf("read sessions: the header has no column %s", need)
		}
	}
	var out []Recorded
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read sessions: %w", err)
		}
		line, _ := c.FieldPos(0)
		s := Recorded{ID: row[col["session_id"]], Station: row[col["station"]]}
		if s.Connect, err = time.Parse(time.RFC3339, row[col["connect_utc"]]); err == nil {
			s.Depart, err = time.Parse(time.RFC3339, row[col["disconnect_utc"]])
		}
		kwh, err2 := strconv.ParseFloat(row[col["kwh_delivered"]], 64)
		if err != nil || err2 != nil || kwh < 0 || !si.Finite(si.WattHours(kwh)) || s.Station == "" || s.Depart.Before(s.Connect) {
			return nil, fmt.Errorf("read sessions: line %d: times, station or energy make no sense", line)
		}
		s.Energy = si.WattHours(kwh * 1000)
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, errors.New("read sessions: the file has none")
	}
	slices.SortStableFunc(out, func(a, b Recorded) int { return a.Connect.Compare(b.Connect) })
	return out, nil
}

// Stations returns the different stations of recorded sessions, in order of first use.
func Stations(rec []Recorded) []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range rec {
		if !seen[r.Station] {
			seen[r.Station] = true
			out = append(out, r.Station)
		}
	}
	return out
}

// Replay plans the recorded sessions at the speed of the simulation. place finds where each station is.
func Replay(rec []Recorded, place func(station string) Place, speed float64, volts si.Volts) []Arrival {
	var out []Arrival
	start := rec[0].Connect
	for _, r := range rec {
		// A single-phase car at 32 A, as most of those that were recorded.
		m := Model{Name: "recorded", ISO15118: true, Phases: 1, MaxAmps: 32, Volts: volts,
			Battery: sim.Battery{Capacity: max(r.Energy*1.25, 10e3), MaxPower: 7.4e3, Nominal: 360}}
		m.Battery.Energy = max(0, m.Battery.Capacity*0.8-r.Energy)
		scale := func(d time.Duration) time.Duration { return time.Duration(float64(d) / speed) }
		out = append(out, Arrival{scale(r.Connect.Sub(start)), Visit{ID: r.ID, Model: m, Place: place(r.Station), Energy: r.Energy,
			Stay: max(scale(r.Depart.Sub(r.Connect)), 4*time.Second)}})
	}
	return out
}
