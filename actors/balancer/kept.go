package balancer

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/site/limits"
)

// limitsBucket keeps the limits from outside that are in force, and which failsafes are, so that neither a balancer that is
// started anew nor a power cut lifts one: silence must not raise power.
const limitsBucket = "limits"

// kept is a limit as it is stored. A failsafe in force has no limit.
type kept struct {
	Limit    *limits.Limit `json:"limit,omitempty"`
	Until    time.Time     `json:"until"` // wall clock; zero: no end
	Failsafe string        `json:"failsafe,omitempty"`
}

func keptKey(source, id string) []byte { return []byte(source + "\x00" + id) }

// keep stores what the book holds under this source and id, or that it holds nothing; and the failsafes that changed with it.
func (b *Balancer) keep(ctx actor.Context, source, id string) {
	op := msg.Op{Bucket: limitsBucket, Key: keptKey(source, id)}
	if l, until, ok := b.book.Held(source, id); ok {
		text, err := json.Marshal(kept{Limit: &l, Until: until})
		if err != nil { // only finite values are in the book
			b.log.Error().Err(err).Msg("limit is not stored")
			return
		}
		op.Value = text
	}
	ops := append(b.failsafes(), op)
	ctx.Send(b.env.At(msg.Recorder), msg.Save{Ops: ops})
}

// failsafes are the writes for failsafes that have begun or ended since the last call.
func (b *Balancer) failsafes() (ops []msg.Op) {
	now := map[string]bool{}
	for _, s := range b.book.Failed() {
		now[s] = true
		if !b.failed[s] {
			text, _ := json.Marshal(kept{Failsafe: s}) // a string
			ops = append(ops, msg.Op{Bucket: limitsBucket, Key: keptKey(s, ""), Value: text})
		}
	}
	for s := range b.failed {
		if !now[s] {
			ops = append(ops, msg.Op{Bucket: limitsBucket, Key: keptKey(s, "")})
		}
	}
	b.failed = now
	return ops
}

// keepFailsafes stores failsafes that began by themselves, and forgets limits that expired.
func (b *Balancer) keepFailsafes(ctx actor.Context) {
	ops := b.failsafes()
	for key := range b.since {
		if _, _, held := b.book.Held(key.source, key.id); !held && key.id != guardID {
			delete(b.since, key)
			ops = append(ops, msg.Op{Bucket: limitsBucket, Key: keptKey(key.source, key.id)})
		}
	}
	if len(ops) > 0 {
		ctx.Send(b.env.At(msg.Recorder), msg.Save{Ops: ops})
	}
}

// restore takes back what was in force. What cannot be read is said, and left out.
func (b *Balancer) restore(ctx actor.Context, now time.Time, m msg.Loaded) {
	if m.Err != nil {
		b.log.Error().Err(m.Err).Msg("the limits in force before cannot be read; their sources must state them again")
	}
	for _, kv := range m.Pairs {
		var k kept
		err := json.Unmarshal(kv.Value, &k)
		source, id, _ := bytes.Cut(kv.Key, []byte{0})
		switch {
		case err == nil && k.Failsafe != "":
			b.book.Fail(now, k.Failsafe)
		case err == nil && k.Limit != nil && b.guard(k.Limit.Source) == nil:
			if err = b.book.Restore(now, *k.Limit, k.Until); err == nil {
				b.since[limitKey{string(source), string(id)}] = now
			}
		}
		if err != nil {
			b.log.Warn().Err(err).Str("source", string(source)).Str("id", string(id)).Msg("a limit of before is not taken back")
		}
	}
	b.failed = map[string]bool{}
	for _, s := range b.book.Failed() {
		b.failed[s] = true
	}
	b.restored = true
	b.tryBegin(ctx, now)
	b.soon()
}
