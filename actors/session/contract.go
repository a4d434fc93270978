package session

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// contractOf is what the vehicle has shown of its contract, in the words of the actors.
func contractOf(c *secc.ContractClaim) *msg.Contract {
	if c == nil {
		return nil
	}
	out := &msg.Contract{EMAID: c.EMAID, Rooted: c.Path.Rooted}
	for i, cert := range c.Path.Certificates {
		if i < len(c.Path.Certificates)-1 || !c.Path.Rooted {
			out.Chain = append(out.Chain, cert.Raw)
		}
	}
	for _, h := range c.Hash {
		out.Hash = append(out.Hash, msg.CertificateHash(h))
	}
	return out
}

func refusalOf(r msg.Refusal) secc.Refusal {
	switch r {
	case msg.RefusedExpired:
		return secc.RefusalExpired
	case msg.RefusedRevoked:
		return secc.RefusalRevoked
	case msg.RefusedChain, msg.RefusedSignature:
		return secc.RefusalChain
	case msg.RefusedNone:
		return secc.RefusalNoContract
	case msg.RefusedCanceled:
		return secc.RefusalCanceled
	}
	return secc.RefusalNone
}

func planOf(now time.Time, m msg.SessionPlan) secc.Plan {
	p := secc.Plan{Signature: m.Signature, Age: now.Sub(m.Made), More: m.More}
	for _, t := range m.Tuples {
		x := secc.PlanTuple{ID: t.ID, End: t.End, Tariff: t.Tariff}
		for _, e := range t.Entries {
			x.Entries = append(x.Entries, secc.PlanEntry(e))
		}
		p.Tuples = append(p.Tuples, x)
	}
	return p
}

// exchange has a request for a contract certificate answered: here, by whom the EVSE was given, or by the station role.
func (s *Session) exchange(ctx actor.Context, e secc.CertificateExchange) {
	if s.cfg.Certificates == nil {
		ctx.Send(s.evse, msg.SessionCertificate{Gen: s.gen, Update: e.Update, EXI: e.EXI})
		return
	}
	root, self, answer, log := ctx.ActorSystem().Root, ctx.Self(), s.cfg.Certificates, s.log
	go func() {
		exi, err := answer.Answer(e.Update, e.EXI)
		if err != nil {
			log.Warn().Err(err).Bool("update", e.Update).Msg("no contract certificate for the vehicle")
		}
		root.Send(self, exchanged{exi})
	}()
}

// answered passes a response to a certificate request on. What it carries is not kept in the trace.
func (s *Session) answered(ctx actor.Context, now time.Time, exi []byte) {
	s.withheld = true
	s.step(ctx, now, secc.CertificateExchanged{EXI: exi})
	s.withheld = false
}

// isExchange reports whether the step at hand began a certificate exchange.
func (s *Session) isExchange() bool {
	for _, e := range s.effects {
		if _, ok := e.(secc.CertificateExchange); ok {
			return true
		}
	}
	return false
}
