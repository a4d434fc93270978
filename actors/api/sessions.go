package api

import (
	"encoding/hex"
	"encoding/json"
	"net/http"

	"github.com/voltyard/voltyard/actors/kit/sessiontrace"
	"github.com/voltyard/voltyard/storage/bolt"
)

// Records is the database as the API reads it; readers do not disturb its one writer.
type Records interface {
	Scan(bucket string, prefix []byte) ([]bolt.KV, error)
}

// sessions lists the sessions with vehicles that are kept, oldest first.
func (a *API) sessions(w http.ResponseWriter, _ *http.Request) {
	out := []json.RawMessage{}
	if a.cfg.Records != nil {
		pairs, err := a.cfg.Records.Scan(sessiontrace.Summaries, nil)
		if err != nil {
			problem(w, http.StatusInternalServerError, err.Error())
			return
		}
		for _, p := range pairs {
			out = append(out, p.Value)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

// trace shows one of them with its messages.
func (a *API) trace(w http.ResponseWriter, r *http.Request) {
	key, err := hex.DecodeString(r.PathValue("id"))
	if err != nil || len(key) == 0 || a.cfg.Records == nil {
		problem(w, http.StatusNotFound, "no such session; GET /api/v1/sessions lists them")
		return
	}
	pairs, err := a.cfg.Records.Scan(sessiontrace.Traces, key)
	if err == nil && len(pairs) == 0 {
		problem(w, http.StatusNotFound, "no such session; GET /api/v1/sessions lists them")
		return
	}
	var body []byte
	if err == nil {
		body, err = sessiontrace.JSON(pairs[0].Value)
	}
	if err != nil {
		problem(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}
