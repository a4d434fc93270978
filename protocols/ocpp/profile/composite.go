package profile

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// Rating is what an EVSE or a station can do by itself; it bounds every composite.
type Rating struct {
	Phases int      // AC phases; 0 counts as 3
	Volts  si.Volts // nominal phase voltage, for converting between A and W (K01.FR.50); 0 counts as 230 V
	Max    si.Amps  // per phase
	Power  si.Watts // of all phases; 0 for Max on all phases
}

func (r Rating) volts() si.Volts {
	if r.Volts <= 0 {
		return 230
	}
	return r.Volts
}

// Limit is the rating as a limit.
func (r Rating) Limit() Limit {
	n := r.Phases
	if n <= 0 || n > 3 {
		n = 3
	}
	l := Limit{Amps: r.Max, Watts: r.Max.Times(r.volts()) * si.Watts(n), Phases: n}
	if r.Power > 0 {
		l.Watts = min(l.Watts, r.Power)
		if r.Max <= 0 {
			l.Watts = r.Power
			l.Amps = (r.Power / si.Watts(n)).At(r.volts())
		}
	}
	return l
}

// Limit is what may be drawn: both bounds hold at once.
type Limit struct {
	Amps       si.Amps  // per phase
	Watts      si.Watts // all phases together
	Phases     int      // how many may be used, 1 to 3
	PhaseToUse int      // with Phases 1; 0 for any
}

// In returns the limit as a number in the given unit.
func (l Limit) In(u Unit) float64 {
	if u == Watts {
		return float64(l.Watts)
	}
	return float64(l.Amps)
}

// Min returns what is allowed when both limits hold.
func (l Limit) Min(m Limit) Limit {
	out := Limit{Amps: min(l.Amps, m.Amps), Watts: min(l.Watts, m.Watts), Phases: min(l.Phases, m.Phases), PhaseToUse: l.PhaseToUse}
	if out.PhaseToUse == 0 {
		out.PhaseToUse = m.PhaseToUse
	}
	return out
}

// limitOf converts a period's number; a limit in W is for as many phases as the period says (K01.FR.49, K01.FR.50).
func limitOf(p Period, u Unit, v si.Volts) Limit {
	n := p.phases()
	l := Limit{Phases: n}
	if n == 1 {
		l.PhaseToUse = p.PhaseToUse
	}
	if u == Watts {
		l.Watts = si.Watts(p.Limit)
		l.Amps = (l.Watts / si.Watts(n)).At(v)
	} else {
		l.Amps = si.Amps(p.Limit)
		l.Watts = l.Amps.Times(v) * si.Watts(n)
	}
	return l
}

// Transaction is what the composite needs to know of an EVSE's transaction. The zero value is no transaction.
type Transaction struct {
	ID    string
	Began time.Time // when energy could flow: the reference of Relative profiles (K01.FR.42)
}

// leading returns the period of the profile with the highest stack level among those that keep accepts and that have a
// period at t (K01.FR.17).
func (s *Store) leading(t, begin time.Time, v si.Volts, keep func(*Profile) bool) (l Limit, change time.Time, ok bool) {
	best := -1
	for i := range s.list {
		p := &s.list[i]
		if !keep(p) {
			continue
		}
		if per, unit, _, has := p.at(t, begin); has && p.Stack > best {
			best, l, ok = p.Stack, limitOf(per, unit, v), true
		}
	}
	for i := range s.list { // what is below the leading one does not matter before that ends
		if p := &s.list[i]; p.Stack >= best && keep(p) {
			_, _, c, _ := p.at(t, begin)
			change = earlier(change, c)
		}
	}
	return l, change, ok
}

// At returns the limit of one EVSE (1 and up) at t, and the next instant at which it may change (zero for never). It
// counts the station's own maximum profile as if the EVSE were alone: dividing that among EVSEs is the caller's task.
func (s *Store) At(evse int, tx Transaction, r Rating, t time.Time) (Limit, time.Time) {
	l, change := s.transactionAt(evse, tx, r, t)
	m, c := s.StationAt(r, t)
	return l.Min(m), earlier(change, c)
}

// StationAt returns the limit of the whole station at t from StationMax and External profiles, bounded by r.
func (s *Store) StationAt(r Rating, t time.Time) (Limit, time.Time) {
	l := r.Limit()
	var change time.Time
	for _, purpose := range []Purpose{StationMax, External} {
		m, c, ok := s.leading(t, t, r.volts(), func(p *Profile) bool { return p.Purpose == purpose && p.EVSE == 0 })
		change = earlier(change, c)
		if ok {
			l = l.Min(m)
		}
	}
	return l, change
}

// transactionAt is the part of an EVSE's limit that is its own: Tx or else TxDefault (K02.FR.04, K02.FR.08), and
// External profiles of the EVSE.
func (s *Store) transactionAt(evse int, tx Transaction, r Rating, t time.Time) (Limit, time.Time) {
	begin := tx.Began
	if begin.IsZero() || begin.After(t) {
		begin = t
	}
	l := r.Limit()
	m, change, ok := s.leading(t, begin, r.volts(), func(p *Profile) bool {
		return p.Purpose == Tx && p.EVSE == evse && tx.ID != "" && p.TxID == tx.ID
	})
	if !ok {
		var c time.Time
		m, c, ok = s.leading(t, begin, r.volts(), func(p *Profile) bool {
			return p.Purpose == TxDefault && (p.EVSE == evse || p.EVSE == 0)
		})
		change = earlier(change, c)
	}
	if ok {
		l = l.Min(m)
	}
	m, c, ok := s.leading(t, begin, r.volts(), func(p *Profile) bool { return p.Purpose == External && p.EVSE == evse && evse > 0 })
	if ok {
		l = l.Min(m)
	}
	return l, earlier(change, c)
}

// Piece is a part of a composite schedule, from Start after its beginning.
type Piece struct {
	Start time.Duration
	Limit Limit
}

// MaxPieces bounds a composite schedule: the most periods that a schedule may carry.
const MaxPieces = 1024

// maxSteps bounds the work for a composite over years of a recurring profile.
const maxSteps = 20000

// EVSE is what a composite of a whole station needs to know of each EVSE.
type EVSE struct {
	Number int
	Rating Rating
	Tx     Transaction
}

// Composite returns the schedule of one EVSE from now for the duration d (K08.FR.02).
func (s *Store) Composite(e EVSE, now time.Time, d time.Duration) []Piece {
	if e.Tx.Began.IsZero() {
		e.Tx.Began = now // as if a transaction began now (K08.FR.06)
	}
	return s.walk(now, d, func(t time.Time) (Limit, time.Time) { return s.At(e.Number, e.Tx, e.Rating, t) })
}

// StationComposite returns what the whole station may draw: its own limit, and no more than its EVSEs together
// (K08.FR.03).
func (s *Store) StationComposite(station Rating, evses []EVSE, now time.Time, d time.Duration) []Piece {
	return s.walk(now, d, func(t time.Time) (Limit, time.Time) {
		l, change := s.StationAt(station, t)
		var sum Limit
		for _, e := range evses {
			if e.Tx.Began.IsZero() {
				e.Tx.Began = now
			}
			m, c := s.transactionAt(e.Number, e.Tx, e.Rating, t)
			sum.Amps += m.Amps
			sum.Watts += m.Watts
			sum.Phases = max(sum.Phases, m.Phases)
			change = earlier(change, c)
		}
		if len(evses) > 0 {
			l = l.Min(sum)
		}
		return l, change
	})
}

func (s *Store) walk(now time.Time, d time.Duration, at func(time.Time) (Limit, time.Time)) []Piece {
	var out []Piece
	end := now.Add(d)
	t := now
	for steps := 0; steps < maxSteps && len(out) < MaxPieces; steps++ {
		l, change := at(t)
		if n := len(out); n == 0 || out[n-1].Limit != l {
			out = append(out, Piece{t.Sub(now), l})
		}
		if change.IsZero() || !change.After(t) || !change.Before(end) {
			break
		}
		t = change
	}
	return out
}
