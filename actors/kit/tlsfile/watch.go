package tlsfile

import (
	"os"
	"slices"
	"sync"
	"time"
)

// checkEvery is how often, at most, a watch looks at its files.
const checkEvery = time.Second

// Watch tells whether files have changed. It looks only when it is asked, and seldom.
type Watch struct {
	names []string
	clock func() time.Time

	mu      sync.Mutex
	seen    []stamp
	checked time.Time
}

// stamp is how a file looked when it was seen.
type stamp struct {
	size int64
	time time.Time
}

// NewWatch begins to watch files; how they are now is not a change. Empty names are left out.
func NewWatch(names ...string) *Watch {
	w := &Watch{names: slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" }), clock: time.Now}
	w.seen, w.checked = w.look(), w.clock()
	return w
}

func (w *Watch) look() []stamp {
	out := make([]stamp, len(w.names))
	for i, name := range w.names {
		if info, err := os.Stat(name); err == nil {
			out[i] = stamp{info.Size(), info.ModTime()}
		}
	}
	return out
}

// Changed reports, once for each change, that a file is another than before.
func (w *Watch) Changed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock()
	if now.Sub(w.checked) < checkEvery {
		return false
	}
	w.checked = now
	seen := w.look()
	if slices.Equal(seen, w.seen) {
		return false
	}
	w.seen = seen
	return true
}
