package session

import (
	"encoding/hex"
	"hash/fnv"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit/sessiontrace"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/storage/journal"
)

// record adds a message to the trace.
func (s *Session) record(now time.Time, from string, payload uint16, exi []byte, withheld bool) {
	m := sessiontrace.Message{After: now.Sub(s.begun), From: from, Payload: payload, EXI: exi}
	if withheld {
		m.EXI, m.Withheld = nil, "certificate exchange"
	}
	s.trace.Add(m)
}

// save leaves the trace with the recorder.
func (s *Session) save(ctx actor.Context, now time.Time, e secc.End) {
	if s.begun.IsZero() { // nobody connected
		s.begun = now
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.cfg.EVSE))
	key := journal.Key(s.begun, h.Sum32())
	t := s.trace.Trace(sessiontrace.Summary{ID: hex.EncodeToString(key), EVSE: s.cfg.EVSE, Vehicle: s.progress.EVCCID, Protocol: s.progress.Protocol,
		TLS: s.tls, Begin: s.begun, End: now, OK: e.OK, Class: string(e.Class), Why: e.Why})
	summary, trace, err := t.Encode()
	if err != nil {
		s.log.Error().Err(err).Msg("session trace is not kept")
		return
	}
	ctx.Send(s.f.env.At(msg.Recorder), msg.Save{Ops: []msg.Op{
		{Bucket: sessiontrace.Summaries, Key: key, Value: summary}, {Bucket: sessiontrace.Traces, Key: key, Value: trace}}})
}
