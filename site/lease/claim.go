package lease

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/topology"
)

// draw is the most that an EVSE under claim c may draw and discharge at now.
func (l *Ledger) draw(i int, c *claim, now time.Time) (imports, exports si.Phases) {
	e := l.tree.EVSE(i)
	end := l.end(e, c)
	if end.IsZero() || now.Before(end) {
		return c.imports, c.exprt
	}
	if e.Station != nil { // the profile beneath it, whatever the grant was
		return l.tree.Own(i, e.Phases, e.Station.Fallback), si.Phases{}
	}
	if now.Before(end.Add(e.FloorFor)) {
		return c.imports.Min(l.tree.Own(i, e.Phases, e.Floor)), si.Phases{}
	}
	return si.Phases{}, si.Phases{}
}

// end is when claim c stops to entitle to its full current; zero: never.
func (l *Ledger) end(e *topology.EVSE, c *claim) time.Time {
	switch {
	case c.until.IsZero(), e.Station != nil && e.Station.Levels == 1:
		return time.Time{}
	case e.Station != nil:
		return c.until.Add(l.o.StationSettle)
	}
	return c.until.Add(l.o.Settle)
}

func (l *Ledger) reserved(i int, now time.Time) (imports, exports si.Phases) {
	h := &l.held[i]
	imports, exports = l.draw(i, &h.acked, now)
	for k := range h.pending {
		a, b := l.draw(i, &h.pending[k], now)
		imports, exports = imports.Max(a), exports.Max(b)
	}
	return imports, exports
}

// merge returns a claim that covers both; it bears the later Seq.
func merge(a, b claim) claim {
	c := claim{seq: max(a.seq, b.seq), imports: a.imports.Max(b.imports), exprt: a.exprt.Max(b.exprt)}
	if !a.until.IsZero() && !b.until.IsZero() {
		c.until = a.until
		if b.until.After(a.until) {
			c.until = b.until
		}
	}
	return c
}

// send records a grant as sent.
func (l *Ledger) send(i int, g *Grant, now time.Time) {
	h := &l.held[i]
	l.seq++
	g.Seq = l.seq
	g.Until = l.until(i, g.Import, now)
	h.pending = append(h.pending, claim{seq: g.Seq, imports: g.Import, exprt: g.Export, until: g.Until})
	if len(h.pending) > maxPending {
		h.pending[1] = merge(h.pending[0], h.pending[1])
		h.pending = append(h.pending[:0], h.pending[1:]...)
	}
	if h.settled || h.sent.Seq == 0 {
		h.tried = now
	}
	h.sent, h.sentAt, h.settled, h.resend = *g, now, false, false
}

func (l *Ledger) until(i int, imports si.Phases, now time.Time) time.Time {
	e := l.tree.EVSE(i)
	if e.Station == nil {
		return now.Add(l.o.Lease)
	}
	if e.Station.Levels == 1 || imports.Highest() <= e.Station.Fallback {
		return time.Time{}
	}
	return now.Add(l.o.StationLease)
}

// renewal is when the last grant must be renewed; zero: never.
func (l *Ledger) renewal(i int) time.Time {
	h := &l.held[i]
	if h.sent.Seq == 0 || h.sent.Until.IsZero() || (h.sent.Import == (si.Phases{}) && h.sent.Export == (si.Phases{})) {
		return time.Time{}
	}
	return h.sentAt.Add(h.sent.Until.Sub(h.sentAt) / 2)
}

func (h *holder) firstTry() time.Time { return h.tried }
