package v2

import (
	"errors"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// usual is the patience of most states.
type usual struct{}

func (usual) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.Message, m.Timing.Ongoing
}

// sessionSetup introduces the vehicle.
type sessionSetup struct{ usual }

func (sessionSetup) request(m *Machine) v2.BodyElement {
	return &v2.SessionSetupReq{EVCCID: exi.MakeShortBytes(m.Cfg.EVCCID[:])}
}

func (sessionSetup) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.SessionSetupRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if m.session.IsZero() {
		return nil, 0, errors.New("the SECC gave a session id of zero")
	}
	return serviceDiscovery{}, 0, check(r.ResponseCode)
}

// serviceDiscovery asks what the EVSE offers.
type serviceDiscovery struct{ usual }

func (serviceDiscovery) request(*Machine) v2.BodyElement { return &v2.ServiceDiscoveryReq{} }

func (serviceDiscovery) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.ServiceDiscoveryRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	external := false
	for _, p := range r.PaymentOptionList.PaymentOption {
		external = external || p == v2.PaymentOptionExternalPayment
	}
	if !external {
		return nil, 0, errors.New("no payment by external identification is offered")
	}
	for _, mode := range r.ChargeService.SupportedEnergyTransferMode.EnergyTransferMode {
		if mode == m.transferMode() {
			return paymentServiceSelection{r.ChargeService.ServiceID, usual{}}, 0, nil
		}
	}
	return nil, 0, errors.New("transfer mode " + m.transferMode().String() + " is not offered")
}

func (m *Machine) transferMode() v2.EnergyTransferMode {
	switch {
	case m.Cfg.DC:
		return v2.EnergyTransferModeDCExtended
	case m.Cfg.Phases == 1:
		return v2.EnergyTransferModeACSinglePhaseCore
	}
	return v2.EnergyTransferModeACThreePhaseCore
}

// paymentServiceSelection chooses external identification.
type paymentServiceSelection struct {
	service uint16
	usual
}

func (s paymentServiceSelection) request(*Machine) v2.BodyElement {
	return &v2.PaymentServiceSelectionReq{SelectedPaymentOption: v2.PaymentOptionExternalPayment,
		SelectedServiceList: v2.SelectedServiceList{SelectedService: []v2.SelectedService{{ServiceID: s.service}}}}
}

func (paymentServiceSelection) handle(_ *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.PaymentServiceSelectionRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	return authorization{}, 0, check(r.ResponseCode)
}

// authorization waits for somebody to authorise the charging.
type authorization struct{}

func (authorization) patience(m *Machine) (message, whole time.Duration) {
	return m.Timing.Message, m.Timing.AuthEIM
}

func (authorization) request(*Machine) v2.BodyElement { return &v2.AuthorizationReq{} }

func (s authorization) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.AuthorizationRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	if r.EVSEProcessing == v2.EVSEProcessingFinished {
		return chargeParameterDiscovery{}, 0, nil
	}
	if m.Stop {
		return sessionStop{}, 0, nil
	}
	return s, m.Timing.Poll, nil
}
