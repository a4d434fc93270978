package station

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const (
	keySecurity = "security/"      // of the records of the security log
	keyFolded   = "security-more/" // and the type, of events that are told together

	// mostRecords is the length of the security log; the oldest record makes room (A04.FR.04).
	mostRecords = 500
	// mostEvents is how many security events wait for the CSMS one by one. What comes above is told together, by type.
	mostEvents = 200
	// mostFolded is how many types of them there are; what is of no type of the standard's list goes under otherEvents then.
	mostFolded  = 40
	otherEvents = "MoreSecurityEvents"
	// sameEvent is how long an event that is not critical is not noted again.
	sameEvent = time.Minute
)

// notCritical are the security events of the standard (part 2 appendices, 1) that are kept in the log and not reported
// (A04.FR.01).
var notCritical = []string{"FailedToAuthenticateAtCsms", "CsmsFailedToAuthenticate", "ReconfigurationOfSecurityParameters", "InvalidMessages",
	"AttemptedReplayAttacks"}

// uplinkEvents come from attempts to connect: each is told once until one succeeds (A00.FR.316, A00.FR.419).
var uplinkEvents = []string{"InvalidCsmsCertificate", "CsmsFailedToAuthenticate", "FailedToAuthenticateAtCsms", "InvalidTLSVersion", "InvalidTLSCipherSuite"}

// SecurityRecord is a line of the security log.
type SecurityRecord struct {
	At   time.Time
	Type string // by the standard's list of security events
	Info string
}

// security is the security log and what is known of the events under way.
type security struct {
	log     []SecurityRecord
	first   uint64               // number of log[0] in the database
	told    map[string]time.Time // by type: noted last
	waiting int                  // events for the CSMS in the queue
	folded  map[string]folded    // events by type that are told together when there is room
}

// folded are critical events of one type, too many to be told one by one: the CSMS hears how many, when, and of the last.
type folded struct {
	Count       int
	First, Last time.Time
	Info        string // of the last
}

// SecurityLog returns the records of a time, the oldest first; zero times are no bounds.
func (s *Station) SecurityLog(oldest, latest time.Time) []SecurityRecord {
	var out []SecurityRecord
	for _, r := range s.sec.log {
		if (oldest.IsZero() || !r.At.Before(oldest)) && (latest.IsZero() || !r.At.After(latest)) {
			out = append(out, r)
		}
	}
	return out
}

// restoreSecurity puts the security log back.
func (s *Station) restoreSecurity(saved map[string][]byte, items []txqueue.Item) error {
	s.sec.told, s.sec.folded = map[string]time.Time{}, map[string]folded{}
	byNumber := map[uint64]SecurityRecord{}
	for key, value := range saved {
		if kind, ok := strings.CutPrefix(key, keyFolded); ok {
			var f folded
			if err := json.Unmarshal(value, &f); err != nil {
				return fmt.Errorf("stored record %q: %w", key, err)
			}
			s.sec.folded[kind] = f
			continue
		}
		n, ok := strings.CutPrefix(key, keySecurity)
		if !ok {
			continue
		}
		var r SecurityRecord
		seq, err := strconv.ParseUint(n, 16, 64)
		if err == nil {
			err = json.Unmarshal(value, &r)
		}
		if err != nil {
			return fmt.Errorf("stored record %q: %w", key, err)
		}
		byNumber[seq] = r
	}
	for i, seq := range slices.Sorted(maps.Keys(byNumber)) {
		if i == 0 {
			s.sec.first = seq
		}
		s.sec.log = append(s.sec.log, byNumber[seq])
	}
	for _, it := range items {
		if it.Action == v201.ActionSecurityEventNotification {
			s.sec.waiting++
		}
	}
	return nil
}

// record appends to the security log.
func (s *Station) record(kind, text string) {
	l := &s.sec
	if len(l.log) >= mostRecords {
		s.saves.put(securityKey(l.first), nil)
		l.log = slices.Delete(l.log, 0, 1)
		l.first++
	}
	r := SecurityRecord{At: s.now, Type: kind, Info: text}
	s.save(securityKey(l.first+uint64(len(l.log))), r)
	l.log = append(l.log, r)
}

func securityKey(n uint64) string { return fmt.Sprintf("%s%016x", keySecurity, n) }

// securityEvent notes a security event. A critical one reaches the CSMS even if that is away now (A04.FR.01, A04.FR.02): by itself,
// or together with others of its type when too many wait already.
func (s *Station) securityEvent(kind, text string) {
	text = strings.ToValidUTF8(text[:min(len(text), 255)], "")
	kind = strings.ToValidUTF8(kind[:min(len(kind), 50)], "")
	at, known := s.sec.told[kind]
	switch {
	case slices.Contains(uplinkEvents, kind) && known:
		return
	case slices.Contains(notCritical, kind) && known && s.now.Sub(at) < sameEvent && kind != "ReconfigurationOfSecurityParameters":
		return
	}
	s.sec.told[kind] = s.now
	s.record(kind, text)
	if slices.Contains(notCritical, kind) {
		return
	}
	if _, more := s.sec.folded[kind]; more || s.sec.waiting >= mostEvents {
		s.fold(kind, folded{Count: 1, First: s.now, Last: s.now, Info: text})
		return
	}
	s.tellSecurity(kind, s.now, text)
}

func (s *Station) tellSecurity(kind string, at time.Time, text string) {
	s.sec.waiting++
	q := &v201.SecurityEventNotificationRequest{Type: kind, Timestamp: at, TechInfo: text}
	payload := q.AppendJSON(nil)
	s.stepQueue(txqueue.Put{Kind: txqueue.Other, Action: q.ActionName(), Payload: payload, Offline: payload})
}

// fold adds to the events of a type that are told together.
func (s *Station) fold(kind string, more folded) {
	f, had := s.sec.folded[kind]
	if !had && len(s.sec.folded) >= mostFolded {
		more.Info = kind + ": " + more.Info
		kind = otherEvents
		f, had = s.sec.folded[kind]
	}
	if !had {
		f = more
		s.note(true, "%d security events wait for the CSMS; those of type %s are told together from now on", s.sec.waiting, kind)
	} else {
		f.Count += more.Count
		f.Last, f.Info = more.Last, more.Info
	}
	s.sec.folded[kind] = f
	s.save(keyFolded+kind, f)
}

// unfold tells of the events that were left over, when there is room.
func (s *Station) unfold() {
	for _, kind := range slices.Sorted(maps.Keys(s.sec.folded)) {
		if s.sec.waiting >= mostEvents {
			return
		}
		f := s.sec.folded[kind]
		delete(s.sec.folded, kind)
		s.saves.put(keyFolded+kind, nil)
		text := f.Info
		if f.Count > 1 {
			text = fmt.Sprintf("%d events from %s on; the last: %s", f.Count, f.First.UTC().Format(time.RFC3339), text)
		}
		s.tellSecurity(kind, f.Last, strings.ToValidUTF8(text[:min(len(text), 255)], ""))
	}
}

// reachable ends the silence about events of connecting.
func (s *Station) reachable() {
	for _, kind := range uplinkEvents {
		delete(s.sec.told, kind)
	}
}

// securityLeft counts a security event that is not in the queue any more. One that the CSMS has refused for good is told again with
// those that are left over, on the next connection: a refusal is no delivery.
func (s *Station) securityLeft(it txqueue.Item, delivered bool) {
	if it.Action != v201.ActionSecurityEventNotification {
		return
	}
	s.sec.waiting--
	if delivered {
		s.unfold()
		return
	}
	var q v201.SecurityEventNotificationRequest
	if err := q.UnmarshalJSON(it.Payload); err == nil {
		s.fold(q.Type, folded{Count: 1, First: q.Timestamp, Last: q.Timestamp, Info: q.TechInfo})
	}
}
