package lease

import (
	"math"
	"slices"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/topology"
)

// tolerance in A or W within which a bound counts as kept.
func tolerance(bound float64) float64 { return 1e-6 * (1 + math.Abs(bound)) }

// Plan returns the grants to send now so that the EVSEs come as near to their targets as is safe at this moment. An EVSE
// without target gets nothing. Call it on every change of targets, bounds or acknowledgements and at Next; calling it more
// often does no harm. Whatever is returned must be sent (or the EVSE declared lost).
func (l *Ledger) Plan(now time.Time, targets []Target, bounds Bounds) []Grant {
	l.now = now
	n := len(l.held)
	p := plan{l: l, want: make([]Target, n), raise: make([]int, 0, n),
		imports: newSide(l.tree, bounds.Import, n), exports: newSide(l.tree, bounds.Export, n)}
	for i := range targets {
		if k, ok := l.tree.FindEVSE(targets[i].EVSE); ok {
			p.want[k] = clean(targets[i])
			if sent := &l.held[k].sent; targets[i].Hold {
				p.want[k].Import, p.want[k].Export, p.want[k].Phases = sent.Import, sent.Export, sent.Phases
				p.want[k].ImportW, p.want[k].ExportW = sent.ImportW, sent.ExportW
			}
		}
	}
	for i := range l.held {
		p.imports.have[i], p.exports.have[i] = l.reserved(i, now)
	}
	p.fit()
	p.imports.addUp(p.imports.have)
	p.exports.addUp(p.exports.have)
	for i := range l.held {
		if l.held[i].lost {
			continue
		}
		w := &p.want[i]
		if sent := &l.held[i].sent; sent.Seq != 0 || l.tree.EVSE(i).Station != nil {
			w.Import = p.calm(&p.imports, i, w.Import, sent.Import, true)
			w.Export = p.calm(&p.exports, i, w.Export, sent.Export, false)
		}
		if within(w.Import, p.imports.have[i]) && within(w.Export, p.exports.have[i]) {
			continue
		}
		p.raise = append(p.raise, i)
	}
	slices.SortStableFunc(p.raise, func(a, b int) int { // the one that has least comes first
		x := float64(p.imports.have[a].Highest()) / l.tree.EVSE(a).Weight
		y := float64(p.imports.have[b].Highest()) / l.tree.EVSE(b).Weight
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return a - b
	})
	for _, i := range p.raise {
		p.limit(i)
	}
	return p.emit(now)
}

type plan struct {
	l                *Ledger
	want             []Target
	raise            []int
	imports, exports side
}

// side is one direction of flow: bounds, loads and reservations.
type side struct {
	tree  *topology.Tree
	bound []float64
	load  []float64
	have  []si.Phases
}

func newSide(t *topology.Tree, bound []float64, n int) side {
	return side{tree: t, bound: bound, load: make([]float64, len(t.Rows())), have: make([]si.Phases, n)}
}

func (s *side) limited(r int) bool { return r < len(s.bound) && !math.IsInf(s.bound[r], 1) }

func (s *side) addUp(x []si.Phases) {
	clear(s.load)
	for i := range x {
		s.add(i, x[i])
	}
}

func (s *side) add(i int, x si.Phases) {
	if x == (si.Phases{}) {
		return
	}
	for _, ref := range s.tree.RowsOf(i) {
		s.load[ref.Row] += part(ref, x)
	}
}

func part(ref topology.RowRef, x si.Phases) float64 {
	return ref.Coef[0]*float64(x[0]) + ref.Coef[1]*float64(x[1]) + ref.Coef[2]*float64(x[2])
}

// clean drops what is no number: nothing unknown is ever granted.
func clean(t Target) Target {
	if !si.Finite(t.Import[:]...) {
		t.Import = si.Phases{}
	}
	if !si.Finite(t.Export[:]...) {
		t.Export = si.Phases{}
	}
	t.Import, t.Export = t.Import.Max(si.Phases{}), t.Export.Max(si.Phases{})
	return t
}

func within(x, have si.Phases) bool {
	return x[0] <= have[0] && x[1] <= have[1] && x[2] <= have[2]
}

// fit scales targets down that together would break a bound, so that the ledger is safe whatever it is asked for. What lost
// EVSEs may draw is part of the sum.
func (p *plan) fit() {
	for _, dir := range []struct {
		s   *side
		get func(t *Target) *si.Phases
	}{
		{&p.imports, func(t *Target) *si.Phases { return &t.Import }},
		{&p.exports, func(t *Target) *si.Phases { return &t.Export }},
	} {
		s := dir.s
		x := make([]si.Phases, len(p.want))
		for i := range p.want {
			if p.l.held[i].lost {
				x[i] = s.have[i]
			} else {
				x[i] = *dir.get(&p.want[i])
			}
		}
		s.addUp(x)
		for r := range s.load {
			if !s.limited(r) || s.load[r] <= s.bound[r]+tolerance(s.bound[r]) {
				continue
			}
			fixed := 0.0
			for _, t := range s.tree.Rows()[r].Terms {
				if p.l.held[t.EVSE].lost {
					fixed += part(topology.RowRef{Coef: t.Coef}, x[t.EVSE])
				}
			}
			factor := 0.0
			if s.load[r] > fixed {
				factor = max(0, s.bound[r]-fixed) / (s.load[r] - fixed)
			}
			for _, t := range s.tree.Rows()[r].Terms {
				if p.l.held[t.EVSE].lost {
					continue
				}
				v := dir.get(&p.want[t.EVSE])
				for ph := range v {
					v[ph] *= si.Amps(factor)
				}
				*v = p.usable(t.EVSE, *v, dir.s == &p.imports)
				x[t.EVSE] = *v
			}
			s.addUp(x)
		}
	}
}

// usable replaces a current that is too small for the EVSE by nothing.
func (p *plan) usable(i int, x si.Phases, imports bool) si.Phases {
	least := p.l.tree.EVSE(i).Min
	if !imports {
		least = 0
	}
	for _, a := range x {
		if a > 0 && a < least-1e-9 {
			return si.Phases{}
		}
	}
	return x
}

// calm keeps an EVSE from going back up to what it may still hold, from before a lowering that it has not confirmed, while a
// bound above it is exceeded by what all may still hold: others may not have followed yet. Of a station that was granted
// nothing yet it is only known what it holds at most, so any grant may be a raise: it waits at nothing until there is room.
func (p *plan) calm(s *side, i int, x, sent si.Phases, imports bool) si.Phases {
	if within(x, sent) {
		return x
	}
	for _, ref := range s.tree.RowsOf(i) {
		if s.limited(ref.Row) && s.load[ref.Row] > s.bound[ref.Row]+tolerance(s.bound[ref.Row]) {
			return p.usable(i, x.Min(sent), imports)
		}
	}
	return x
}

// limit cuts the target of EVSE i back to what may be raised now, and books it.
func (p *plan) limit(i int) {
	w := &p.want[i]
	w.Import = p.cut(&p.imports, i, w.Import, true)
	w.Export = p.cut(&p.exports, i, w.Export, false)
}

// cut returns as much of x as every bound has room for on top of what EVSE i has reserved, and books it.
func (p *plan) cut(s *side, i int, x si.Phases, imports bool) si.Phases {
	have := s.have[i]
	if within(x, have) {
		return x
	}
	full := x.Max(have)
	more := full.Sub(have)
	share := 1.0
	for _, ref := range s.tree.RowsOf(i) {
		if d := part(ref, more); d > 0 && s.limited(ref.Row) {
			room := s.bound[ref.Row] - s.load[ref.Row]
			if room < d-tolerance(s.bound[ref.Row]) {
				share = min(share, max(0, room)/d)
			}
		}
	}
	if share < 1 {
		x = p.partial(i, x, have, share, imports)
	}
	full = x.Max(have)
	s.add(i, full.Sub(have))
	s.have[i] = full
	return x
}

// partial is the part of a raise there is room for: equal on all phases in use, not under the smallest current, in steps.
func (p *plan) partial(i int, x, have si.Phases, share float64, imports bool) si.Phases {
	amps := math.Inf(1)
	used := 0
	for ph := range x {
		if x[ph] > 0 {
			used++
			now := float64(min(have[ph], x[ph]))
			amps = min(amps, now+share*(float64(x[ph])-now))
		}
	}
	if step := float64(p.l.o.Step); step > 0 {
		amps = math.Floor(amps/step+1e-9) * step
	}
	var out si.Phases
	for ph := range x {
		if x[ph] > 0 {
			out[ph] = si.Amps(amps)
		}
	}
	if out = p.usable(i, out, imports); out != (si.Phases{}) || used <= 1 {
		return out
	}
	// Not even the smallest current on all phases. Stay on those that it has until there is room.
	if l := x.Min(have); l[0] > 0 && l[1] == 0 && l[2] == 0 {
		return p.usable(i, l, imports)
	}
	return si.Phases{}
}

// emit turns what was decided into grants, where something has to be said.
func (p *plan) emit(now time.Time) []Grant {
	l := p.l
	var out []Grant
	for i := range l.held {
		h := &l.held[i]
		if h.lost {
			continue
		}
		w := &p.want[i]
		g := p.grant(i, w)
		renew := l.renewal(i)
		switch {
		case h.sent.Seq == 0, h.resend, !same(&h.sent, &g):
		case !h.settled && now.Sub(h.sentAt) >= l.o.Retry:
		case !renew.IsZero() && !now.Before(renew):
		default:
			continue
		}
		if w.Why != nil {
			g.Why = w.Why.String()
		}
		l.send(i, &g, now)
		out = append(out, g)
	}
	return out
}

func same(a, b *Grant) bool {
	return a.Import == b.Import && a.Export == b.Export && a.Setpoint == b.Setpoint && a.Phases == b.Phases
}

func (p *plan) grant(i int, w *Target) Grant {
	g := Grant{EVSE: p.l.tree.EVSE(i).ID, Import: w.Import, Export: w.Export, Phases: w.Phases}
	g.ImportW = scaled(w.ImportW, w.Import, p.l.tree.PerAmp(i))
	g.ExportW = scaled(w.ExportW, w.Export, p.l.tree.PerAmp(i))
	used := 0
	for ph := range g.Import {
		if g.Import[ph] > 0 || g.Export[ph] > 0 {
			used++
		}
	}
	g.Phases = used
	switch {
	case w.Setpoint != nil && si.Finite(w.Setpoint[:]...):
		g.Setpoint = w.Setpoint.Min(g.Import).Max(si.Phases{}.Sub(g.Export))
	case g.Export != (si.Phases{}):
		g.Setpoint = si.Phases{}.Sub(g.Export)
	default:
		g.Setpoint = g.Import
	}
	return g
}

// scaled is the power of x, but never more than the target's own figure.
func scaled(target si.Watts, x si.Phases, perAmp si.Watts) si.Watts {
	w := x.Sum().Times(si.Volts(perAmp))
	if target > 0 {
		w = min(w, target)
	}
	return w
}

// Next returns the next instant at which a reservation lapses or something must be sent; zero: none.
func (l *Ledger) Next() time.Time {
	var next time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && t.After(l.now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for i := range l.held {
		h, e := &l.held[i], l.tree.EVSE(i)
		lapse := func(c *claim) {
			if c.imports == (si.Phases{}) && c.exprt == (si.Phases{}) {
				return
			}
			end := l.end(e, c)
			sooner(end)
			if !end.IsZero() && e.Station == nil {
				sooner(end.Add(e.FloorFor))
			}
		}
		lapse(&h.acked)
		for k := range h.pending {
			lapse(&h.pending[k])
		}
		if h.lost {
			continue
		}
		if !h.settled && h.sent.Seq != 0 {
			sooner(h.sentAt.Add(l.o.Retry))
		}
		sooner(l.renewal(i))
	}
	return next
}
