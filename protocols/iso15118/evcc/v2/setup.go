package v2

import (
	"errors"
	"slices"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
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
	pay := v2.PaymentOptionExternalPayment
	if m.contract != nil {
		pay = v2.PaymentOptionContract
	}
	if !slices.Contains(r.PaymentOptionList.PaymentOption, pay) {
		return nil, 0, errors.New("payment by " + pay.String() + " is not offered")
	}
	if !slices.Contains(r.ChargeService.SupportedEnergyTransferMode.EnergyTransferMode, m.transferMode()) {
		return nil, 0, errors.New("transfer mode " + m.transferMode().String() + " is not offered")
	}
	selection := paymentServiceSelection{service: r.ChargeService.ServiceID}
	if c := m.contract; c != nil && (c.Install || c.Update) {
		for _, s := range r.ServiceList.Value.Service {
			if s.ServiceCategory == v2.ServiceCategoryContractCertificate {
				return serviceDetail{selection: selection, service: s.ServiceID}, 0, nil
			}
		}
		return nil, 0, errors.New("no certificate service is offered")
	}
	return selection, 0, nil
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

// serviceDetail asks for the parameters of the certificate service.
type serviceDetail struct {
	selection paymentServiceSelection
	service   uint16
}

func (serviceDetail) patience(m *Machine) (message, whole time.Duration) { return m.Timing.Long, 0 }

func (s serviceDetail) request(*Machine) v2.BodyElement {
	return &v2.ServiceDetailReq{ServiceID: s.service}
}

func (s serviceDetail) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.ServiceDetailRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	want := "Installation"
	if m.contract.Update {
		want = "Update"
	}
	for _, set := range r.ServiceParameterList.Value.ParameterSet {
		for _, p := range set.Parameter {
			if p.StringValue.Value == want {
				s.selection.certificates, s.selection.set = s.service, set.ParameterSetID
				return s.selection, 0, nil
			}
		}
	}
	return nil, 0, errors.New("the certificate service does not offer " + want)
}

// paymentServiceSelection chooses how to pay, and the services.
type paymentServiceSelection struct {
	service      uint16
	certificates uint16 // the certificate service; 0 when it is not needed
	set          int16
	usual
}

func (s paymentServiceSelection) request(m *Machine) v2.BodyElement {
	req := &v2.PaymentServiceSelectionReq{SelectedPaymentOption: v2.PaymentOptionExternalPayment,
		SelectedServiceList: v2.SelectedServiceList{SelectedService: []v2.SelectedService{{ServiceID: s.service}}}}
	if m.contract != nil {
		req.SelectedPaymentOption = v2.PaymentOptionContract
	}
	if s.certificates != 0 {
		req.SelectedServiceList.SelectedService = append(req.SelectedServiceList.SelectedService, v2.SelectedService{ServiceID: s.certificates, ParameterSetID: exi.Some(s.set)})
	}
	return req
}

func (paymentServiceSelection) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.PaymentServiceSelectionRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	switch {
	case m.contract == nil:
		return authorization{}, 0, nil
	case m.contract.Install || m.contract.Update:
		return certificateRequest{update: m.contract.Update}, 0, nil
	}
	return paymentDetails{}, 0, nil
}

// authorization waits for somebody to authorise the charging. Who pays by contract signs each request.
type authorization struct{}

func (authorization) patience(m *Machine) (message, whole time.Duration) {
	if m.contract != nil {
		return m.Timing.Message, m.Timing.Ongoing
	}
	return m.Timing.Message, m.Timing.AuthEIM
}

func (authorization) key(m *Machine) evcc.Key {
	if m.contract != nil {
		return evcc.KeyContract
	}
	return ""
}

func (authorization) request(m *Machine) v2.BodyElement {
	if m.contract != nil {
		return &v2.AuthorizationReq{GenChallenge: exi.Some(m.challenge)}
	}
	return &v2.AuthorizationReq{}
}

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
