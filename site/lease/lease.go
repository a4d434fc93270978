// Package lease is the safety ledger between target allocations and the messages that carry them out.
//
// A target says what every EVSE should draw once everything has settled. On the way there messages are late, lost, doubled or
// reordered, EVSEs fall silent and stations forget nothing. The Ledger keeps, for each EVSE, everything that it might still
// be entitled to draw, the reservation, and only ever issues grants with which the sum of all reservations stays at or under
// every bound: lower before raise, and raise only on the confirmed lowering, or the lapse, of another's lease.
//
// What the other side must do for this to hold: an EVSE takes a grant only if its Seq is higher than the last one it took and
// its Until has not passed; it acknowledges with that Seq once its draw cannot exceed the grant any more; at Until without a
// new grant it goes to the smaller of its grant and its floor within Options.Settle, stops discharging, and after its FloorFor opens.
// A third-party station is held by profiles instead; see Grant.Until.
//
// The ledger is a deterministic machine without clock or I/O. Its owner is the balancer; it is not safe for concurrent use.
package lease

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/allocate"
	"github.com/voltyard/voltyard/site/topology"
)

// Options are the ledger's times. Zero values mean the defaults.
type Options struct {
	Lease         time.Duration // length of a grant to an own EVSE; 0 means 10 s; renewed at half
	Settle        time.Duration // how long after Until an own EVSE may still draw its grant; 0 means 6 s, the time a vehicle has by IEC 61851-1
	StationLease  time.Duration // length of a profile above the fallback; 0 means 15 minutes; renewed at half
	StationSettle time.Duration // how far a station may set its clock back unnoticed, and how late it may react; 0 means 1 minute
	Retry         time.Duration // a grant that is not acknowledged is sent again after this; 0 means 1 s
	Step          si.Amps       // partial raises are multiples of it; 0: any
	FirstSeq      uint64        // the first Seq is one higher; it must be above all of earlier runs of the same EVSEs
}

func (o Options) filled() Options {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&o.Lease, 10*time.Second)
	set(&o.Settle, 6*time.Second)
	set(&o.StationLease, 15*time.Minute)
	set(&o.StationSettle, time.Minute)
	set(&o.Retry, time.Second)
	return o
}

// Grant is the permission to draw (and to discharge) up to the given currents.
type Grant struct {
	EVSE     string
	Seq      uint64
	Import   si.Phases // A on the EVSE's own phases, >= 0
	Export   si.Phases // the same for discharge, as positive numbers
	ImportW  si.Watts  // Import as power from the grid; DC EVSEs obey this
	ExportW  si.Watts
	Setpoint si.Phases // what to aim at between -Export and Import, signed
	Phases   int       // own phases in use: 0, 1 or 3
	// Until ends the grant. For a station it becomes validTo of a profile on the top stack level, above the fallback profile
	// that never expires. Zero means no end: the profile is sent without validTo (grants at or under the fallback, and all
	// grants to stations with a single level).
	Until time.Time
	Why   string
}

// Target is what an EVSE should be allowed in the end.
type Target struct {
	EVSE             string
	Import, Export   si.Phases // A on its own phases, >= 0
	ImportW, ExportW si.Watts
	Setpoint         *si.Phases // nil: as much as the grant allows, discharging if Export is above 0
	Phases           int
	Hold             bool                         // leave it at its last grant (lowered if a bound demands it); the currents are ignored
	Why              interface{ String() string } // asked only when a grant is sent; may be nil
}

// Bounds are what must be kept: one value per row of the tree, +Inf where nothing is limited.
type Bounds struct {
	Import, Export []float64
}

// FromResult turns an allocation into targets and bounds. An EVSE that was given as unreachable, but is not declared lost
// because its acknowledgements are only late, is left at its last grant.
func FromResult(r allocate.Result) ([]Target, Bounds) {
	targets := make([]Target, len(r.EVSEs))
	for i := range r.EVSEs {
		a := &r.EVSEs[i]
		targets[i] = Target{EVSE: a.ID, Import: a.Import, Export: a.Export, ImportW: a.ImportW, ExportW: a.ExportW,
			Phases: a.Phases, Hold: a.Binding.Kind == allocate.Unreachable, Why: a.Binding}
	}
	return targets, Bounds{Import: r.ImportBound, Export: r.ExportBound}
}

// Ledger knows what every EVSE of a tree may still draw.
type Ledger struct {
	tree *topology.Tree
	o    Options
	seq  uint64
	now  time.Time
	held []holder // per EVSE of the tree
}

// holder is the ledger's page for one EVSE.
type holder struct {
	acked   claim   // the last acknowledged grant, or the worst case before the first
	pending []claim // sent and not acknowledged, oldest first; any of them may be in force
	lost    bool
	sent    Grant // the last one sent
	sentAt  time.Time
	tried   time.Time // when the oldest grant without acknowledgement was sent
	settled bool      // sent was acknowledged
	resend  bool      // sent was refused or is not to be relied upon
}

// claim is one grant that may be in force.
type claim struct {
	seq            uint64
	imports, exprt si.Phases
	until          time.Time // zero: no end
}

// maxPending bounds the claims kept per EVSE; older ones are merged into their worst case.
const maxPending = 8

// New returns a ledger that knows nothing about the past: every own EVSE may hold a lease on its maximum that ends one lease
// from now, every station a profile on its maximum without end. Restore and Opened say better.
func New(tree *topology.Tree, now time.Time, o Options) *Ledger {
	l := &Ledger{tree: tree, o: o.filled(), now: now, held: make([]holder, tree.EVSEs())}
	l.seq = l.o.FirstSeq
	for i := range l.held {
		e := tree.EVSE(i)
		c := claim{imports: tree.Own(i, e.Phases, e.Max), exprt: tree.Own(i, e.Phases, e.MaxExport)}
		if e.Station == nil {
			c.until = now.Add(l.o.Lease)
		}
		l.held[i].acked = c
	}
	return l
}

// Ack confirms that EVSE took the grant with this Seq, and that its draw cannot exceed it any more. Acknowledgements that are
// late, doubled or unknown change nothing.
func (l *Ledger) Ack(evse string, seq uint64) {
	i, ok := l.tree.FindEVSE(evse)
	if !ok {
		return
	}
	h := &l.held[i]
	for k := range h.pending {
		if h.pending[k].seq == seq {
			h.acked = h.pending[k]
			h.pending = append(h.pending[:0], h.pending[k+1:]...)
			h.settled = h.settled || seq == h.sent.Seq
			return
		}
	}
}

// Reject says that a station answered the grant with a refusal: it is not in force. It is sent again after Options.Retry.
func (l *Ledger) Reject(evse string, seq uint64) {
	i, ok := l.tree.FindEVSE(evse)
	if !ok {
		return
	}
	h := &l.held[i]
	for k := range h.pending {
		if h.pending[k].seq == seq {
			h.pending = append(h.pending[:k], h.pending[k+1:]...)
			return
		}
	}
}

// Distrust says that a third-party station was found to draw more than it accepted: it counts as drawing its maximum until
// it acknowledges a grant that is sent after this.
func (l *Ledger) Distrust(evse string) {
	if i, ok := l.tree.FindEVSE(evse); ok && l.tree.EVSE(i).Station != nil {
		h, e := &l.held[i], l.tree.EVSE(i)
		h.acked = claim{imports: l.tree.Own(i, e.Phases, e.Max), exprt: l.tree.Own(i, e.Phases, e.MaxExport)}
		h.pending, h.settled, h.resend = nil, false, true
	}
}

// Lost says that an EVSE or station cannot be reached. It gets no grants; what it may still draw stays reserved until its
// leases lapse, for a station without end.
func (l *Ledger) Lost(evse string) {
	if i, ok := l.tree.FindEVSE(evse); ok {
		l.held[i].lost = true
	}
}

// Found says that an EVSE or station can be reached again. The next Plan sends it a fresh grant.
func (l *Ledger) Found(evse string) {
	if i, ok := l.tree.FindEVSE(evse); ok {
		h := &l.held[i]
		h.lost, h.resend = false, true
	}
}

// Opened says that an own EVSE is known to have its contactor open, for example because it was started anew. Grants already
// on the way to it still count.
func (l *Ledger) Opened(evse string) {
	if i, ok := l.tree.FindEVSE(evse); ok && l.tree.EVSE(i).Station == nil {
		h := &l.held[i]
		h.acked = claim{}
		h.resend = true
	}
}

// Prolong says at now that what a station was granted with an end lasts until then at least: its clock is slower than was believed.
// What had lapsed may be in others' hands meanwhile. It counts again, but no grant goes back up to it before there is room.
func (l *Ledger) Prolong(evse string, now, until time.Time) {
	i, ok := l.tree.FindEVSE(evse)
	if !ok || l.tree.EVSE(i).Station == nil {
		return
	}
	h, e := &l.held[i], l.tree.EVSE(i)
	longer := func(c *claim) {
		if c.until.IsZero() || !c.until.Before(until) {
			return
		}
		if end := l.end(e, c); !end.IsZero() && !now.Before(end) {
			h.sent.Import, h.resend = h.sent.Import.Min(l.tree.Own(i, e.Phases, e.Station.Fallback)), true
		}
		c.until = until
	}
	longer(&h.acked)
	for k := range h.pending {
		longer(&h.pending[k])
	}
}

// Hold is what a third-party station may hold, in the form the journal keeps. It must be stored before the grant it
// comes from is sent.
type Hold struct {
	Import, Export si.Phases
	Until          time.Time // zero: no end
	// Left is what was left until then when it was stored. Who takes it up later has it last as long from then on, as by how much
	// the wall clock was set meanwhile, and for how long nobody counted, is not known.
	Left time.Duration
}

// Resumed is the hold as who takes it up from the journal at now has to count with it.
func (h Hold) Resumed(now time.Time) Hold {
	switch {
	case h.Until.IsZero():
	case h.Left <= 0:
		h.Until = time.Time{}
	default:
		h.Until = now.Add(h.Left)
	}
	return h
}

// Held returns the worst case of everything a station may hold.
func (l *Ledger) Held(evse string) (Hold, bool) {
	i, ok := l.tree.FindEVSE(evse)
	if !ok {
		return Hold{}, false
	}
	h := &l.held[i]
	c := h.acked
	for _, p := range h.pending {
		c = merge(c, p)
	}
	return Hold{Import: c.imports, Export: c.exprt, Until: c.until}, true
}

// Restore replaces the worst case assumed at the start by what the journal says a station holds. It has no effect once a
// grant was sent, because the journal is then behind.
func (l *Ledger) Restore(evse string, hold Hold) {
	i, ok := l.tree.FindEVSE(evse)
	if !ok || l.held[i].sent.Seq != 0 || !si.Finite(hold.Import[:]...) || !si.Finite(hold.Export[:]...) {
		return
	}
	l.held[i].acked = claim{imports: hold.Import.Max(si.Phases{}), exprt: hold.Export.Max(si.Phases{}), until: hold.Until}
}

// Reserved returns what an EVSE may at most draw and discharge at now, on its own phases.
func (l *Ledger) Reserved(evse string, now time.Time) (imports, exports si.Phases) {
	if i, ok := l.tree.FindEVSE(evse); ok {
		return l.reserved(i, now)
	}
	return
}

// Late returns the EVSEs whose oldest grant has been waiting for its acknowledgement for longer than patience. They are best
// treated like lost ones in the next allocation (with Reserved), so that others make room for them.
func (l *Ledger) Late(now time.Time, patience time.Duration) []string {
	var late []string
	for i := range l.held {
		h := &l.held[i]
		if !h.lost && !h.settled && h.sent.Seq != 0 && now.Sub(h.firstTry()) > patience {
			late = append(late, l.tree.EVSE(i).ID)
		}
	}
	return late
}
