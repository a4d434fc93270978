package balancer

import (
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/limits/guard"
)

// guarded is a source of limits with a state of its own.
type guarded struct {
	*guard.Guard
	state string
	in    limits.Values // entered in the book
	node  string
}

// guardID is the id under which a guard's values are in the book.
const guardID = "in-force"

func (b *Balancer) beginGuards(now time.Time) {
	random := b.cfg.Random
	if random == nil {
		random = rand.Float64
	}
	for _, c := range b.cfg.Guards {
		g, err := guard.New(now, c, random)
		if err != nil {
			panic(err) // the configuration was checked before
		}
		b.guards = append(b.guards, &guarded{Guard: g, node: c.Node})
	}
	b.askGuards(now)
}

// askGuards enters what the guards demand now into the book, and returns when to ask again.
func (b *Balancer) askGuards(now time.Time) (next time.Time) {
	for _, g := range b.guards {
		v, state, at := g.Values(now)
		if state != g.state {
			b.log.Info().Str("source", g.Source()).Str("was", g.state).Str("is", state).Msg("source of limits")
			b.tell(now, "limit", g.Source(), g.Source()+": "+state)
			g.state = state
		}
		b.enter(now, g, v)
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

func (b *Balancer) enter(now time.Time, g *guarded, v limits.Values) {
	key := limitKey{g.Source(), guardID}
	if v.Empty() {
		if !g.in.Empty() {
			_ = b.book.Release(now, key.source, key.id, time.Time{}, false) // it was there
			delete(b.since, key)
		}
		g.in = v
		return
	}
	if g.in.Empty() {
		b.since[key] = now
	}
	g.in = v
	if err := b.book.Apply(now, limits.Limit{Source: key.source, ID: key.id, Node: g.node, Values: v}); err != nil {
		b.log.Error().Err(err).Str("source", key.source).Msg("the limit of a guard is not taken")
	}
}

// guard returns the energy guard that speaks with this source name, nil when the source is a plain one.
func (b *Balancer) guard(source string) *guarded {
	for _, g := range b.guards {
		if g.Source() == source {
			return g
		}
	}
	return nil
}

// statement passes a limit or release on to the guard of its source; false when the source has none.
func (b *Balancer) statement(now time.Time, source, id string, issued time.Time, retained bool, do func(g *guarded) error) (handled bool, err error) {
	g := b.guard(source)
	if g == nil {
		return false, nil
	}
	if !g.Statements() {
		return true, &limits.Refusal{Code: limits.UnknownSource, Text: "source " + source + " takes no messages"}
	}
	if err := b.book.Admit(now, source, id, issued, retained); err != nil {
		return true, err
	}
	return true, do(g)
}

func (b *Balancer) alive(now time.Time, source string) {
	if g := b.guard(source); g != nil {
		g.Heartbeat(now)
		return
	}
	if err := b.book.Heartbeat(now, source); err != nil {
		b.env.Metrics.BadInput.WithLabelValues("limit", string(limits.UnknownSource)).Inc()
	}
}

func (b *Balancer) setFailsafe(ctx actor.Context, now time.Time, m msg.SetFailsafe) {
	handled, err := b.statement(now, m.Source, m.ID, m.Issued, m.Retained, func(g *guarded) error { return g.SetFailsafe(now, m.Power, m.Duration) })
	if !handled {
		err = &limits.Refusal{Code: limits.UnknownSource, Text: "source " + m.Source + " is no energy guard"}
	}
	b.answer(ctx, now, limitKey{m.Source, m.ID}, now, m.Reply, err)
}

func (b *Balancer) input(now time.Time, m msg.InputReading) {
	if m.Err != nil {
		if b.badInputs[m.Input] != m.Err.Error() {
			b.badInputs[m.Input] = m.Err.Error()
			b.log.Error().Err(m.Err).Str("input", m.Input).Msg("digital input cannot be read; its failsafe follows")
		}
		return
	}
	delete(b.badInputs, m.Input)
	for _, g := range b.guards {
		g.Read(now, m.Input, m.Closed)
	}
	was := map[string]limits.Values{}
	for _, g := range b.guards {
		was[g.Source()] = g.in
	}
	b.askGuards(now)
	for _, g := range b.guards {
		if was[g.Source()] != g.in { // pointers: a change, or a new statement of the same
			b.soon()
			return
		}
	}
}
