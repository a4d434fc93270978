package transfer

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func data(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.IntN(256))
	}
	return b
}

// A server that breaks off again and again delivers the file in the end, and no byte of it twice.
func TestADownloadGoesOnWhereItBrokeOff(t *testing.T) {
	want := data(300_000)
	var sent, asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Etag", `"v1"`)
		http.ServeContent(&breaking{ResponseWriter: w, left: 70_000, sent: &sent}, r, "", time.Time{}, bytes.NewReader(want))
	}))
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "image")
	pauses := 0
	err := Get(context.Background(), Config{Local: true, Paused: func(p bool, why error) {
		if p {
			pauses++
		}
	}}, srv.URL, path, 20, time.Millisecond)
	got, _ := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if asked.Load() != int64(pauses)+1 || sent.Load() > 300_000+int64(pauses)*70_000/2 || pauses < 4 {
		t.Errorf("%d requests, %d pauses, %d bytes", asked.Load(), pauses, sent.Load())
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// breaking ends the connection after so many bytes.
type breaking struct {
	http.ResponseWriter
	left int
	sent *atomic.Int64
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	b.sent.Add(int64(len(p)))
	n, err := b.ResponseWriter.Write(p)
	b.ResponseWriter.(http.Flusher).Flush()
	return n, err
}

// What was loaded of a file that has changed since is thrown away.
func TestAChangedFileIsLoadedFromTheStart(t *testing.T) {
	first, second := data(100_000), data(80_000)
	var n atomic.Int64
	var sent atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			w.Header().Set("Etag", `"a"`)
			http.ServeContent(&breaking{ResponseWriter: w, left: 70_000, sent: &sent}, r, "", time.Time{}, bytes.NewReader(first))
			return
		}
		w.Header().Set("Etag", `"b"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(second))
	}))
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "image")
	err := Get(context.Background(), Config{Local: true}, srv.URL, path, 3, 0)
	if got, _ := os.ReadFile(path); err != nil || !bytes.Equal(got, second) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestWhatCannotBeDownloaded(t *testing.T) {
	var asked atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); _, _ = w.Write(make([]byte, 2000)) })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		for {
			if _, err := w.Write(make([]byte, 500)); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/gone", func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); w.WriteHeader(http.StatusGone) })
	mux.HandleFunc("/odd", func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Range", "bytes 5-9/10")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(make([]byte, 5))
	})
	mux.HandleFunc("/stalls", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("x"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/trickles", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		for tick := time.NewTicker(5 * time.Millisecond); r.Context().Err() == nil; <-tick.C {
			_, _ = w.Write([]byte("x"))
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, x := range []struct {
		url   string
		asked int64
		says  string
	}{
		{srv.URL + "/big", 1, "at most 1000"}, {srv.URL + "/endless", 1, "more than the 1000"}, {srv.URL + "/gone", 3, "410"}, {srv.URL + "/odd", 3, "another part"},
		{srv.URL + "/stalls", 3, "nothing came for"}, {srv.URL + "/trickles", 3, "are the least"}, {srv.URL + "/round", 0, "redirections"}, {"ftp://user:secret@files.example/x", 0, "https"},
		{"https://user:secret@127.0.0.1:1/x", 0, "refused"}, {"http://user:secret@exa mple/", 0, "cannot be read"}, {"file:///etc/passwd", 0, "want http"}, {"", 0, "want http"},
	} {
		asked.Store(0)
		dir := t.TempDir()
		err := Get(context.Background(), Config{Max: 1000, Idle: 50 * time.Millisecond, Least: 500, Window: 50 * time.Millisecond, Local: true}, x.url, filepath.Join(dir, "image"), 2, 0)
		if err == nil || asked.Load() != x.asked || !strings.Contains(err.Error(), x.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: asked %d times: %v", x.url, asked.Load(), err)
		}
		var sum int64
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			info, _ := e.Info()
			sum += info.Size()
		}
		if sum > 1100 {
			t.Errorf("%s: %d bytes are left", x.url, sum)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Get(ctx, Config{Local: true}, srv.URL+"/big", filepath.Join(t.TempDir(), "x"), 5, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A server whose certificate chains to no root that counts gets and gives nothing.
func TestServersAreVerified(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) }))
	srv.Config.ErrorLog = nil
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "image")
	if err := Get(context.Background(), Config{Local: true}, srv.URL, path, 0, 0); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	if err := Get(context.Background(), Config{Local: true, Roots: NewRoots(roots)}, srv.URL, path, 0, 0); err != nil {
		t.Fatal(err)
	}
	installed := NewRoots(x509.NewCertPool())
	installed.Install("CS1", []*x509.Certificate{srv.Certificate()})
	if err := Get(context.Background(), Config{Local: true, Roots: installed}, srv.URL, path+"2", 0, 0); err != nil {
		t.Fatal(err)
	}
	installed.Install("CS1", nil)
	if err := Get(context.Background(), Config{Local: true, Roots: installed}, srv.URL, path+"3", 0, 0); err == nil {
		t.Fatal("a root that was deleted counts")
	}
}

func TestUploads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	want := data(200_000)
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	var got string
	var status []int
	var methods string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		methods += r.Method + " "
		if len(status) > 0 {
			st := status[0]
			status = status[1:]
			if st != 0 {
				w.WriteHeader(st)
				return
			}
		}
		body, name := io.Reader(r.Body), r.URL.Path
		if r.Method == http.MethodPost {
			f, h, err := r.FormFile("uploadfile")
			if err != nil {
				t.Error(err)
				return
			}
			body, name = f, h.Filename
		}
		user, pass, _ := r.BasicAuth()
		b, err := io.ReadAll(body)
		got = fmt.Sprint(name, " ", user, ":", pass, " ", err == nil && bytes.Equal(b, want))
	}))
	defer srv.Close()
	with := "http://u:secret@" + strings.TrimPrefix(srv.URL, "http://")
	for _, x := range []struct {
		url    string
		status []int
		got    string
		code   int
		asked  string
	}{
		{with + "/put", nil, "/put u:secret true", 0, "PUT "},
		{with + "/folder/", nil, "/folder/log.tar.gz u:secret true", 0, "PUT "},
		{srv.URL + "/", []int{503}, "/log.tar.gz : true", 0, "PUT PUT "},
		{srv.URL + "/", []int{405}, "log.tar.gz : true", 0, "PUT POST "},
		{with + "/", []int{403, 401}, "", 401, "PUT PUT "},
		{srv.URL + "/", []int{405, 501, 405, 501}, "", 501, "PUT POST PUT POST "},
	} {
		got, status, methods = "", x.status, ""
		err := Send(context.Background(), Config{Local: true}, file, x.url, "log.tar.gz", 1, 0)
		var st *Status
		code := 0
		if errors.As(err, &st) {
			code = st.Code
		}
		if got != x.got || code != x.code || methods != x.asked || (err == nil) != (x.code == 0) || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %q, %s, %v", x, got, methods, err)
		}
	}
}

func FuzzRangeStart(f *testing.F) {
	f.Add("bytes 5-9/10")
	f.Add("bytes 0-0/*")
	f.Fuzz(func(t *testing.T, text string) {
		if n, ok := rangeStart(text); ok && (n < 0 || !strings.HasPrefix(text, "bytes ")) {
			t.Errorf("%q begins at %d", text, n)
		}
	})
}
