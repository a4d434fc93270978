package station

import (
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Contract is what a vehicle has shown of its contract (C07). The signature of the vehicle, the validity of the
// certificates and, when Rooted, the whole path have been checked already.
type Contract struct {
	Rooted bool                   // the chain leads to a root that the EVSE trusts
	Hash   []v201.OCSPRequestData // of the chain, leaf first
	PEM    string                 // the chain, leaf first, without the root
}

// PlugAndCharge says what vehicles are offered from the next session on, as the variables of ISO15118Ctrlr have it.
type PlugAndCharge struct {
	Enabled bool // contracts are accepted at all (PnCEnabled)
	Install bool // so are requests for contract certificates (ContractCertificateInstallationEnabled)
	Central bool // a contract of an unknown root is passed on to the CSMS (CentralContractValidationAllowed, C07.FR.06)
}

func (PlugAndCharge) effect() {}

func (s *Station) plugAndCharge() {
	const c = "ISO15118Ctrlr"
	on := s.model.flag(c, "PnCEnabled")
	s.emit(PlugAndCharge{Enabled: on, Install: on && s.model.flag(c, "ContractCertificateInstallationEnabled"),
		Central: on && s.model.flag(c, "CentralContractValidationAllowed")})
}

// Limits of AuthorizeRequest.
const (
	maxHashData    = 4
	maxCertificate = 5500 // characters
)

// contractShown answers for a contract that a vehicle has shown.
func (s *Station) contractShown(e *evse, t v201.IdToken, c Contract) {
	refuse := func(why v201.AuthorizeCertificateStatusEnum) { s.emit(Permit{EVSE: e.n, Token: t, Refusal: why}) }
	switch {
	case e.auth:
		s.emit(Permit{EVSE: e.n, Allowed: true, Token: deref(e.token)})
		return
	case !e.serves(), e.faulted != "", e.another(t):
		refuse("")
		return
	case !s.model.flag("AuthCtrlr", "Enabled") && !s.barred(e, t, ""):
		s.authorise(e, t, "", nil)
		return
	case !s.model.flag("ISO15118Ctrlr", "PnCEnabled"):
		refuse("")
		return
	}
	e.pending = &t
	s.decideContract(t, c, func(info v201.IdTokenInfo, why v201.AuthorizeCertificateStatusEnum) {
		if e.pending != &t || e.auth {
			return
		}
		e.pending = nil
		group := groupOf(info)
		if s.barred(e, t, group) { // H03
			info.Status, why = v201.AuthorizationStatusInvalid, ""
		}
		if !s.starts(e, info) {
			refuse(why)
			return
		}
		s.authorise(e, t, group, nil)
		s.speak(e, info)
	})
}

// decideContract is decide for a contract. While the CSMS can be asked it is asked, whatever the list and cache say
// (C07.FR.01): only it knows about revocation. The refusal goes with a status other than Accepted.
func (s *Station) decideContract(t v201.IdToken, c Contract, done func(v201.IdTokenInfo, v201.AuthorizeCertificateStatusEnum)) {
	if !s.Accepted() {
		done(s.offlineContract(t, c))
		return
	}
	q := &v201.AuthorizeRequest{IdToken: t, Iso15118CertificateHashData: c.Hash[:min(len(c.Hash), maxHashData)]}
	if !c.Rooted { // C07.FR.06
		if !s.model.flag("ISO15118Ctrlr", "CentralContractValidationAllowed") || len(c.PEM) > maxCertificate {
			s.note(false, "the contract %s leads to no root that is trusted here, and cannot be validated by the CSMS", t.IdToken)
			done(v201.IdTokenInfo{Status: v201.AuthorizationStatusInvalid}, v201.AuthorizeCertificateStatusCertChainError)
			return
		}
		q.Certificate = c.PEM
	}
	s.call(q, func(res rpc.Message, _ string) {
		r, ok := res.(*v201.AuthorizeResponse)
		if !ok {
			done(s.offlineContract(t, c))
			return
		}
		info, why := r.IdTokenInfo, r.CertificateStatus
		if why == v201.AuthorizeCertificateStatusAccepted {
			why = ""
		}
		if why != "" && info.Status == v201.AuthorizationStatusAccepted { // both must be good
			info.Status = v201.AuthorizationStatusInvalid
		} else {
			s.learn(t, info)
		}
		if why == "" {
			why = contractRefusal(info.Status)
		}
		done(info, why)
	})
}

// offlineContract decides about a contract without the CSMS (C07.FR.07 to FR.12).
func (s *Station) offlineContract(t v201.IdToken, c Contract) (v201.IdTokenInfo, v201.AuthorizeCertificateStatusEnum) {
	refused := v201.IdTokenInfo{Status: v201.AuthorizationStatusInvalid}
	switch {
	case !s.model.flag("ISO15118Ctrlr", "ContractValidationOffline"): // C07.FR.07
		return refused, ""
	case !c.Rooted: // C07.FR.08
		return refused, v201.AuthorizeCertificateStatusCertChainError
	case !s.model.flag("AuthCtrlr", "LocalAuthorizeOffline"): // C07.FR.09
		return refused, ""
	}
	info := s.offline(t)
	if _, known := s.locally(t); !known {
		return info, ""
	}
	return info, contractRefusal(info.Status)
}

// contractRefusal is the reason for a valid certificate whose eMAID is not accepted (C07.FR.13).
func contractRefusal(st v201.AuthorizationStatusEnum) v201.AuthorizeCertificateStatusEnum {
	switch st {
	case v201.AuthorizationStatusBlocked, v201.AuthorizationStatusExpired, v201.AuthorizationStatusInvalid, v201.AuthorizationStatusUnknown:
		return v201.AuthorizeCertificateStatusContractCancelled
	}
	return ""
}
