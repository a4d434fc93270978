package din

import (
	"errors"
	"slices"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
)

// usual is the patience of most states.
type usual struct{}

func (usual) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.Message, m.Timing.Ongoing
}

// sessionSetup introduces the vehicle.
type sessionSetup struct{ usual }

func (sessionSetup) request(m *Machine) din.BodyElement {
	return &din.SessionSetupReq{EVCCID: exi.MakeShortBytes(m.Cfg.EVCCID[:])}
}

func (sessionSetup) handle(m *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.SessionSetupRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if m.session.IsZero() {
		return nil, 0, errors.New("the SECC gave a session id of zero")
	}
	m.began = m.Now
	return serviceDiscovery{}, 0, check(r.ResponseCode)
}

// serviceDiscovery asks what the EVSE offers.
type serviceDiscovery struct{ usual }

func (serviceDiscovery) request(*Machine) din.BodyElement { return &din.ServiceDiscoveryReq{} }

func (serviceDiscovery) handle(_ *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.ServiceDiscoveryRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	if !slices.Contains(r.PaymentOptions.PaymentOption, din.PaymentOptionExternalPayment) {
		return nil, 0, errors.New("no payment by external identification is offered")
	}
	switch t := r.ChargeService.EnergyTransferType; t {
	case din.EVSESupportedEnergyTransferACSinglePhaseCore, din.EVSESupportedEnergyTransferACThreePhaseCore:
		return nil, 0, errors.New("no DC charging is offered, but " + t.String())
	}
	return paymentSelection{r.ChargeService.ServiceTag.ServiceID, usual{}}, 0, nil
}

// paymentSelection chooses external identification.
type paymentSelection struct {
	service uint16
	usual
}

func (s paymentSelection) request(*Machine) din.BodyElement {
	return &din.ServicePaymentSelectionReq{SelectedPaymentOption: din.PaymentOptionExternalPayment,
		SelectedServiceList: din.SelectedServiceList{SelectedService: []din.SelectedService{{ServiceID: s.service}}}}
}

func (paymentSelection) handle(_ *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.ServicePaymentSelectionRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	return authentication{}, 0, check(r.ResponseCode)
}

// authentication waits for somebody to authorise the charging.
type authentication struct{}

func (authentication) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.Message, m.Timing.AuthEIM
}

func (authentication) request(*Machine) din.BodyElement { return &din.ContractAuthenticationReq{} }

func (s authentication) handle(m *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.ContractAuthenticationRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	switch {
	case r.EVSEProcessing == din.EVSEProcessingFinished:
		return chargeParameterDiscovery{}, 0, nil
	case m.Stop:
		return sessionStop{}, 0, nil
	}
	return s, m.Timing.Poll, nil
}
