// Package logring keeps the last lines of the log in memory, for those who ask for diagnostics.
package logring

import (
	"sync"
	"time"
)

// Ring is a log's second writer. Its room is bounded; the oldest lines make room.
type Ring struct {
	mu    sync.Mutex
	max   int
	size  int
	lines []Line
}

// Line is one line with the time at which it was written.
type Line struct {
	At   time.Time
	Text []byte
}

// New makes a ring for so many bytes.
func New(bytes int) *Ring { return &Ring{max: bytes} }

// overhead is what a line costs beside its text.
const overhead = 64

// Write keeps one line, which the log writes at once. It never fails.
func (r *Ring) Write(b []byte) (int, error) {
	l := Line{time.Now(), append([]byte(nil), b[:min(len(b), r.max/4)]...)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
	r.size += len(l.Text) + overhead
	n := 0
	for ; r.size > r.max && n < len(r.lines); n++ {
		r.size -= len(r.lines[n].Text) + overhead
		r.lines[n] = Line{}
	}
	r.lines = r.lines[n:]
	return len(b), nil
}

// Between returns the lines from oldest on and before latest; the zero time is no bound.
func (r *Ring) Between(oldest, latest time.Time) []Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Line
	for _, l := range r.lines {
		if !l.At.Before(oldest) && (latest.IsZero() || l.At.Before(latest)) {
			out = append(out, l)
		}
	}
	return out
}
