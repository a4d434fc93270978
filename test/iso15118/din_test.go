package iso15118

import (
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/secc/handshake"
)

var dinStatus = din.DCEVStatus{EVReady: true, EVRESSSOC: 30}

func setupDIN() *din.SessionSetupReq {
	return &din.SessionSetupReq{EVCCID: exi.MakeShortBytes([]byte{2, 0, 0, 0, 0, 1})}
}

func selectDIN(pay din.PaymentOption, service uint16) *din.ServicePaymentSelectionReq {
	return &din.ServicePaymentSelectionReq{SelectedPaymentOption: pay, SelectedServiceList: din.SelectedServiceList{SelectedService: []din.SelectedService{{ServiceID: service}}}}
}

func parametersDIN(volts float64) *din.ChargeParameterDiscoveryReq {
	return &din.ChargeParameterDiscoveryReq{EVRequestedEnergyTransferType: din.EVRequestedEnergyTransferDCExtended,
		EVChargeParameter: &din.DCEVChargeParameter{DCEVStatus: dinStatus, EVMaximumCurrentLimit: din.PhysicalValue{Value: 100}, EVMaximumVoltageLimit: din.PhysicalValue{Value: int16(volts)}}}
}

func preChargeDIN(volts int16) *din.PreChargeReq {
	return &din.PreChargeReq{DCEVStatus: dinStatus, EVTargetVoltage: din.PhysicalValue{Value: volts}, EVTargetCurrent: din.PhysicalValue{Value: 1}}
}

func powerDIN(ready bool) *din.PowerDeliveryReq {
	return &din.PowerDeliveryReq{ReadyToChargeState: ready, DCEVPowerDeliveryParameter: exi.Some(din.DCEVPowerDeliveryParameter{DCEVStatus: dinStatus})}
}

func profileDIN(tuple int16, watts int16) *din.PowerDeliveryReq {
	p := powerDIN(true)
	p.ChargingProfile = exi.Some(din.ChargingProfile{SAScheduleTupleID: tuple, ProfileEntry: []din.ProfileEntry{{ChargingProfileEntryMaxPower: watts}}})
	return p
}

func demandDIN() *din.CurrentDemandReq {
	return &din.CurrentDemandReq{DCEVStatus: dinStatus, EVTargetCurrent: din.PhysicalValue{Value: 50}, EVTargetVoltage: din.PhysicalValue{Value: 400}}
}

// toDIN brings a fresh session to a stage; those of contracts do not occur.
func toDIN(t testing.TB, s stage2) *rig {
	t.Helper()
	r := newRig(t, config(true), secc.Started{})
	r.present.RatedWatts = 20000 // less than DIN 70121 can write, so that profiles can exceed it
	r.feed(r.present)
	r.offer(handshake.NamespaceDIN)
	for _, x := range []struct {
		at  stage2
		ask func() din.BodyElement
	}{
		{atSetup, func() din.BodyElement { return r.askDIN(setupDIN()) }},
		{atDiscovery, func() din.BodyElement { return r.askDIN(&din.ServiceDiscoveryReq{}) }},
		{atSelection, func() din.BodyElement { return r.askDIN(selectDIN(din.PaymentOptionExternalPayment, 1)) }},
		{atAuth, func() din.BodyElement {
			r.askDIN(&din.ContractAuthenticationReq{})
			r.feed(secc.Authorized{Accepted: true})
			return r.askDIN(&din.ContractAuthenticationReq{})
		}},
		{atParameters, func() din.BodyElement {
			res := r.askDIN(parametersDIN(420))
			r.change(func(p *secc.Present) { p.PilotWants = true })
			return res
		}},
		{atCable, func() din.BodyElement {
			r.askDIN(&din.CableCheckReq{DCEVStatus: dinStatus})
			return r.askDIN(&din.CableCheckReq{DCEVStatus: dinStatus})
		}},
		{atPreCharge, func() din.BodyElement { return r.askDIN(preChargeDIN(400)) }},
		{atPower, func() din.BodyElement { return r.askDIN(powerDIN(true)) }},
		{atLoop, func() din.BodyElement {
			r.askDIN(demandDIN())
			return r.askDIN(powerDIN(false))
		}},
	} {
		if x.at >= s {
			return r
		}
		if res := x.ask(); !strings.HasPrefix(code(res), "OK") {
			t.Fatalf("on the way to stage %d: %T %s, %+v", s, res, code(res), r.end)
		}
	}
	return r
}

// pollDIN repeats a request until the time is over.
func (r *rig) pollDIN(req din.BodyElement, d time.Duration) {
	for begun := r.now; r.now.Sub(begun) < d-1200*time.Millisecond; r.pass(time.Second) {
		if res := r.askDIN(req); code(res) != "OK" {
			r.t.Fatalf("after %v: %s", r.now.Sub(begun), code(res))
		}
	}
	r.pass(1500 * time.Millisecond)
}

// Every message of DIN 70121 with every response code that applies to a SECC for DC with external identification.
func TestEveryMessageAndCodeOfDIN70121(t *testing.T) {
	type testCase struct {
		column string
		at     stage2
		before func(r *rig)
		req    din.BodyElement
		after  func(r *rig)
		want   din.ResponseCode
		class  secc.Class
		goes   bool
	}
	const seq = din.ResponseCodeFailedSequenceError
	unready := func(r *rig) { r.change(func(p *secc.Present) { p.Ready = false }) }
	check := &din.CableCheckReq{DCEVStatus: dinStatus}
	weld := &din.WeldingDetectionReq{DCEVStatus: dinStatus}
	ac := parametersDIN(420)
	ac.EVRequestedEnergyTransferType = din.EVRequestedEnergyTransferACThreePhaseCore
	cases := []testCase{
		{colOK, atSetup, nil, setupDIN(), nil, din.ResponseCodeOKNewSessionEstablished, "", false},
		{colOK, atDiscovery, nil, &din.ServiceDiscoveryReq{}, nil, 0, "", false},
		{colOK, atSelection, nil, selectDIN(din.PaymentOptionExternalPayment, 1), nil, 0, "", false},
		{colOK, atAuth, nil, &din.ContractAuthenticationReq{}, nil, 0, "", false},
		{colOK, atParameters, nil, parametersDIN(420), nil, 0, "", false},
		{colOK, atCable, nil, check, nil, 0, "", false},
		{colOK, atPreCharge, nil, preChargeDIN(400), nil, 0, "", false},
		{colOK, atPower, nil, powerDIN(true), nil, 0, "", false},
		{colOK, atPower, nil, profileDIN(1, 15000), nil, 0, "", false},
		{colOK, atLoop, nil, powerDIN(false), nil, 0, "", false},
		{colOK, atLoop, nil, demandDIN(), nil, 0, "", false},
		{colOK, atStop, nil, weld, nil, 0, "", false},
		{colOK, atStop, nil, &din.SessionStop{}, nil, 0, "", true},
		{colOK, atParameters, nil, &din.SessionStop{}, nil, 0, "", true}, // early, and harmless

		{colBad, atDiscovery, nil, &din.ServiceDiscoveryReq{ServiceScope: exi.Some(strings.Repeat("x", 33))}, nil, din.ResponseCodeFailed, secc.ClassParameter, false},
		{colBad, atSetup, nil, &din.SessionSetupReq{EVCCID: exi.MakeShortBytes(make([]byte, 9))}, nil, din.ResponseCodeFailed, secc.ClassParameter, false},
		{colBad, atSelection, nil, selectDIN(din.PaymentOptionContract, 1), nil, din.ResponseCodeFailedPaymentSelectionInvalid, secc.ClassParameter, false},
		{colBad, atSelection, nil, selectDIN(din.PaymentOptionExternalPayment, 3), nil, din.ResponseCodeFailedServiceSelectionInvalid, secc.ClassParameter, false},
		{colBad, atParameters, nil, ac, nil, din.ResponseCodeFailedWrongEnergyTransferType, secc.ClassParameter, false},
		{colBad, atParameters, nil, parametersDIN(48), nil, din.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter, false},
		{colBad, atCable, func(r *rig) {
			r.askDIN(check)
			r.change(func(p *secc.Present) { p.Isolation = secc.IsolationFault })
		}, check, nil, din.ResponseCodeFailed, secc.ClassHardware, false},
		{colBad, atPreCharge, nil, preChargeDIN(900), nil, din.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter, false},
		{colBad, atPreCharge, unready, preChargeDIN(400), nil, din.ResponseCodeFailed, secc.ClassHardware, false},
		{colBad, atPower, nil, profileDIN(7, 15000), nil, din.ResponseCodeFailedTariffSelectionInvalid, secc.ClassParameter, false},
		{colBad, atPower, nil, profileDIN(1, 25000), nil, din.ResponseCodeFailedChargingProfileInvalid, secc.ClassParameter, false},
		{colBad, atPower, unready, powerDIN(true), nil, din.ResponseCodeFailedPowerDeliveryNotApplied, secc.ClassHardware, false},
		{colBad, atLoop, func(r *rig) { r.change(func(p *secc.Present) { p.PilotWants = false }) }, demandDIN(), nil, din.ResponseCodeFailed, secc.ClassHardware, false},
		{colBad, atLoop, unready, demandDIN(), nil, din.ResponseCodeFailed, secc.ClassHardware, false},

		{colTimeout, atAuth, func(r *rig) { r.pollDIN(&din.ContractAuthenticationReq{}, 300*time.Second) }, &din.ContractAuthenticationReq{}, nil, din.ResponseCodeFailed, secc.ClassAuth, false},
		{colTimeout, atCable, func(r *rig) {
			r.noIMD = true
			r.askDIN(check)
			r.pollDIN(check, 38*time.Second)
		}, check, nil, din.ResponseCodeFailed, secc.ClassTimeout, false},
		{colTimeout, atPreCharge, func(r *rig) {
			r.askDIN(preChargeDIN(400))
			r.pass(6 * time.Second)
		}, preChargeDIN(400), nil, din.ResponseCodeFailed, secc.ClassTimeout, false},
		{colTimeout, atPower, func(r *rig) { r.stuck = true }, powerDIN(true), func(r *rig) { r.pass(4 * time.Second) }, din.ResponseCodeFailedPowerDeliveryNotApplied, secc.ClassHardware, false},
		{colTimeout, atLoop, func(r *rig) { r.stuck = true }, powerDIN(false), func(r *rig) { r.pass(4 * time.Second) }, din.ResponseCodeFailed, secc.ClassHardware, false},
		{colTimeout, atLoop, func(r *rig) {
			r.change(func(p *secc.Present) { p.Stop = true })
			r.pollDIN(demandDIN(), time.Minute)
		}, demandDIN(), nil, din.ResponseCodeFailed, secc.ClassTimeout, false},
	}
	for _, c := range append([]testCase(nil), cases...) { // an unknown session in every message but the first
		if c.column == colOK && c.at != atSetup {
			cases = append(cases, testCase{colBad, c.at, func(r *rig) { r.session = exi.MakeShortBytes([]byte{9}) }, c.req, nil, din.ResponseCodeFailedUnknownSession, secc.ClassSequence, false})
		}
	}
	chain := din.CertificateChain{Certificate: []byte{1}}
	for _, c := range []struct {
		req din.BodyElement
		at  stage2
	}{{setupDIN(), atDiscovery}, {&din.ServiceDiscoveryReq{}, atSetup}, {selectDIN(din.PaymentOptionExternalPayment, 1), atAuth}, {&din.ContractAuthenticationReq{}, atParameters},
		{parametersDIN(420), atAuth}, {parametersDIN(420), atLoop}, {check, atParameters}, {check, atLoop}, {preChargeDIN(400), atCable}, {powerDIN(true), atCable}, {powerDIN(true), atLoop},
		{demandDIN(), atPreCharge}, {demandDIN(), atStop}, {weld, atLoop}, {&din.SessionStop{}, atLoop}, {&din.SessionStop{}, atSetup},
		// What the schema has and DIN 70121 does not use.
		{&din.ServiceDetailReq{ServiceID: 1}, atSelection}, {&din.ChargingStatusReq{}, atLoop}, {&din.PaymentDetailsReq{ContractSignatureCertChain: chain}, atAuth},
		{&din.MeteringReceiptReq{SessionID: exi.MakeShortBytes(sessionID[:])}, atLoop}, {&din.CertificateInstallationReq{OEMProvisioningCert: []byte{1}, DHParams: []byte{1},
			ListOfRootCertificateIDs: din.ListOfRootCertificateIDs{RootCertificateID: []string{"x"}}}, atAuth},
		{&din.CertificateUpdateReq{ContractSignatureCertChain: chain, DHParams: []byte{1}, ListOfRootCertificateIDs: din.ListOfRootCertificateIDs{RootCertificateID: []string{"x"}}}, atAuth}} {
		cases = append(cases, testCase{colSequence, c.at, nil, c.req, nil, seq, secc.ClassSequence, false})
	}
	cov := newCoverage()
	for _, c := range cases {
		r := toDIN(t, c.at)
		if c.before != nil {
			c.before(r)
		}
		res := r.askDIN(c.req)
		if c.after != nil {
			c.after(r)
			res = r.lastDIN()
		}
		if res == nil || name(res) != name(c.req) || code(res) != c.want.String() {
			t.Errorf("%s at stage %d (%s): %T %s, want %v; end %+v", name(c.req), c.at, c.column, res, code(res), c.want, r.end)
			continue
		}
		switch {
		case c.class != "" && (r.end == nil || r.end.Class != c.class), c.class == "" && !c.goes && r.end != nil, c.goes && (r.end == nil || !r.end.OK):
			t.Errorf("%s at stage %d, %v: ends with %+v, want class %q", name(c.req), c.at, c.want, r.end, c.class)
		}
		if r.end != nil {
			r.safe()
		}
		cov.count(name(c.req), c.column, res)
	}
	for _, c := range []struct {
		message string
		at      stage2
	}{{"SessionSetup", atSetup}, {"ServiceDiscovery", atDiscovery}, {"ServicePaymentSelection", atSelection}, {"ContractAuthentication", atAuth}, {"ChargeParameterDiscovery", atParameters},
		{"CableCheck", atCable}, {"PreCharge", atPreCharge}, {"PowerDelivery", atPower}, {"CurrentDemand", atLoop}, {"WeldingDetection", atStop}, {"SessionStop", atStop}} {
		r := toDIN(t, c.at)
		r.pass(time.Minute + time.Millisecond)
		if r.end == nil || r.end.Class != secc.ClassTimeout {
			t.Errorf("%s: %+v", c.message, r.end)
			continue
		}
		r.safe()
		cov.count(c.message, colTimeout, nil)
	}
	const ok, failed, s, unknown = "OK", "FAILED", "FAILED_SequenceError", "FAILED_UnknownSession"
	cov.report(t, "DIN 70121", map[string][]string{
		"SessionSetup":             {"OK_NewSessionEstablished", failed, s},
		"ServiceDiscovery":         {ok, failed, s, unknown},
		"ServicePaymentSelection":  {ok, s, unknown, "FAILED_PaymentSelectionInvalid", "FAILED_ServiceSelectionInvalid"},
		"ContractAuthentication":   {ok, failed, s, unknown},
		"ChargeParameterDiscovery": {ok, s, unknown, "FAILED_WrongEnergyTransferType", "FAILED_WrongChargeParameter"},
		"CableCheck":               {ok, failed, s, unknown},
		"PreCharge":                {ok, failed, s, unknown, "FAILED_WrongChargeParameter"},
		"PowerDelivery":            {ok, failed, s, unknown, "FAILED_TariffSelectionInvalid", "FAILED_ChargingProfileInvalid", "FAILED_PowerDeliveryNotApplied"},
		"CurrentDemand":            {ok, failed, s, unknown},
		"WeldingDetection":         {ok, s, unknown},
		"SessionStop":              {ok, s, unknown},
	})
}
