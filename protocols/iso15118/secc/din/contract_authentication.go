package din

import (
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// waitAuthentication is the state in which the vehicle asks again and again until it may charge.
type waitAuthentication struct{ since time.Time }

func (waitAuthentication) accepts(req din.BodyElement) bool {
	_, ok := req.(*din.ContractAuthenticationReq)
	return ok
}

func (s waitAuthentication) handle(m *Machine, req din.BodyElement) (din.BodyElement, state) {
	if s.since.IsZero() {
		s.since = m.Now
	}
	switch m.auth {
	case authNone:
		m.auth = authAsked
		m.Out = append(m.Out, secc.Authorize{})
	case authYes:
		return &din.ContractAuthenticationRes{ResponseCode: din.ResponseCodeOK, EVSEProcessing: din.EVSEProcessingFinished}, waitChargeParameter{}
	}
	if m.Now.Sub(s.since) > m.Timing.AuthEIM || m.Present.Stop {
		return m.fail(req, din.ResponseCodeFailed, secc.ClassAuth, "nobody authorised the charging in time")
	}
	return &din.ContractAuthenticationRes{ResponseCode: din.ResponseCodeOK, EVSEProcessing: din.EVSEProcessingOngoing}, s
}
