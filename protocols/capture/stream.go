package capture

import (
	"net/netip"
	"slices"
)

// flow is one direction of a TCP connection.
type flow struct {
	src, dst netip.AddrPort
	segments []packet
}

// connection is a TCP connection with its two directions; the first is that of
// the side that began, as far as the capture tells.
type connection struct {
	dirs [2]*flow
}

// tracker assigns segments to connections.
type tracker struct {
	open map[[2]netip.AddrPort]*connection
	all  []*connection
}

func newTracker() *tracker { return &tracker{open: map[[2]netip.AddrPort]*connection{}} }

// add takes in a segment. A new SYN between the same ports after data begins a
// new connection.
func (t *tracker) add(p packet) {
	key := [2]netip.AddrPort{p.src, p.dst}
	c := t.open[key]
	dir := 0
	if c != nil && c.dirs[0].src != p.src {
		dir = 1
	}
	if c == nil || p.syn && dir == 0 && slices.ContainsFunc(c.dirs[0].segments, func(q packet) bool { return len(q.payload) > 0 }) {
		c = &connection{[2]*flow{{src: p.src, dst: p.dst}, {src: p.dst, dst: p.src}}}
		t.open[key], t.open[[2]netip.AddrPort{p.dst, p.src}] = c, c
		t.all = append(t.all, c)
		dir = 0
	}
	if len(p.payload) > 0 || p.syn {
		c.dirs[dir].segments = append(c.dirs[dir].segments, p)
	}
}

// piece is a gapless stretch of a flow.
type piece struct {
	data  []byte
	marks []mark
}

// mark tells with which frame the octets up to end were complete.
type mark struct {
	end   int
	frame *Frame
}

// frameAt returns the frame with which everything up to index i was complete.
func (s *piece) frameAt(i int) *Frame {
	k, _ := slices.BinarySearchFunc(s.marks, i+1, func(m mark, want int) int { return m.end - want })
	if k == len(s.marks) {
		k--
	}
	return s.marks[k].frame
}

// reassemble orders the segments by sequence number, drops what was sent twice
// and cuts the stream where octets are missing.
func (f *flow) reassemble() []piece {
	if len(f.segments) == 0 {
		return nil
	}
	type part struct {
		at int64
		p  packet
	}
	base := f.segments[0].seq
	parts := make([]part, 0, len(f.segments))
	for _, p := range f.segments {
		at := int64(int32(p.seq - base))
		if p.syn {
			at++ // a SYN takes one sequence number
		}
		if len(p.payload) > 0 {
			parts = append(parts, part{at, p})
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return int(max(-1, min(1, a.at-b.at))) })
	var out []piece
	next := int64(0)
	for _, p := range parts {
		data := p.p.payload
		if len(out) == 0 || p.at > next {
			out = append(out, piece{})
			next = p.at
		}
		if skip := next - p.at; skip >= int64(len(data)) {
			continue
		} else {
			data = data[skip:]
		}
		s := &out[len(out)-1]
		s.data = append(s.data, data...)
		frame := p.p.frame
		if n := len(s.marks); n > 0 && s.marks[n-1].frame.Number > frame.Number {
			frame = s.marks[n-1].frame
		}
		s.marks = append(s.marks, mark{len(s.data), frame})
		next += int64(len(data))
	}
	return out
}
