package publisher

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// prefix is the path under which files are offered, followed by their MD5 and any name.
const prefix = "/firmware/"

var sumRule = regexp.MustCompile(`^[0-9a-f]{32}$`)

// shelf is the folder of published files, and who downloads what from it. A file is there whole or not at all.
type shelf struct {
	dir string

	mu      sync.Mutex
	open    map[string]int // downloads under way
	serving int
}

// mostReaders is how many stations may download at a time; another one is asked to come again.
const mostReaders = 64

// stall is how long a station may take nothing of what is sent to it.
const stall = time.Minute

func newShelf(dir string) *shelf { return &shelf{dir: dir, open: map[string]int{}} }

func (s *shelf) path(sum string) string { return filepath.Join(s.dir, sum) }

func (s *shelf) has(sum string) bool {
	_, err := os.Stat(s.path(sum))
	return err == nil
}

// used is the room that files take, in bytes, without those of one that is being downloaded.
func (s *shelf) used(but string) (n int64) {
	entries, _ := os.ReadDir(s.dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && !strings.HasPrefix(e.Name(), but+".") {
			n += info.Size()
		}
	}
	return n
}

// sweep removes what is neither published nor being downloaded.
func (s *shelf) sweep(but string) {
	entries, _ := os.ReadDir(s.dir)
	for _, e := range entries {
		if !sumRule.MatchString(e.Name()) && !strings.HasPrefix(e.Name(), but+".") {
			_ = os.Remove(filepath.Join(s.dir, e.Name()))
		}
	}
}

type taken int

const (
	takenAway taken = iota
	takenNone
	takenBusy
)

// take removes a file, unless somebody downloads it.
func (s *shelf) take(sum string) (taken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.has(sum):
		return takenNone, nil
	case s.open[sum] > 0:
		return takenBusy, nil
	}
	return takenAway, os.Remove(s.path(sum))
}

// ServeHTTP gives files to stations, in parts if they ask so.
func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, prefix)
	sum, _, _ := strings.Cut(rest, "/")
	if !ok || !sumRule.MatchString(sum) {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	s.mu.Lock()
	if s.serving >= mostReaders {
		s.mu.Unlock()
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	f, err := os.Open(s.path(sum))
	if err != nil {
		s.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	s.serving++
	s.open[sum]++
	s.mu.Unlock()
	defer func() {
		_ = f.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.serving--
		if s.open[sum]--; s.open[sum] <= 0 {
			delete(s.open, sum)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Etag", `"`+sum+`"`)
	http.ServeContent(&patient{w, http.NewResponseController(w)}, r, "", info.ModTime(), f)
}

// patient gives every part of an answer time of its own.
type patient struct {
	http.ResponseWriter
	c *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	_ = p.c.SetWriteDeadline(time.Now().Add(stall))
	return p.ResponseWriter.Write(b)
}
