package replay

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// PeriodsPerDay is the number of five-minute periods that sessions and policies count in.
const PeriodsPerDay = 288

// Session is one stay of a vehicle.
type Session struct {
	ID, EVSE  string
	Arrival   int     // period
	Departure int     // first period without the vehicle
	Stated    int     // departure the driver announced; 0: none
	KWh       float64 // that the vehicle would take
	MaxKW     float64
}

// ReadSessions reads an event file (CSV): session_id, station, arrival_period, departure_period, requested_kwh,
// max_power_kw and, if it has it, user_est_departure_period. The result is sorted by arrival.
func ReadSessions(r io.Reader) ([]Session, error) {
	rows := csv.NewReader(r)
	head, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("sessions file: %w", err)
	}
	col := map[string]int{}
	for i, h := range head {
		col[h] = i
	}
	for _, want := range []string{"session_id", "station", "arrival_period", "departure_period", "requested_kwh", "max_power_kw"} {
		if _, ok := col[want]; !ok {
			return nil, fmt.Errorf("sessions file: column %s is missing", want)
		}
	}
	var out []Session
	for n := 2; ; n++ {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("sessions file: %w", err)
		}
		s := Session{ID: row[col["session_id"]], EVSE: row[col["station"]]}
		bad := ""
		whole := func(name string) int {
			v, err := strconv.Atoi(row[col[name]])
			if err != nil {
				bad = name
			}
			return v
		}
		number := func(name string) float64 {
			v, err := strconv.ParseFloat(row[col[name]], 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				bad = name
			}
			return v
		}
		s.Arrival, s.Departure = whole("arrival_period"), whole("departure_period")
		s.KWh, s.MaxKW = number("requested_kwh"), number("max_power_kw")
		if i, ok := col["user_est_departure_period"]; ok && row[i] != "" {
			s.Stated = whole("user_est_departure_period")
		}
		if bad != "" {
			return nil, fmt.Errorf("sessions file, line %d: %s is no proper number: %q", n, bad, row[col[bad]])
		}
		if s.Departure < s.Arrival {
			return nil, fmt.Errorf("sessions file, line %d: it leaves before it arrives", n)
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b Session) int { return a.Arrival - b.Arrival })
	return out, nil
}
