package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
)

func TestWhoIsAnswered(t *testing.T) {
	var view kit.Cell[msg.SiteView]
	view.Store(&msg.SiteView{Site: "x", At: time.Now()})
	a := &API{env: kit.NewEnv(zerolog.Nop()), cfg: Config{Token: "secret", View: &view}}
	h := a.guarded(a.routes())
	for name, c := range map[string]struct {
		from, host, token, origin string
		code                      int
	}{
		"loopback":                        {"127.0.0.1:5", "127.0.0.1:8080", "", "", 200},
		"loopback v6":                     {"[::1]:5", "localhost:8080", "", "", 200},
		"network":                         {"192.0.2.1:5", "gateway:8080", "", "", 401},
		"network with token":              {"192.0.2.1:5", "gateway:8080", "Bearer secret", "", 200},
		"network with wrong token":        {"192.0.2.1:5", "gateway:8080", "Bearer secre", "", 401},
		"network with empty token":        {"192.0.2.1:5", "gateway:8080", "Bearer ", "", 401},
		"a name that leads to loopback":   {"127.0.0.1:5", "evil.example.com:8080", "", "", 401},
		"a page of another site":          {"127.0.0.1:5", "127.0.0.1:8080", "", "http://evil.example.com", 401},
		"address mapped to v4 of the LAN": {"[::ffff:192.0.2.1]:5", "gateway", "", "", 401},
	} {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/site", nil)
		r.RemoteAddr, r.Host = c.from, c.host
		if c.token != "" {
			r.Header.Set("Authorization", c.token)
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.code {
			t.Errorf("%s: %d, want %d", name, w.Code, c.code)
		}
	}
}

func TestHealthNeedsDecisions(t *testing.T) {
	var view kit.Cell[msg.SiteView]
	a := &API{env: kit.NewEnv(zerolog.Nop()), cfg: Config{View: &view}}
	get := func() int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://localhost/healthz", nil)
		r.RemoteAddr = "127.0.0.1:1"
		a.guarded(a.routes()).ServeHTTP(w, r)
		return w.Code
	}
	if got := get(); got != http.StatusServiceUnavailable {
		t.Errorf("before the first decision: %d", got)
	}
	view.Store(&msg.SiteView{At: time.Now()})
	if got := get(); got != http.StatusOK {
		t.Errorf("after a decision: %d", got)
	}
	view.Store(&msg.SiteView{At: time.Now().Add(-time.Minute)})
	if got := get(); got != http.StatusServiceUnavailable {
		t.Errorf("a minute after the last decision: %d", got)
	}
	if !strings.Contains(string(schema), "limited_by") {
		t.Error("the schema does not describe the site")
	}
}
