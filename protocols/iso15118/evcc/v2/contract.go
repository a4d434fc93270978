package v2

import (
	"errors"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// certificateRequest asks for a contract certificate, the first or a new one.
type certificateRequest struct{ update bool }

func (certificateRequest) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.Long, 0
}

func (s certificateRequest) key(*Machine) evcc.Key {
	if s.update {
		return evcc.KeyContract
	}
	return evcc.KeyProvisioning
}

func (s certificateRequest) request(m *Machine) v2.BodyElement {
	roots := v2.ListOfRootCertificateIDs{RootCertificateID: m.contract.Roots}
	if !s.update {
		return &v2.CertificateInstallationReq{OEMProvisioningCert: m.contract.Provisioning, ListOfRootCertificateIDs: roots}
	}
	chain, _ := pki.WireChain(m.contract.Chain) // an empty one fails where it is written
	chain.ID = exi.Some("contract")
	return &v2.CertificateUpdateReq{ContractSignatureCertChain: chain, EMAID: m.contract.EMAID, ListOfRootCertificateIDs: roots}
}

// handle has the response opened, which takes a private key.
func (s certificateRequest) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	var code v2.ResponseCode
	switch r := res.(type) {
	case *v2.CertificateInstallationRes:
		code = r.ResponseCode
	case *v2.CertificateUpdateRes:
		code = r.ResponseCode
	default:
		return nil, 0, wrong(res)
	}
	if err := check(code); err != nil {
		return nil, 0, err
	}
	m.Out = append(m.Out, evcc.Open{Key: s.key(m), Message: m.msg})
	return nil, 0, nil
}

// opened goes on with the contract that was installed.
func (m *Machine) opened(ev evcc.Opened) {
	if _, ok := m.state.(certificateRequest); !ok || m.Waiting {
		return
	}
	if ev.Err != "" {
		m.Fail("the contract that came is refused: " + ev.Err)
		return
	}
	c := *m.contract
	c.EMAID, c.Chain, c.Install, c.Update = ev.EMAID, ev.Chain, false, false
	m.contract = &c
	m.enter(paymentDetails{}, 0)
}

// paymentDetails shows the contract and takes the challenge.
type paymentDetails struct{}

func (paymentDetails) patience(m *Machine) (message, whole time.Duration) { return m.Timing.Long, 0 }

func (paymentDetails) request(m *Machine) v2.BodyElement {
	chain, _ := pki.WireChain(m.contract.Chain) // an empty one fails where it is written
	return &v2.PaymentDetailsReq{EMAID: m.contract.EMAID, ContractSignatureCertChain: chain}
}

// challengeLen is how long a challenge is, octets ([V2G2-697]).
const challengeLen = 16

func (paymentDetails) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.PaymentDetailsRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	if len(r.GenChallenge) != challengeLen {
		return nil, 0, errors.New("the challenge is not 16 octets long")
	}
	m.challenge = r.GenChallenge
	return authorization{}, 0, nil
}

// meteringReceipt signs the reading that the EVSE has shown.
type meteringReceipt struct {
	info  *v2.MeterInfo
	tuple uint8
	back  state
}

func (meteringReceipt) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.Message, 0
}

func (meteringReceipt) key(*Machine) evcc.Key { return evcc.KeyContract }

func (s meteringReceipt) request(m *Machine) v2.BodyElement {
	return &v2.MeteringReceiptReq{SessionID: m.session, SAScheduleTupleID: exi.Some(s.tuple), MeterInfo: *s.info}
}

func (s meteringReceipt) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.MeteringReceiptRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	return s.back, m.Timing.Loop, check(r.ResponseCode)
}
