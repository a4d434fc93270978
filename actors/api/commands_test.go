package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/plan"
)

func TestLimitsAndCommandsOfTheOperator(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		var view kit.Cell[msg.SiteView]
		cost, soc := 1.25, si.Percent(40)
		now := time.Now()
		view.Store(&msg.SiteView{At: now, Plan: &msg.PlanView{Currency: "EUR"}, EVSEs: []msg.EVSEView{{ID: "a1", Since: &now, SoC: &soc, LimitedBy: "fuse F2 phase L1 32 A, shared with 3",
			Estimates: []plan.Estimate{{SoC: 50, At: now.Add(time.Hour), Cost: &cost}}}, {ID: "a2"}}})
		a := &API{env: env, cfg: Config{View: &view}}
		a.self = kittest.Spawn(t, env, "api", func() actor.Actor { return receiver{a} })
		balancer := kittest.NewProbe(t, env, msg.Balancer, func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case msg.ApplyLimit:
				ctx.Send(m.Reply, msg.LimitAnswer{Source: m.Limit.Source, ID: m.Limit.ID, Accepted: true, Code: limits.Accepted, AppliedAt: now})
				ctx.Send(m.Reply, msg.LimitAnswer{Source: m.Limit.Source, ID: m.Limit.ID, Accepted: true, Code: limits.Accepted, AppliedAt: now, ReachedAt: now})
			case msg.EVSECommand:
				ctx.Send(m.Reply, msg.CommandAnswer{EVSE: m.EVSE, Verb: m.Verb, ID: m.ID, Code: limits.NoVehicle, Text: "none"})
			}
		})
		h := a.guarded(a.routes())
		call := func(method, path, body, kind string) (int, string) {
			r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
			r.RemoteAddr = "127.0.0.1:1"
			if kind != "" {
				r.Header.Set("Content-Type", kind)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		const js = "application/json"
		for _, c := range []struct {
			method, path, body, kind string
			code                     int
		}{
			{"POST", "/api/v1/limits", `{"id":"x","import_w":0,"ts":1893456000}`, js, http.StatusAccepted},
			{"POST", "/api/v1/limits", `{"id":"x","import_w":0,"ts":1893456000}`, "text/plain", http.StatusUnsupportedMediaType},
			{"POST", "/api/v1/limits", `{"id":"x","import":0}`, js, http.StatusBadRequest},
			{"POST", "/api/v1/evses/a1/pause", `{"id":"y","value":true,"ts":1893456000}`, js, http.StatusAccepted},
			{"POST", "/api/v1/evses/a1/jump", `{"id":"y","value":true,"ts":1893456000}`, js, http.StatusBadRequest},
			{"GET", "/api/v1/answers/z", "", "", http.StatusNotFound},
		} {
			if code, body := call(c.method, c.path, c.body, c.kind); code != c.code {
				t.Errorf("%s %s: %d %s, want %d", c.method, c.path, code, body, c.code)
			}
		}
		got := balancer.Take()
		l, _ := kittest.Last[msg.ApplyLimit](got)
		if l.Limit.Source != operator || l.Limit.ImportW == nil || *l.Limit.ImportW != 0 {
			t.Errorf("%+v", l)
		}
		if c, _ := kittest.Last[msg.EVSECommand](got); c.EVSE != "a1" || c.Verb != msg.Pause || !c.On {
			t.Errorf("%+v", c)
		}
		var x Answer
		if code, body := call("GET", "/api/v1/answers/x", "", ""); code != 200 || json.Unmarshal([]byte(body), &x) != nil || !x.Accepted || x.ReachedAt == nil {
			t.Errorf("%d %s", code, body)
		}
		if code, body := call("GET", "/api/v1/answers/y", "", ""); code != 200 || !strings.Contains(body, `"no_vehicle"`) {
			t.Errorf("%d %s", code, body)
		}
		if code, body := call("GET", "/api/v1/estimates", "", ""); code != 200 || !strings.Contains(body, `"cost":1.25`) || strings.Contains(body, "a2") || !strings.Contains(body, "shared with 3") {
			t.Errorf("%d %s", code, body)
		}
		for range 3 * keptAnswers {
			call("POST", "/api/v1/limits", `{"id":"x","import_w":0,"ts":1893456000}`, js)
		}
		balancer.Take()
		if n := len(*a.answers.Load()); n != keptAnswers {
			t.Errorf("%d answers are kept", n)
		}
	})
}

// receiver is the part of the actor that hears answers, without the server.
type receiver struct{ *API }

func (r receiver) Receive(ctx actor.Context) { r.heard(ctx) }
