package localctl

import (
	"bytes"
	"encoding/json"
	"math"
)

// A ReportChargingProfiles is read loosely, so that a station of OCPP 2.1 can put what it likes into its profiles, and edited in
// its bytes, so that what stays in it stays as it was.

// reported is what of a ReportChargingProfiles is looked at.
type reported struct {
	request int
	more    bool // to be continued
	theirs  int  // profiles that are not the controller's
	hidden  bool // some of the controller's were taken out
	payload []byte
}

// span is a part of a payload, with what comes in its place.
type span struct {
	from, to int
	with     []byte
}

// readReport reads a report and takes the controller's profiles out of it.
func readReport(payload []byte) (q reported, ok bool) {
	var edits []span
	ok = members(payload, func(key string, from, to int) bool {
		value := payload[from:to]
		switch key {
		case "requestId":
			return json.Unmarshal(value, &q.request) == nil
		case "tbc":
			return json.Unmarshal(value, &q.more) == nil
		case "chargingProfile":
			var list []json.RawMessage
			if json.Unmarshal(value, &list) != nil {
				return false
			}
			stay := list[:0:0]
			for _, p := range list {
				if !ownReported(p) {
					stay = append(stay, p)
				}
			}
			q.theirs += len(stay)
			if len(stay) < len(list) {
				q.hidden = true
				edits = append(edits, span{from, to, listOf(stay)})
			}
		}
		return true
	})
	q.payload = replaced(payload, edits)
	return q, ok
}

// listOf makes an array of values.
func listOf(values []json.RawMessage) []byte {
	out := []byte{'['}
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, v...)
	}
	return append(out, ']')
}

// ownReported tells whether a profile has an id of the controller, written in whatever way.
func ownReported(p json.RawMessage) bool {
	var q struct{ ID float64 }
	if json.Unmarshal(p, &q) != nil || q.ID != math.Trunc(q.ID) || math.Abs(q.ID) > 1<<31 {
		return false
	}
	return OwnProfile(int(q.ID))
}

// continued says in a report that more follow, or that it is the last one.
func continued(payload []byte, more bool) []byte {
	value := []byte("false")
	if more {
		value = []byte("true")
	}
	var edits []span
	if !members(payload, func(key string, from, to int) bool {
		if key == "tbc" {
			edits = append(edits, span{from, to, value})
		}
		return true
	}) {
		return payload
	}
	if edits == nil {
		if !more {
			return payload // no tbc means the last one
		}
		end := bytes.LastIndexByte(payload, '}')
		edits = []span{{end, end, []byte(`,"tbc":true`)}} // a report has other members
	}
	return replaced(payload, edits)
}

// members calls f for each member of an object with the place of its value, until it returns false.
func members(payload []byte, f func(key string, from, to int) bool) bool {
	d := json.NewDecoder(bytes.NewReader(payload))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	for d.More() {
		t, err := d.Token()
		key, isKey := t.(string)
		var value json.RawMessage
		if err != nil || !isKey || d.Decode(&value) != nil {
			return false
		}
		to := int(d.InputOffset())
		if !f(key, to-len(value), to) {
			return false
		}
	}
	t, err := d.Token()
	return err == nil && t == json.Delim('}')
}

func replaced(payload []byte, edits []span) []byte {
	if len(edits) == 0 {
		return payload
	}
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, payload[at:e.from]...), e.with...)
		at = e.to
	}
	return append(out, payload[at:]...)
}
