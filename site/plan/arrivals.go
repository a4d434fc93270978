package plan

// Arrivals expects the vehicles that came a week ago to come again, or, as long as a week is not known, those of the day
// before. It is crude, and better than expecting nobody: capacity that others will need is worth using now.
type Arrivals struct {
	PerDay int // slots per day
	past   []visit
}

// visit is a stay that has ended, or is expected.
type visit struct {
	arrival, departure int
	need, max          float64
	parts              []Part
	place              string // of a live site, whose network changes
}

const (
	expectedNeed  = 0.5 // part of a past vehicle's need that is expected again
	expectAhead   = 0.5 // days that expected arrivals lie ahead at most
	mostExpected  = 16  // expected vehicles in one plan
	rememberedFor = 8   // days
)

// add takes a stay that ended; the need is what the vehicle wanted when it came.
func (a *Arrivals) add(v visit) {
	a.past = append(a.past, v)
	if old := v.departure - 2*rememberedFor*a.PerDay; len(a.past) > 0 && a.past[0].departure < old {
		keep := a.past[:0]
		for _, p := range a.past {
			if p.departure >= v.departure-rememberedFor*a.PerDay {
				keep = append(keep, p)
			}
		}
		a.past = keep
	}
}

// expect returns the visits that are expected to begin after now.
func (a *Arrivals) expect(now int) []visit {
	if len(a.past) == 0 {
		return nil
	}
	shift := 7 * a.PerDay
	if a.past[0].arrival > now-shift {
		shift = a.PerDay
	}
	var out []visit
	for _, p := range a.past {
		at := p.arrival + shift
		if at > now && at < now+int(expectAhead*float64(a.PerDay)) && len(out) < mostExpected {
			p.arrival, p.departure, p.need = at, p.departure+shift, p.need*expectedNeed
			out = append(out, p)
		}
	}
	return out
}
