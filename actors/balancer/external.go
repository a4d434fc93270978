package balancer

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/storage/journal"
)

type limitKey struct{ source, id string }

// request is a limit from outside whose effect is awaited by whoever sent it.
type request struct {
	answer   msg.LimitAnswer
	received time.Time
	reply    *actor.PID
	sent     bool // the reaction time was measured
}

func (b *Balancer) apply(ctx actor.Context, now time.Time, m msg.ApplyLimit) {
	if m.Limit.Node == "" {
		m.Limit.Node = b.tree.Node(b.tree.Root()).ID
	}
	handled, err := b.statement(now, m.Limit.Source, m.Limit.ID, m.Limit.Issued, m.Limit.Retained, func(g *guarded) error {
		return g.Write(now, m.Limit.Values, m.Limit.Validity, false)
	})
	if !handled {
		if err = b.book.Apply(now, m.Limit); err == nil {
			b.keep(ctx, m.Limit.Source, m.Limit.ID)
		}
	}
	key := limitKey{m.Limit.Source, m.Limit.ID}
	if err == nil {
		if _, again := b.since[key]; !again {
			b.since[key] = now
		}
		b.audit(ctx, now, "limit", m.Limit.Source, m.Limit.ID, m.Limit.Values)
	}
	b.answer(ctx, now, key, m.Received, m.Reply, err)
}

func (b *Balancer) release(ctx actor.Context, now time.Time, m msg.ReleaseLimit) {
	handled, err := b.statement(now, m.Source, m.ID, m.Issued, m.Retained, func(g *guarded) error {
		return g.Write(now, limits.Values{}, 0, true)
	})
	if !handled {
		if err = b.book.Release(now, m.Source, m.ID, m.Issued, m.Retained); err == nil {
			b.keep(ctx, m.Source, m.ID)
		}
	}
	key := limitKey{m.Source, m.ID}
	if err == nil {
		delete(b.since, key)
		b.audit(ctx, now, "release", m.Source, m.ID, limits.Values{})
	}
	b.answer(ctx, now, key, m.Received, m.Reply, err)
}

// answer tells the sender what became of its limit. An accepted one is carried out at once.
func (b *Balancer) answer(ctx actor.Context, now time.Time, key limitKey, received time.Time, reply *actor.PID, err error) {
	a := msg.LimitAnswer{Source: key.source, ID: key.id, Accepted: err == nil, Code: limits.Accepted, AppliedAt: now}
	var refused *limits.Refusal
	if errors.As(err, &refused) {
		a.Code, a.Text, a.AppliedAt = refused.Code, refused.Text, time.Time{}
		b.env.Metrics.BadInput.WithLabelValues("limit", string(refused.Code)).Inc()
		b.log.Warn().Str("source", key.source).Str("id", key.id).Str("code", string(refused.Code)).Msg(refused.Text)
	}
	if reply != nil {
		ctx.Send(reply, a)
	}
	if err == nil {
		b.metrics.changes.Inc()
		b.asked = append(b.asked, &request{answer: a, received: received, reply: reply})
		if len(b.asked) > maxAsked {
			b.asked = b.asked[1:]
		}
		b.decide(ctx, now)
		b.replan()
	}
}

// maxAsked bounds how many senders wait for the second answer.
const maxAsked = 256

// reached tells the senders of limits when every set-point has followed: no target lies under what its EVSE may still draw.
func (b *Balancer) reached(ctx actor.Context, now time.Time, sent bool) {
	if len(b.asked) == 0 {
		return
	}
	settled := true
	for i := range b.result.EVSEs {
		a := &b.result.EVSEs[i]
		if imports, _ := b.ledger.Reserved(a.ID, now); imports.Sub(a.Import).Highest() > 0.01 && a.Binding.Kind != unreachable {
			settled = false
		}
	}
	keep := b.asked[:0]
	for _, r := range b.asked {
		if sent || settled {
			r.measure(b, now)
		}
		if !settled {
			keep = append(keep, r)
			continue
		}
		r.answer.ReachedAt = now
		if r.reply != nil {
			ctx.Send(r.reply, r.answer)
		}
	}
	b.asked = keep
}

// measure takes the time from the reception of a limit to the set-points that it caused, once.
func (r *request) measure(b *Balancer, now time.Time) {
	if !r.sent {
		r.sent = true
		b.metrics.react(now.Sub(r.received))
	}
}

// entry is one line of the audit log.
type entry struct {
	At     time.Time     `json:"at"`
	What   string        `json:"what"`
	Source string        `json:"source,omitempty"`
	ID     string        `json:"id,omitempty"`
	Values limits.Values `json:"values"`
}

// audit writes a change of a limit, with its source, to the log and to the database.
func (b *Balancer) audit(ctx actor.Context, now time.Time, what, source, id string, v limits.Values) {
	e := entry{now.UTC(), what, source, id, v}
	text, err := json.Marshal(e)
	if err != nil {
		b.log.Error().Err(err).Msg("audit entry")
		return
	}
	b.seq++
	ctx.Send(b.env.At(msg.Recorder), msg.Save{Ops: []msg.Op{{Bucket: auditBucket, Key: journal.Key(now, b.seq), Value: text}}})
	b.log.Info().RawJSON("audit", text).Msg(what)
	about := what
	if source != "" {
		about += " of " + source
	}
	b.tell(now, "limit", source, about)
}
