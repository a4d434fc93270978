package publisher

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

const sum = "0123456789abcdef0123456789abcdef"

// slow is a station that takes nothing for the time being.
type slow struct {
	*httptest.ResponseRecorder
	begun, goOn chan struct{}
}

func (s *slow) Write(b []byte) (int, error) {
	s.begun <- struct{}{}
	<-s.goOn
	return s.ResponseRecorder.Write(b)
}

func filled(t *testing.T) *shelf {
	t.Helper()
	s := newShelf(t.TempDir())
	if err := os.WriteFile(s.path(sum), []byte("new firmware"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// A file is not withdrawn while a station downloads it (L04.FR.04), and then is.
func TestAFileIsKeptWhileAStationDownloadsIt(t *testing.T) {
	s := filled(t)
	w := &slow{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, prefix+sum+"/x", nil))
		close(ended)
	}()
	<-w.begun
	if got, err := s.take(sum); got != takenBusy || err != nil {
		t.Errorf("while it is downloaded: %v, %v", got, err)
	}
	close(w.goOn)
	<-ended
	if w.Body.String() != "new firmware" {
		t.Errorf("downloaded %q", w.Body)
	}
	for _, want := range []taken{takenAway, takenNone} {
		if got, err := s.take(sum); got != want || err != nil {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
}

func TestWhatStationsAreAnswered(t *testing.T) {
	s := filled(t)
	if err := os.WriteFile(s.path("secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		method, path, bytes string
		status              int
		body                string
	}{
		{"GET", prefix + sum, "", 200, "new firmware"},
		{"GET", prefix + sum + "/any.bin", "bytes=4-7", 206, "firm"},
		{"GET", prefix + sum + "/any.bin", "bytes=99-", 416, ""},
		{"HEAD", prefix + sum, "", 200, ""},
		{"PUT", prefix + sum, "", 405, ""},
		{"GET", prefix + "secret", "", 404, ""},
		{"GET", prefix + "../" + sum, "", 404, ""},
		{"GET", prefix + strings.Repeat("1", 32), "", 404, ""},
		{"GET", "/", "", 404, ""},
	} {
		r := httptest.NewRequest(x.method, "/", nil)
		r.URL.Path = x.path
		if x.bytes != "" {
			r.Header.Set("Range", x.bytes)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != x.status || x.body != "" && w.Body.String() != x.body {
			t.Errorf("%v: %d %q", x, w.Code, w.Body)
		}
	}
	s.serving = mostReaders
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, prefix+sum, nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("one too many: %d", w.Code)
	}
}

func TestRoomOnTheShelf(t *testing.T) {
	s := filled(t)
	other := strings.Repeat("a", 32)
	for _, name := range []string{other + ".get.part", strings.Repeat("b", 32) + ".get.part"} {
		if err := os.WriteFile(s.path(name), make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.sweep(other)
	if got := s.used(other); got != 12 {
		t.Errorf("%d bytes are used", got)
	}
	if got := s.used(""); got != 112 {
		t.Errorf("%d bytes are used with the download", got)
	}
}

func FuzzLocation(f *testing.F) {
	f.Add("https://files.example/a/image-1.0.bin?x=1")
	f.Add("http://files.example/..")
	f.Fuzz(func(t *testing.T, from string) {
		l := location("http://192.0.2.1:9080/", sum, from)
		if !strings.HasPrefix(l, "http://192.0.2.1:9080"+prefix+sum+"/") || len(l) > 512 || strings.ContainsAny(l[25:], " %?#") || strings.HasSuffix(l, "/..") {
			t.Errorf("%q: %q", from, l)
		}
	})
}
