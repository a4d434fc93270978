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
	keySecurity = "security/" // of the records of the security log

	// mostRecords is the length of the security log; the oldest record makes room (A04.FR.04).
	mostRecords = 500
	// mostEvents is how many security events wait for the CSMS. What comes above is in the security log only.
	mostEvents = 200
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
	dropped int                  // events that are in the log only, since the start
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

// DroppedSecurityEvents is how many security events the CSMS does not hear of since the start, because too many waited.
func (s *Station) DroppedSecurityEvents() int { return s.sec.dropped }

// restoreSecurity puts the security log back.
func (s *Station) restoreSecurity(saved map[string][]byte, items []txqueue.Item) error {
	s.sec.told = map[string]time.Time{}
	byNumber := map[uint64]SecurityRecord{}
	for key, value := range saved {
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

// securityEvent notes a security event. A critical one reaches the CSMS even if that is away now (A04); when too many wait
// already, it is in the log only.
func (s *Station) securityEvent(kind, text string) {
	text = strings.ToValidUTF8(text[:min(len(text), 255)], "")
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
	if s.sec.waiting >= mostEvents {
		s.sec.dropped++
		s.note(true, "the CSMS does not hear of the security event %s: %d wait already (%d left out)", kind, s.sec.waiting, s.sec.dropped)
		return
	}
	s.sec.waiting++
	q := &v201.SecurityEventNotificationRequest{Type: kind[:min(len(kind), 50)], Timestamp: s.now, TechInfo: text}
	payload := q.AppendJSON(nil)
	s.stepQueue(txqueue.Put{Kind: txqueue.Start, Action: q.ActionName(), Payload: payload, Offline: payload})
}

// reachable ends the silence about events of connecting.
func (s *Station) reachable() {
	for _, kind := range uplinkEvents {
		delete(s.sec.told, kind)
	}
}

// left counts a security event that is not in the queue any more.
func (s *Station) left(action string) {
	if action == v201.ActionSecurityEventNotification {
		s.sec.waiting--
	}
}
