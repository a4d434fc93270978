package limits

import (
	"fmt"
	"slices"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// MaxPerSource is how many limits of different id one source may hold at a time.
const MaxPerSource = 64

// clockSlack is how far ahead of the site's clock a source's clock may be.
const clockSlack = time.Minute

// Book is all limits in force. It is not safe for concurrent use: its owner is one actor.
type Book struct {
	known   func(node string) bool
	root    string
	sources map[string]*state
	names   []string // of sources, sorted
}

type state struct {
	Source
	held     map[string]held
	seen     map[string]time.Time // newest Issued per id, also of released ones; bounded by MaxPerSource
	failsafe bool
	since    time.Time // start of the failsafe
	heard    time.Time // last sign of life
}

type held struct {
	Limit
	until time.Time // zero: for ever
}

// NewBook returns a book without limits. known says whether a node exists, root is the id meant by an empty node. now is
// when the site started to listen.
func NewBook(now time.Time, root string, known func(node string) bool, sources ...Source) (*Book, error) {
	b := &Book{known: known, root: root, sources: map[string]*state{}}
	for _, s := range sources {
		if s.FailsafeNode == "" {
			s.FailsafeNode = root
		}
		if s.React == 0 {
			s.React = DefaultReact
		}
		if s.Name == "" || b.sources[s.Name] != nil {
			return nil, fmt.Errorf("limit source %q: names must be given and differ", s.Name)
		}
		if !known(s.FailsafeNode) {
			return nil, fmt.Errorf("limit source %s: its failsafe is for node %q, which does not exist", s.Name, s.FailsafeNode)
		}
		if err := checkValues(s.Failsafe); err != nil {
			return nil, fmt.Errorf("limit source %s: failsafe: %w", s.Name, err)
		}
		if s.Silence < 0 || s.React < 0 {
			return nil, fmt.Errorf("limit source %s: a duration is negative", s.Name)
		}
		b.sources[s.Name] = &state{Source: s, held: map[string]held{}, seen: map[string]time.Time{}, heard: now}
		b.names = append(b.names, s.Name)
	}
	slices.Sort(b.names)
	return b, nil
}

func checkValues(v Values) error {
	for _, w := range []*si.Watts{v.ImportW, v.ExportW} {
		if w == nil {
			continue
		}
		if !si.Finite(*w) {
			return refuse(NotFinite, "a power is not finite")
		}
		if *w < 0 {
			return refuse(Negative, "a power of %v is below 0; export limits are positive numbers", *w)
		}
	}
	if v.CurrentA != nil {
		if !si.Finite(v.CurrentA[:]...) {
			return refuse(NotFinite, "a current is not finite")
		}
		if v.CurrentA.Lowest() < 0 {
			return refuse(Negative, "a current of %v is below 0", v.CurrentA.Lowest())
		}
	}
	return nil
}

// Apply takes a limit. A nil error means that it is in force; otherwise the error is a *Refusal and nothing changed.
// A refused statement is no sign of life.
func (b *Book) Apply(now time.Time, l Limit) error {
	s, err := b.check(now, l.Source, l.ID, l.Issued, l.Retained)
	if err != nil {
		return err
	}
	if l.Node == "" {
		l.Node = b.root
	}
	if !b.known(l.Node) {
		return refuse(UnknownNode, "there is no node %q", l.Node)
	}
	if l.Empty() {
		return refuse(NoValue, "neither import_w, export_w nor current_a is given; use release to lift a limit")
	}
	if err := checkValues(l.Values); err != nil {
		return err
	}
	if l.Validity < 0 {
		return refuse(Negative, "a validity of %v is below 0", l.Validity)
	}
	h := held{Limit: l}
	if l.Validity > 0 {
		left := l.Validity
		if age := b.age(now, l.Issued); age > 0 {
			left -= age
		}
		if left <= 0 {
			return refuse(Expired, "it was valid for %v and is %v old", l.Validity, b.age(now, l.Issued).Round(time.Second))
		}
		h.until = now.Add(left)
	}
	if _, ok := s.held[l.ID]; !ok && len(s.held) >= MaxPerSource {
		return refuse(TooMany, "source %s already holds %d limits; release one or reuse an id", l.Source, MaxPerSource)
	}
	s.held[l.ID] = h
	s.speak(now, l.ID, l.Issued)
	return nil
}

// Restore takes back a limit that was in force when this site, or the owner of its book, last stopped. until is by the wall
// clock, zero for ever. One that has expired meanwhile starts its source's failsafe. What does not fit the site any more is
// refused.
func (b *Book) Restore(now time.Time, l Limit, until time.Time) error {
	s, ok := b.sources[l.Source]
	switch {
	case !ok:
		return refuse(UnknownSource, "source %q is not configured", l.Source)
	case l.ID == "" || !b.known(l.Node):
		return refuse(UnknownNode, "there is no node %q", l.Node)
	}
	if err := checkValues(l.Values); err != nil {
		return err
	}
	if last, ok := s.seen[l.ID]; ok && !last.Before(l.Issued) || len(s.held) >= MaxPerSource {
		return refuse(OutOfOrder, "a newer statement about %q is known", l.ID)
	}
	h := held{Limit: l}
	if !until.IsZero() {
		left := until.Sub(now.Round(0))
		if l.Validity > 0 {
			left = min(left, l.Validity) // a clock that was set back does not make it last longer
		}
		if left <= 0 {
			s.fail(now)
			return nil
		}
		h.until = now.Add(left)
	}
	s.held[l.ID] = h
	if !l.Issued.IsZero() {
		s.seen[l.ID] = l.Issued
	}
	return nil
}

// Held returns a limit that is in force, with the end of its validity by the wall clock (zero: none).
func (b *Book) Held(source, id string) (l Limit, until time.Time, ok bool) {
	s, ok := b.sources[source]
	if !ok {
		return Limit{}, time.Time{}, false
	}
	h, ok := s.held[id]
	return h.Limit, h.until.Round(0), ok
}

// Failed returns the sources whose failsafe is in force, sorted.
func (b *Book) Failed() []string {
	var out []string
	for _, name := range b.names {
		if b.sources[name].failsafe {
			out = append(out, name)
		}
	}
	return out
}

// Fail starts the failsafe of a source, as if one of its limits had just expired.
func (b *Book) Fail(now time.Time, source string) {
	if s, ok := b.sources[source]; ok {
		s.fail(now)
	}
}

// Release lifts one limit of a source.
func (b *Book) Release(now time.Time, source, id string, issued time.Time, retained bool) error {
	s, err := b.check(now, source, id, issued, retained)
	if err != nil {
		return err
	}
	_, ok := s.held[id]
	if !ok && !s.failsafe {
		return refuse(NotFound, "source %s holds no limit %q", source, id)
	}
	delete(s.held, id)
	s.speak(now, id, issued)
	return nil
}

// Heartbeat is a sign of life of a source: it ends a failsafe caused by silence, but not one caused by expiry.
func (b *Book) Heartbeat(now time.Time, source string) error {
	s, ok := b.sources[source]
	if !ok {
		return refuse(UnknownSource, "source %q is not configured", source)
	}
	if s.failsafe && s.Silence > 0 && !s.heard.Add(s.Silence).After(s.since) && len(s.held) == 0 {
		s.failsafe = false
	}
	s.heard = now
	return nil
}

// Admit checks a statement that the book itself does not hold, such as one for an energy guard, like Apply does, and counts it
// as a sign of life.
func (b *Book) Admit(now time.Time, source, id string, issued time.Time, retained bool) error {
	s, err := b.check(now, source, id, issued, retained)
	if err != nil {
		return err
	}
	s.speak(now, id, issued)
	return nil
}

func (b *Book) check(now time.Time, source, id string, issued time.Time, retained bool) (*state, error) {
	s, ok := b.sources[source]
	switch {
	case retained:
		return nil, refuse(Retained, "set topics take no retained messages; publish it without retain")
	case !ok:
		return nil, refuse(UnknownSource, "source %q is not configured", source)
	case id == "":
		return nil, refuse(NoID, "give the limit an id")
	case b.age(now, issued) < -clockSlack:
		return nil, refuse(FromFuture, "its time is %v ahead of this site's clock; set both clocks by NTP", -b.age(now, issued).Round(time.Second))
	}
	if last, ok := s.seen[id]; ok && !issued.IsZero() && !issued.After(last) {
		return nil, refuse(OutOfOrder, "a statement about %q from %v is already known", id, last.UTC().Format(time.RFC3339Nano))
	}
	return s, nil
}

// age is how long ago issued was, by the wall clock; 0 if unknown.
func (b *Book) age(now, issued time.Time) time.Duration {
	if issued.IsZero() {
		return 0
	}
	return now.Round(0).Sub(issued.Round(0))
}

func (s *state) speak(now time.Time, id string, issued time.Time) {
	s.failsafe = false
	s.heard = now
	if issued.IsZero() {
		return
	}
	if _, ok := s.seen[id]; !ok && len(s.seen) >= MaxPerSource {
		oldest := ""
		for k, at := range s.seen { // smallest time, then smallest id: independent of map order
			if o := s.seen[oldest]; oldest == "" || at.Before(o) || (at.Equal(o) && k < oldest) {
				oldest = k
			}
		}
		delete(s.seen, oldest)
	}
	s.seen[id] = issued
}

// Expire removes what is no longer valid at now and starts the failsafes that follow. It reports whether anything changed,
// and the next instant at which something will (zero: never). Call it before Effective, and again at next.
func (b *Book) Expire(now time.Time) (changed bool, next time.Time) {
	sooner := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for _, name := range b.names {
		s := b.sources[name]
		for id, h := range s.held {
			switch {
			case h.until.IsZero():
			case !h.until.After(now):
				delete(s.held, id)
				changed = true
				s.fail(now)
			default:
				sooner(h.until)
			}
		}
		if s.Silence > 0 && !s.failsafe && !s.Failsafe.Empty() {
			if at := s.heard.Add(s.Silence); !at.After(now) {
				s.fail(now)
				changed = true
			} else {
				sooner(at)
			}
		}
	}
	return changed, next
}

func (s *state) fail(now time.Time) {
	if !s.failsafe && !s.Failsafe.Empty() {
		s.failsafe, s.since = true, now
	}
}

// Effective returns the strictest statements at every node that has one, sorted by node.
func (b *Book) Effective() []Effective {
	at := map[string]*Effective{}
	put := func(node string, v Values, bound Bound) {
		if at[node] == nil {
			at[node] = &Effective{Node: node}
		}
		at[node].merge(v, bound)
	}
	for _, name := range b.names {
		s := b.sources[name]
		for id, h := range s.held {
			put(h.Node, h.Values, Bound{Source: name, ID: id, Priority: h.Priority, React: s.React})
		}
		if s.failsafe {
			put(s.FailsafeNode, s.Failsafe, Bound{Source: name, ID: "failsafe", React: s.React})
		}
	}
	var out []Effective
	for _, e := range at {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(x, y Effective) int {
		if x.Node < y.Node {
			return -1
		}
		return 1
	})
	return out
}

// Failsafe reports whether the failsafe of a source is in force, and since when.
func (b *Book) Failsafe(source string) (bool, time.Time) {
	if s, ok := b.sources[source]; ok && s.failsafe {
		return true, s.since
	}
	return false, time.Time{}
}
