package api

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/building"
	"github.com/voltyard/voltyard/site/limits"
)

// operator is the source of limits that are set by hand.
const operator = "operator"

// Answer is what became of a limit or command that came over the API.
type Answer struct {
	ID        string     `json:"id"`
	About     string     `json:"about"` // limit, or evse/<id>/<command>
	Accepted  bool       `json:"accepted"`
	Code      string     `json:"code"`
	Text      string     `json:"text,omitempty"`
	AppliedAt *time.Time `json:"applied_at"`
	ReachedAt *time.Time `json:"reached_at"`
	At        time.Time  `json:"at"`
}

// keptAnswers is how many answers can be asked for.
const keptAnswers = 100

// setLimit takes a limit of the operator: POST /api/v1/limits, with the payload that MQTT has. The balancer's answer is at
// GET /api/v1/answers/{id}; a handler does not wait for it.
func (a *API) setLimit(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		problem(w, http.StatusRequestEntityTooLarge, err.Error())
		return
	}
	s, err := building.ParseLimit(body)
	if err != nil {
		a.env.Metrics.BadInput.WithLabelValues("http", building.Malformed).Inc()
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	now := time.Now()
	var m any = msg.ApplyLimit{Received: now, Reply: a.self, Limit: limits.Limit{Source: operator, ID: s.ID, Node: s.Node,
		Values: limits.Values{ImportW: s.ImportW, ExportW: s.ExportW, CurrentA: s.CurrentA}, Issued: s.TS, Validity: s.Validity, Priority: s.Priority}}
	if s.Release {
		m = msg.ReleaseLimit{Source: operator, ID: s.ID, Issued: s.TS, Received: now, Reply: a.self}
	}
	a.env.Send(msg.Balancer, m)
	accepted(w, s.ID)
}

// command takes a command to an EVSE: POST /api/v1/evses/{id}/{command}, with the payload that MQTT has.
func (a *API) command(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		problem(w, http.StatusRequestEntityTooLarge, err.Error())
		return
	}
	verb := r.PathValue("command")
	c, err := building.ParseCommand(verb, body)
	if err != nil {
		a.env.Metrics.BadInput.WithLabelValues("http", building.Malformed).Inc()
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	a.env.Send(msg.Balancer, msg.EVSECommand{EVSE: r.PathValue("id"), ID: c.ID, Verb: msg.Verb(verb), On: c.On, Number: c.Number, At: c.At,
		Validity: c.Validity, Text: c.Text, Issued: c.TS, Reply: a.self})
	accepted(w, c.ID)
}

func accepted(w http.ResponseWriter, id string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]string{"id": id, "answer": "/api/v1/answers/" + id})
}

// answer shows the last answer about an id.
func (a *API) answer(w http.ResponseWriter, r *http.Request) {
	if all := a.answers.Load(); all != nil {
		for _, x := range slices.Backward(*all) {
			if x.ID == r.PathValue("id") {
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(x)
				return
			}
		}
	}
	problem(w, http.StatusNotFound, "there is no answer about this id; the newest 100 are kept")
}

// heard keeps an answer of the balancer.
func (a *API) heard(ctx actor.Context) {
	var x Answer
	switch m := ctx.Message().(type) {
	case msg.LimitAnswer:
		x = Answer{ID: m.ID, About: "limit", Accepted: m.Accepted, Code: string(m.Code), Text: m.Text, AppliedAt: instant(m.AppliedAt), ReachedAt: instant(m.ReachedAt)}
	case msg.CommandAnswer:
		x = Answer{ID: m.ID, About: "evse/" + m.EVSE + "/" + string(m.Verb), Accepted: m.Accepted, Code: string(m.Code), Text: m.Text}
		if m.Accepted {
			x.AppliedAt = instant(m.At)
		}
	default:
		return
	}
	x.At = time.Now().UTC()
	var all []Answer
	if old := a.answers.Load(); old != nil {
		all = slices.Clone(*old)
	}
	all = append(all, x)
	if len(all) > keptAnswers {
		all = all[len(all)-keptAnswers:]
	}
	a.answers.Store(&all)
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// estimates shows drivers when their vehicle will have reached 50, 80 and 100 %, and at what cost: GET /api/v1/estimates.
func (a *API) estimates(w http.ResponseWriter, _ *http.Request) {
	v := a.cfg.View.Load()
	if v == nil {
		problem(w, http.StatusServiceUnavailable, "the site is starting")
		return
	}
	type vehicle struct {
		EVSE      string     `json:"evse"`
		SoC       any        `json:"soc"`
		Departure *time.Time `json:"departure,omitempty"`
		LimitedBy string     `json:"limited_by,omitempty"`
		Goals     any        `json:"goals"`
	}
	out := map[string]any{"at": v.At, "currency": "", "vehicles": []vehicle{}}
	if v.Plan != nil {
		out["currency"] = v.Plan.Currency
	}
	list := []vehicle{}
	for i := range v.EVSEs {
		if e := &v.EVSEs[i]; e.Since != nil {
			list = append(list, vehicle{e.ID, e.SoC, e.Departure, e.LimitedBy, append(e.Estimates[:0:0], e.Estimates...)})
		}
	}
	out["vehicles"] = list
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(out)
}

// jsonOnly refuses what a form of another page could send.
func jsonOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" {
			problem(w, http.StatusUnsupportedMediaType, "send JSON with Content-Type: application/json")
			return
		}
		next(w, r)
	}
}
