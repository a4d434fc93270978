package v2

import (
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitAuthorization is the state in which the vehicle asks again and again until it may charge. With external
// identification it is told that the customer is awaited ([V2G2-854]); a refusal is no failure of the vehicle, somebody may
// still show another token, so it is told the same until the time for it is over.
type waitAuthorization struct{ since time.Time }

func (waitAuthorization) accepts(req v2.BodyElement) bool {
	_, ok := req.(*v2.AuthorizationReq)
	return ok
}

func (s waitAuthorization) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	if s.since.IsZero() {
		s.since = m.Now
	}
	switch m.auth {
	case authNone:
		m.auth = authAsked
		m.Out = append(m.Out, secc.Authorize{})
	case authYes:
		return &v2.AuthorizationRes{ResponseCode: v2.ResponseCodeOK, EVSEProcessing: v2.EVSEProcessingFinished}, waitChargeParameterDiscovery{}
	}
	if m.Now.Sub(s.since) > m.Timing.AuthEIM || m.Present.Stop {
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassAuth, "nobody authorised the charging in time")
	}
	return &v2.AuthorizationRes{ResponseCode: v2.ResponseCodeOK, EVSEProcessing: v2.EVSEProcessingOngoingWaitingForCustomerInteraction}, s
}
