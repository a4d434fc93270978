package building

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// MaxPayload is the longest command that is read, in octets.
const MaxPayload = 4096

// Malformed is the code for a payload that is no command. The other codes are those of the site's limits.
const Malformed = "malformed"

// SetLimit is the payload of limit/<source>/set. A value that is absent is no statement; 0 is a limit.
type SetLimit struct {
	ID       string
	Node     string // "" is the grid connection
	ImportW  *si.Watts
	ExportW  *si.Watts
	CurrentA *si.Phases
	Validity time.Duration // 0: until it is released
	Priority int
	Release  bool
	TS       time.Time // when the source said so
}

// wire is the payload as JSON. One number for current_a means all phases.
type wire struct {
	ID       string          `json:"id"`
	Node     string          `json:"node"`
	ImportW  *float64        `json:"import_w"`
	ExportW  *float64        `json:"export_w"`
	CurrentA json.RawMessage `json:"current_a"`
	ValidS   *float64        `json:"valid_s"`
	Prio     int             `json:"prio"`
	Release  bool            `json:"release"`
	TS       json.RawMessage `json:"ts"`
}

// ParseLimit reads a payload. The error says what is wrong; ID is set even then if it could be read. Whether the limit is
// taken is the site's decision, not this package's.
func ParseLimit(payload []byte) (SetLimit, error) {
	var w wire
	if len(payload) > MaxPayload {
		return SetLimit{}, fmt.Errorf("limit of %d octets; %d are read", len(payload), MaxPayload)
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return SetLimit{ID: idOf(payload)}, fmt.Errorf("limit is no JSON object as documented: %w", err)
	}
	s := SetLimit{ID: w.ID, Node: w.Node, Priority: w.Prio, Release: w.Release}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return s, errors.New("limit has something behind its JSON object")
	}
	if len(w.ID) == 0 || len(w.ID) > 64 {
		return SetLimit{}, errors.New("limit needs an id of 1 to 64 characters")
	}
	var err error
	if s.TS, err = parseTime(w.TS); err != nil {
		return s, err
	}
	if w.ValidS != nil {
		if !(*w.ValidS > 0) || *w.ValidS > 366*86400 {
			return s, fmt.Errorf("valid_s of %v: want more than 0 and at most a year", *w.ValidS)
		}
		s.Validity = time.Duration(*w.ValidS * float64(time.Second))
	}
	if w.ImportW != nil {
		v := si.Watts(*w.ImportW)
		s.ImportW = &v
	}
	if w.ExportW != nil {
		v := si.Watts(*w.ExportW)
		s.ExportW = &v
	}
	if s.CurrentA, err = parsePhases(w.CurrentA); err != nil {
		return s, err
	}
	return s, nil
}

// idOf finds the id in a payload that is wrong otherwise, so that the answer can name it.
func idOf(payload []byte) string {
	var only struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(payload, &only) != nil || len(only.ID) > 64 {
		return ""
	}
	return only.ID
}

func parsePhases(raw json.RawMessage) (*si.Phases, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var one float64
	if json.Unmarshal(raw, &one) == nil {
		p := si.Same(si.Amps(one))
		return &p, nil
	}
	var list []float64
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 {
		return nil, errors.New("current_a: want one number, or three as [L1, L2, L3]")
	}
	return &si.Phases{si.Amps(list[0]), si.Amps(list[1]), si.Amps(list[2])}, nil
}

// parseTime reads RFC 3339 in a string, or Unix seconds in a number.
func parseTime(raw json.RawMessage) (time.Time, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return t.UTC(), nil
		}
	}
	if unix, err := strconv.ParseFloat(string(raw), 64); err == nil && unix > 0 && unix < 1e11 {
		sec, frac := math.Modf(unix)
		return time.Unix(int64(sec), int64(frac*1e9)).UTC(), nil
	}
	return time.Time{}, errors.New("limit needs ts: when it was made, as RFC 3339 text or Unix seconds")
}

// Ack is the payload of limit/<source>/ack.
type Ack struct {
	ID        string     `json:"id"`
	Accepted  bool       `json:"accepted"`
	Code      string     `json:"code"`
	Text      string     `json:"text,omitempty"`
	AppliedAt *time.Time `json:"applied_at"`
	ReachedAt *time.Time `json:"reached_at"`
}

// JSON returns the payload.
func (a Ack) JSON() []byte {
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // it holds nothing that cannot be marshalled
	}
	return b
}
