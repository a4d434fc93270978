package iso15118

import (
	"crypto/ecdsa"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/secc/handshake"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// Requests that are good at their place.
func setup2() *v2.SessionSetupReq {
	return &v2.SessionSetupReq{EVCCID: exi.MakeShortBytes([]byte{2, 0, 0, 0, 0, 1})}
}

func select2(pay v2.PaymentOption) *v2.PaymentServiceSelectionReq {
	return &v2.PaymentServiceSelectionReq{SelectedPaymentOption: pay, SelectedServiceList: v2.SelectedServiceList{SelectedService: []v2.SelectedService{{ServiceID: 1}}}}
}

func details2() *v2.PaymentDetailsReq {
	c := set.Get(pki.Contract)
	chain, _ := pki.WireChain(c.Chain())
	return &v2.PaymentDetailsReq{EMAID: c.Cert.Subject.CommonName, ContractSignatureCertChain: chain}
}

func contractKey() *ecdsa.PrivateKey { return set.Get(pki.Contract).Key }

func provisioningKey() *ecdsa.PrivateKey { return set.Get(pki.Provisioning).Key }

func authorize2() *v2.AuthorizationReq {
	return &v2.AuthorizationReq{GenChallenge: exi.Some(challenge[:])}
}

var roots = v2.ListOfRootCertificateIDs{RootCertificateID: []xmldsig.X509IssuerSerial{{X509IssuerName: "CN=V2G root CA", X509SerialNumber: exi.MakeInteger(1)}}}

func install2() *v2.CertificateInstallationReq {
	return &v2.CertificateInstallationReq{ID: "id1", OEMProvisioningCert: set.Get(pki.Provisioning).Cert.Raw, ListOfRootCertificateIDs: roots}
}

func update2() *v2.CertificateUpdateReq {
	chain, _ := pki.WireChain(set.Get(pki.Contract).Chain())
	chain.ID = exi.Some("id9")
	return &v2.CertificateUpdateReq{ID: "id1", ContractSignatureCertChain: chain, EMAID: testpki.EMAID, ListOfRootCertificateIDs: roots}
}

var evStatus = v2.DCEVStatus{EVReady: true, EVRESSSOC: 30}

func parameters2(dc bool) *v2.ChargeParameterDiscoveryReq {
	if dc {
		return &v2.ChargeParameterDiscoveryReq{RequestedEnergyTransferMode: v2.EnergyTransferModeDCExtended,
			EVChargeParameter: &v2.DCEVChargeParameter{DCEVStatus: evStatus, EVMaximumCurrentLimit: v2.Amps(100), EVMaximumVoltageLimit: v2.Volts(420)}}
	}
	return &v2.ChargeParameterDiscoveryReq{RequestedEnergyTransferMode: v2.EnergyTransferModeACThreePhaseCore,
		EVChargeParameter: &v2.ACEVChargeParameter{EAmount: v2.WattHours(20000), EVMaxVoltage: v2.Volts(230), EVMaxCurrent: v2.Amps(16), EVMinCurrent: v2.Amps(6)}}
}

func preCharge2() *v2.PreChargeReq {
	return &v2.PreChargeReq{DCEVStatus: evStatus, EVTargetVoltage: v2.Volts(400), EVTargetCurrent: v2.Amps(1)}
}

func power2(p v2.ChargeProgress) *v2.PowerDeliveryReq {
	return &v2.PowerDeliveryReq{ChargeProgress: p, SAScheduleTupleID: 1}
}

func demand2() *v2.CurrentDemandReq {
	return &v2.CurrentDemandReq{DCEVStatus: evStatus, EVTargetCurrent: v2.Amps(50), EVTargetVoltage: v2.Volts(400)}
}

// stage2 is how far a session has come: what may be asked next is in its name.
type stage2 int

const (
	atSetup stage2 = iota
	atDiscovery
	atSelection
	atContract
	atContractAuth
	atAuth
	atParameters
	atCable
	atPreCharge
	atPower
	atLoop
	atStop
)

// to brings a fresh session to a stage.
func to2(t testing.TB, dc, pnc bool, s stage2) *rig {
	t.Helper()
	r := newRig(t, config(dc), secc.Started{TLS: true})
	r.offer(handshake.NamespaceV2)
	steps := []struct {
		at  stage2
		ask func() v2.BodyElement
	}{
		{atSetup, func() v2.BodyElement { return r.ask2(setup2(), nil) }},
		{atDiscovery, func() v2.BodyElement { return r.ask2(&v2.ServiceDiscoveryReq{}, nil) }},
		{atSelection, func() v2.BodyElement {
			if pnc {
				return r.ask2(select2(v2.PaymentOptionContract), nil)
			}
			return r.ask2(select2(v2.PaymentOptionExternalPayment), nil)
		}},
		{atContract, func() v2.BodyElement {
			if !pnc {
				return &v2.PaymentDetailsRes{}
			}
			return r.ask2(details2(), nil)
		}},
		{atAuth, func() v2.BodyElement {
			req, key := &v2.AuthorizationReq{}, (*ecdsa.PrivateKey)(nil)
			if pnc {
				req, key = authorize2(), contractKey()
			}
			r.ask2(req, key)
			r.feed(secc.Authorized{Accepted: true})
			return r.ask2(req, key)
		}},
		{atParameters, func() v2.BodyElement {
			res := r.ask2(parameters2(dc), nil)
			r.change(func(p *secc.Present) { p.PilotWants = true })
			return res
		}},
		{atCable, func() v2.BodyElement {
			if !dc {
				return &v2.CableCheckRes{}
			}
			r.ask2(&v2.CableCheckReq{DCEVStatus: evStatus}, nil)
			return r.ask2(&v2.CableCheckReq{DCEVStatus: evStatus}, nil)
		}},
		{atPreCharge, func() v2.BodyElement {
			if !dc {
				return &v2.PreChargeRes{}
			}
			return r.ask2(preCharge2(), nil)
		}},
		{atPower, func() v2.BodyElement { return r.ask2(power2(v2.ChargeProgressStart), nil) }},
		{atLoop, func() v2.BodyElement {
			if dc {
				r.ask2(demand2(), nil)
			}
			return r.ask2(power2(v2.ChargeProgressStop), nil)
		}},
	}
	for _, x := range steps {
		if x.at >= s {
			return r
		}
		if x.at == atContract && s == atContractAuth && !pnc {
			t.Fatal("no contract")
		}
		res := x.ask()
		if c := code(res); !strings.HasPrefix(c, "OK") {
			t.Fatalf("on the way to stage %d: %T %s, %+v", s, res, c, r.end)
		}
	}
	return r
}

// case2 is one request in one situation.
type case2 struct {
	column string
	dc     bool
	pnc    bool
	stage  stage2
	before func(r *rig)
	req    v2.BodyElement
	key    *ecdsa.PrivateKey
	after  func(r *rig) // while the response waits
	want   v2.ResponseCode
	class  secc.Class // of the end; empty when the session goes on
	goes   bool       // the session ends well
}

func cases2() []case2 {
	seq := v2.ResponseCodeFailedSequenceError
	var out []case2
	add := func(c case2) { out = append(out, c) }
	good := func(dc, pnc bool, at stage2, req v2.BodyElement, key *ecdsa.PrivateKey) {
		add(case2{column: colOK, dc: dc, pnc: pnc, stage: at, req: req, key: key})
	}
	bad := func(dc, pnc bool, at stage2, req v2.BodyElement, key *ecdsa.PrivateKey, want v2.ResponseCode, class secc.Class) {
		add(case2{column: colBad, dc: dc, pnc: pnc, stage: at, req: req, key: key, want: want, class: class})
	}
	// What is good where.
	add(case2{column: colOK, stage: atSetup, req: setup2(), want: v2.ResponseCodeOKNewSessionEstablished})
	good(false, false, atDiscovery, &v2.ServiceDiscoveryReq{ServiceCategory: exi.Some(v2.ServiceCategoryInternet)}, nil)
	for _, id := range []uint16{1, 2, 3} {
		good(false, false, atSelection, &v2.ServiceDetailReq{ServiceID: id}, nil)
	}
	good(false, false, atSelection, select2(v2.PaymentOptionContract), nil)
	good(false, true, atContract, details2(), nil)
	good(false, true, atContractAuth, authorize2(), contractKey())
	good(false, false, atAuth, &v2.AuthorizationReq{}, nil)
	for _, dc := range []bool{false, true} {
		good(dc, false, atParameters, parameters2(dc), nil)
		good(dc, false, atPower, power2(v2.ChargeProgressStart), nil)
		good(dc, false, atPower, power2(v2.ChargeProgressStop), nil)
		good(dc, false, atLoop, power2(v2.ChargeProgressRenegotiate), nil)
		add(case2{column: colOK, dc: dc, stage: atStop, req: &v2.SessionStopReq{}, goes: true})
		add(case2{column: colOK, dc: dc, stage: atStop, req: &v2.SessionStopReq{ChargingSession: v2.ChargingSessionPause}, goes: true})
		add(case2{column: colOK, dc: dc, stage: atParameters, req: &v2.SessionStopReq{}, goes: true}) // early, and harmless
		receipt := func(r *rig) {
			r.now = r.now.Add(2 * time.Second)
			if dc {
				r.ask2(demand2(), nil)
			} else {
				r.ask2(&v2.ChargingStatusReq{}, nil)
			}
		}
		shown := v2.MeterInfo{MeterID: "DE*VYD*E1", MeterReading: exi.Some(uint64(0))}
		req := &v2.MeteringReceiptReq{SessionID: exi.MakeShortBytes(sessionID[:]), SAScheduleTupleID: exi.Some(uint8(1)), MeterInfo: shown}
		add(case2{column: colOK, dc: dc, pnc: true, stage: atLoop, before: receipt, req: req, key: contractKey()})
		wrong := *req
		wrong.MeterInfo.MeterReading = exi.Some(uint64(77))
		add(case2{column: colBad, dc: dc, pnc: true, stage: atLoop, before: receipt, req: &wrong, key: contractKey(), want: v2.ResponseCodeFailedMeteringSignatureNotValid, class: secc.ClassParameter})
		add(case2{column: colBad, dc: dc, pnc: true, stage: atLoop, before: receipt, req: req, key: provisioningKey(), want: v2.ResponseCodeFailedMeteringSignatureNotValid, class: secc.ClassCertificate})
		add(case2{column: colBad, dc: dc, pnc: true, stage: atLoop, before: receipt, req: req, want: v2.ResponseCodeFailedMeteringSignatureNotValid, class: secc.ClassCertificate})
		add(case2{column: colSequence, dc: dc, stage: atLoop, req: req, want: seq, class: secc.ClassSequence})
	}
	good(true, false, atCable, &v2.CableCheckReq{DCEVStatus: evStatus}, nil)
	good(true, false, atPreCharge, preCharge2(), nil)
	good(true, false, atLoop, demand2(), nil)
	good(false, false, atLoop, &v2.ChargingStatusReq{}, nil)
	good(true, false, atStop, &v2.WeldingDetectionReq{DCEVStatus: evStatus}, nil)

	// What has values that cannot be served.
	long := exi.MakeShortBytes(make([]byte, 7))
	bad(false, false, atSetup, &v2.SessionSetupReq{EVCCID: long}, nil, v2.ResponseCodeFailed, secc.ClassParameter)
	bad(false, false, atDiscovery, &v2.ServiceDiscoveryReq{ServiceScope: exi.Some(strings.Repeat("x", 65))}, nil, v2.ResponseCodeFailed, secc.ClassParameter)
	bad(false, false, atSelection, &v2.ServiceDetailReq{ServiceID: 4}, nil, v2.ResponseCodeFailedServiceIDInvalid, secc.ClassParameter)
	other := select2(v2.PaymentOptionExternalPayment)
	other.SelectedServiceList.SelectedService[0].ServiceID = 9
	bad(false, false, atSelection, other, nil, v2.ResponseCodeFailedServiceSelectionInvalid, secc.ClassParameter)
	noSet := select2(v2.PaymentOptionExternalPayment)
	noSet.SelectedServiceList.SelectedService = append(noSet.SelectedServiceList.SelectedService, v2.SelectedService{ServiceID: 3, ParameterSetID: exi.Some(int16(4))})
	bad(false, false, atSelection, noSet, nil, v2.ResponseCodeFailedServiceSelectionInvalid, secc.ClassParameter)
	only := select2(v2.PaymentOptionExternalPayment)
	only.SelectedServiceList.SelectedService[0].ServiceID = 3
	bad(false, false, atSelection, only, nil, v2.ResponseCodeFailedNoChargeServiceSelected, secc.ClassParameter)
	add(case2{column: colBad, stage: atSelection, before: withoutTLS, req: select2(v2.PaymentOptionContract), want: v2.ResponseCodeFailedPaymentSelectionInvalid, class: secc.ClassParameter})

	stranger := details2()
	stranger.EMAID = "DEVYRC00000009"
	bad(false, true, atContract, stranger, nil, v2.ResponseCodeFailedCertChainError, secc.ClassCertificate)
	empty := details2()
	empty.ContractSignatureCertChain = v2.CertificateChain{Certificate: []byte{}}
	bad(false, true, atContract, empty, nil, v2.ResponseCodeFailedNoCertificateAvailable, secc.ClassCertificate)
	add(case2{column: colBad, pnc: true, stage: atContract, before: func(r *rig) { r.now = epoch.Add(3 * 365 * 24 * time.Hour) }, req: details2(),
		want: v2.ResponseCodeFailedCertificateExpired, class: secc.ClassCertificate})
	add(case2{column: colOK, pnc: true, stage: atContract, before: func(r *rig) { r.now = set.Get(pki.Contract).Cert.NotAfter.Add(-24 * time.Hour) }, req: details2(),
		want: v2.ResponseCodeOKCertificateExpiresSoon})
	revokedReq := details2()
	add(case2{column: colBad, pnc: true, stage: atContract, before: revoke, req: revokedReq, want: v2.ResponseCodeFailedCertificateRevoked, class: secc.ClassCertificate})
	bad(false, true, atContractAuth, &v2.AuthorizationReq{GenChallenge: exi.Some(make([]byte, 16))}, contractKey(), v2.ResponseCodeFailedChallengeInvalid, secc.ClassCertificate)
	bad(false, true, atContractAuth, authorize2(), nil, v2.ResponseCodeFailedSignatureError, secc.ClassCertificate)
	bad(false, true, atContractAuth, authorize2(), provisioningKey(), v2.ResponseCodeFailedSignatureError, secc.ClassCertificate)
	add(case2{column: colOK, pnc: true, stage: atContractAuth, req: &v2.AuthorizationReq{}, before: func(r *rig) { r.ask2(authorize2(), contractKey()) }}) // a repetition
	bad(false, true, atContractAuth, &v2.AuthorizationReq{}, nil, v2.ResponseCodeFailedChallengeInvalid, secc.ClassCertificate)
	for refusal, want := range map[secc.Refusal]v2.ResponseCode{secc.RefusalNone: v2.ResponseCodeFailedCertificateNotAllowedAtThisEVSE, secc.RefusalExpired: v2.ResponseCodeFailedCertificateExpired,
		secc.RefusalRevoked: v2.ResponseCodeFailedCertificateRevoked, secc.RefusalChain: v2.ResponseCodeFailedCertChainError,
		secc.RefusalNoContract: v2.ResponseCodeFailedNoCertificateAvailable, secc.RefusalCanceled: v2.ResponseCodeFailedContractCanceled} {
		add(case2{column: colBad, pnc: true, stage: atContractAuth, req: authorize2(), key: contractKey(), want: want, class: secc.ClassAuth, before: func(r *rig) {
			r.ask2(authorize2(), contractKey())
			r.feed(secc.Authorized{Refusal: refusal})
		}})
	}
	for _, update := range []bool{false, true} {
		req, key, broken := v2.BodyElement(install2()), provisioningKey(), v2.BodyElement(&v2.CertificateInstallationReq{ID: "id1", OEMProvisioningCert: []byte{1, 2}, ListOfRootCertificateIDs: roots})
		if update {
			u := update2()
			u.ContractSignatureCertChain.Certificate = []byte{1, 2}
			req, key, broken = update2(), contractKey(), u
		}
		add(case2{column: colOK, pnc: true, stage: atContract, req: req, key: key, after: answer})
		add(case2{column: colSequence, pnc: true, stage: atContract, req: req, key: key, want: seq, class: secc.ClassSequence, before: func(r *rig) {
			r.ask2(req, key)
			answer(r)
		}})
		bad(false, true, atContract, broken, key, v2.ResponseCodeFailedCertChainError, secc.ClassCertificate)
		bad(false, true, atContract, req, set.Get(pki.CPS).Key, v2.ResponseCodeFailedSignatureError, secc.ClassCertificate)
		bad(false, true, atContract, req, nil, v2.ResponseCodeFailedSignatureError, secc.ClassCertificate)
		add(case2{column: colTimeout, pnc: true, stage: atContract, req: req, key: key, after: func(r *rig) { r.pass(5 * time.Second) }, want: v2.ResponseCodeFailed, class: secc.ClassCertificate})
		add(case2{column: colBad, pnc: true, stage: atContract, req: req, key: key, after: func(r *rig) { r.feed(secc.CertificateExchanged{EXI: []byte{0x80}}) }, want: v2.ResponseCodeFailed, class: secc.ClassCertificate})
	}
	for _, dc := range []bool{false, true} {
		bad(dc, false, atParameters, parameters2(!dc), nil, v2.ResponseCodeFailedWrongEnergyTransferMode, secc.ClassParameter)
		mixed := parameters2(!dc)
		mixed.RequestedEnergyTransferMode = parameters2(dc).RequestedEnergyTransferMode
		bad(dc, false, atParameters, mixed, nil, v2.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter)
		tariff := power2(v2.ChargeProgressStart)
		tariff.SAScheduleTupleID = 7
		bad(dc, false, atPower, tariff, nil, v2.ResponseCodeFailedTariffSelectionInvalid, secc.ClassParameter)
		profile := power2(v2.ChargeProgressStart)
		profile.ChargingProfile = exi.Some(v2.ChargingProfile{ProfileEntry: []v2.ProfileEntry{{ChargingProfileEntryMaxPower: v2.Watts(900000)}}})
		bad(dc, false, atPower, profile, nil, v2.ResponseCodeFailedChargingProfileInvalid, secc.ClassParameter)
		add(case2{column: colBad, dc: dc, stage: atPower, before: func(r *rig) { r.change(func(p *secc.Present) { p.Ready = false }) }, req: power2(v2.ChargeProgressStart),
			want: v2.ResponseCodeFailedPowerDeliveryNotApplied, class: secc.ClassHardware})
		stuck := func(r *rig) { r.stuck = true }
		add(case2{column: colTimeout, dc: dc, stage: atPower, before: stuck, req: power2(v2.ChargeProgressStart), after: func(r *rig) { r.pass(4 * time.Second) },
			want: v2.ResponseCodeFailedContactorError, class: secc.ClassHardware})
		add(case2{column: colTimeout, dc: dc, stage: atLoop, before: stuck, req: power2(v2.ChargeProgressStop), after: func(r *rig) { r.pass(4 * time.Second) },
			want: v2.ResponseCodeFailedContactorError, class: secc.ClassHardware})
		add(case2{column: colTimeout, dc: dc, stage: atPower, before: func(r *rig) { r.change(func(p *secc.Present) { p.PilotWants = false }) }, req: power2(v2.ChargeProgressStart),
			after: func(r *rig) { r.pass(2 * time.Second) }, want: v2.ResponseCodeFailedPowerDeliveryNotApplied, class: secc.ClassHardware})
		bad(dc, false, atLoop, power2(v2.ChargeProgressStart), nil, seq, secc.ClassSequence)
		bad(dc, false, atPower, power2(v2.ChargeProgressRenegotiate), nil, seq, secc.ClassSequence)
	}
	slow := parameters2(false)
	slow.EVChargeParameter.(*v2.ACEVChargeParameter).EVMaxCurrent = v2.Amps(0)
	bad(false, false, atParameters, slow, nil, v2.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter)
	low := parameters2(true)
	low.EVChargeParameter.(*v2.DCEVChargeParameter).EVMaximumVoltageLimit = v2.Volts(48)
	bad(true, false, atParameters, low, nil, v2.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter)
	high := preCharge2()
	high.EVTargetVoltage = v2.Volts(900)
	bad(true, false, atPreCharge, high, nil, v2.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter)
	broken := func(r *rig) { r.change(func(p *secc.Present) { p.Ready = false }) }
	add(case2{column: colBad, dc: true, stage: atCable, before: func(r *rig) {
		r.ask2(&v2.CableCheckReq{DCEVStatus: evStatus}, nil)
		r.change(func(p *secc.Present) { p.Isolation = secc.IsolationFault })
	}, req: &v2.CableCheckReq{DCEVStatus: evStatus}, want: v2.ResponseCodeFailed, class: secc.ClassHardware})
	add(case2{column: colTimeout, dc: true, stage: atCable, before: func(r *rig) {
		r.noIMD = true
		r.ask2(&v2.CableCheckReq{DCEVStatus: evStatus}, nil)
		r.poll2(&v2.CableCheckReq{DCEVStatus: evStatus}, 38*time.Second)
	}, req: &v2.CableCheckReq{DCEVStatus: evStatus}, want: v2.ResponseCodeFailed, class: secc.ClassTimeout})
	add(case2{column: colTimeout, dc: true, stage: atPreCharge, before: func(r *rig) {
		r.ask2(preCharge2(), nil)
		r.pass(6 * time.Second)
	}, req: preCharge2(), want: v2.ResponseCodeFailed, class: secc.ClassTimeout})
	add(case2{column: colBad, dc: true, stage: atPreCharge, before: broken, req: preCharge2(), want: v2.ResponseCodeFailed, class: secc.ClassHardware})
	add(case2{column: colBad, dc: true, stage: atLoop, before: broken, req: demand2(), want: v2.ResponseCodeFailed, class: secc.ClassHardware})
	lost := func(r *rig) { r.change(func(p *secc.Present) { p.PilotWants = false }) } // as with a lost lease, the contactor opens
	add(case2{column: colBad, dc: true, stage: atLoop, before: lost, req: demand2(), want: v2.ResponseCodeFailed, class: secc.ClassHardware})
	add(case2{column: colOK, stage: atLoop, before: lost, req: &v2.ChargingStatusReq{}})
	add(case2{column: colBad, stage: atLoop, before: broken, req: &v2.ChargingStatusReq{}, want: v2.ResponseCodeFailed, class: secc.ClassHardware})
	stop := func(req v2.BodyElement) func(r *rig) {
		return func(r *rig) {
			r.change(func(p *secc.Present) { p.Stop = true })
			r.poll2(req, time.Minute)
		}
	}
	add(case2{column: colTimeout, dc: true, stage: atLoop, before: stop(demand2()), req: demand2(), want: v2.ResponseCodeFailed, class: secc.ClassTimeout})
	add(case2{column: colTimeout, stage: atLoop, before: stop(&v2.ChargingStatusReq{}), req: &v2.ChargingStatusReq{}, want: v2.ResponseCodeFailed, class: secc.ClassTimeout})
	add(case2{column: colTimeout, stage: atAuth, before: func(r *rig) {
		r.poll2(&v2.AuthorizationReq{}, 300*time.Second)
	}, req: &v2.AuthorizationReq{}, want: v2.ResponseCodeFailed, class: secc.ClassAuth})
	// An unknown session in every message but the first.
	for _, c := range append([]case2(nil), out...) {
		if c.column == colOK && c.stage != atSetup && c.before == nil && c.key == nil && c.after == nil {
			c.column, c.want, c.class, c.goes = colBad, v2.ResponseCodeFailedUnknownSession, secc.ClassSequence, false
			c.before = func(r *rig) { r.session = exi.MakeShortBytes([]byte{9, 9, 9, 9, 9, 9, 9, 9}) }
			add(c)
		}
	}
	for _, req := range []v2.BodyElement{details2(), install2(), update2(), authorize2()} { // those that are signed
		at, key := atContract, contractKey()
		switch req.(type) {
		case *v2.PaymentDetailsReq:
			key = nil
		case *v2.AuthorizationReq:
			at = atContractAuth
		case *v2.CertificateInstallationReq:
			key = provisioningKey()
		}
		add(case2{column: colBad, pnc: true, stage: at, req: req, key: key, want: v2.ResponseCodeFailedUnknownSession, class: secc.ClassSequence,
			before: func(r *rig) { r.session = exi.MakeShortBytes([]byte{9}) }})
	}
	// Every message at a place where it is not due.
	for _, c := range []struct {
		req v2.BodyElement
		at  stage2
	}{{setup2(), atDiscovery}, {&v2.ServiceDiscoveryReq{}, atSetup}, {&v2.ServiceDiscoveryReq{}, atSelection}, {&v2.ServiceDetailReq{ServiceID: 1}, atDiscovery},
		{select2(v2.PaymentOptionExternalPayment), atAuth}, {details2(), atAuth}, {install2(), atAuth}, {update2(), atAuth}, {&v2.AuthorizationReq{}, atSelection},
		{&v2.AuthorizationReq{}, atParameters}, {parameters2(true), atAuth}, {parameters2(true), atLoop}, {&v2.CableCheckReq{DCEVStatus: evStatus}, atParameters},
		{&v2.CableCheckReq{DCEVStatus: evStatus}, atLoop}, {preCharge2(), atCable}, {preCharge2(), atLoop}, {power2(v2.ChargeProgressStart), atCable},
		{power2(v2.ChargeProgressStart), atParameters}, {demand2(), atPreCharge}, {demand2(), atStop}, {&v2.ChargingStatusReq{}, atLoop}, {&v2.ChargingStatusReq{}, atAuth},
		{&v2.WeldingDetectionReq{DCEVStatus: evStatus}, atLoop}, {&v2.SessionStopReq{}, atLoop}, {&v2.SessionStopReq{}, atSetup}} {
		add(case2{column: colSequence, dc: true, stage: c.at, req: c.req, want: seq, class: secc.ClassSequence})
	}
	return out
}

// poll2 repeats a request until the time is over.
func (r *rig) poll2(req v2.BodyElement, d time.Duration) {
	for begun := r.now; r.now.Sub(begun) < d-1200*time.Millisecond; r.pass(time.Second) {
		if res := r.ask2(req, nil); code(res) != "OK" {
			r.t.Fatalf("after %v: %s", r.now.Sub(begun), code(res))
		}
	}
	r.pass(1500 * time.Millisecond)
}

// withoutTLS begins the session anew on a plain connection.
func withoutTLS(r *rig) { restart(r, config(false), secc.Started{}, false) }

// revoke has the operator's sub-CA revoke the contract.
func revoke(r *rig) {
	sub := set.Get(pki.MOSub2)
	crl, err := sub.CRL(epoch, set.Get(pki.Contract))
	if err != nil {
		r.t.Fatal(err)
	}
	cfg := config(false)
	cfg.Contract.Trust.Revoked = &pki.Revocations{}
	if err := cfg.Contract.Trust.Revoked.AddCRL(crl, sub.Cert); err != nil {
		r.t.Fatal(err)
	}
	restart(r, cfg, secc.Started{TLS: true}, true)
}

func restart(r *rig, cfg secc.Config, start secc.Started, pnc bool) {
	*r = *newRig(r.t, cfg, start)
	r.offer(handshake.NamespaceV2)
	r.ask2(setup2(), nil)
	r.ask2(&v2.ServiceDiscoveryReq{}, nil)
	if pnc {
		r.ask2(select2(v2.PaymentOptionContract), nil)
	}
}

// answer is the certificate authority's.
func answer(r *rig) {
	if r.exchange == nil {
		r.t.Fatal("no certificate exchange was asked for")
	}
	req, err := v2.Decode(r.exchange.EXI)
	if err != nil {
		r.t.Fatal(err)
	}
	fresh := set.Get(pki.Contract)
	c := pki.NewContract{EMAID: testpki.EMAID, Chain: fresh.Chain(), Key: fresh.Key}
	res, err := set.Provisioner().Install(req, c)
	if r.exchange.Update {
		res, err = set.Provisioner().Update(req, c)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := res.AppendEXI(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.feed(secc.CertificateExchanged{EXI: b})
	if string(r.sent[len(r.sent)-1]) != string(b) {
		r.t.Error("the response is not passed on byte for byte")
	}
}

func (c case2) run(t *testing.T, cov *coverage) {
	t.Helper()
	r := to2(t, c.dc, c.pnc, c.stage)
	if c.before != nil {
		c.before(r)
	}
	res := r.ask2(c.req, c.key)
	if c.after != nil {
		c.after(r)
		res = r.last2()
	}
	where := name(c.req) + " at stage " + string(rune('a'+int(c.stage)))
	if res == nil || name(res) != name(c.req) || code(res) != c.want.String() {
		t.Errorf("%s (%s): %T %s, want %v; end %+v", where, c.column, res, code(res), c.want, r.end)
		return
	}
	switch {
	case c.class != "" && (r.end == nil || r.end.Class != c.class):
		t.Errorf("%s, %v: ends with %+v, want class %s", where, c.want, r.end, c.class)
	case c.class == "" && !c.goes && r.end != nil:
		t.Errorf("%s: ends with %+v", where, r.end)
	case c.goes && (r.end == nil || !r.end.OK):
		t.Errorf("%s: does not end well: %+v", where, r.end)
	}
	if r.end != nil {
		r.safe()
	}
	cov.count(name(c.req), c.column, res)
}

// Every message of ISO 15118-2 with every response code that applies to a SECC (table 112).
func TestEveryMessageAndCodeOfISO15118_2(t *testing.T) {
	cov := newCoverage()
	for _, c := range cases2() {
		c.run(t, cov)
	}
	resumed(t, cov)
	silence2(t, cov)
	const ok, failed, seq, unknown = "OK", "FAILED", "FAILED_SequenceError", "FAILED_UnknownSession"
	cov.report(t, "ISO 15118-2", map[string][]string{
		"SessionSetup":            {"OK_NewSessionEstablished", "OK_OldSessionJoined", failed, seq},
		"ServiceDiscovery":        {ok, failed, seq, unknown},
		"ServiceDetail":           {ok, seq, unknown, "FAILED_ServiceIDInvalid"},
		"PaymentServiceSelection": {ok, seq, unknown, "FAILED_PaymentSelectionInvalid", "FAILED_ServiceSelectionInvalid", "FAILED_NoChargeServiceSelected"},
		"PaymentDetails": {ok, "OK_CertificateExpiresSoon", seq, unknown, "FAILED_CertificateExpired", "FAILED_CertificateRevoked", "FAILED_CertChainError",
			"FAILED_NoCertificateAvailable"},
		"CertificateInstallation": {ok, failed, seq, unknown, "FAILED_SignatureError", "FAILED_CertChainError"},
		"CertificateUpdate":       {ok, failed, seq, unknown, "FAILED_SignatureError", "FAILED_CertChainError"},
		"Authorization": {ok, failed, seq, unknown, "FAILED_ChallengeInvalid", "FAILED_SignatureError", "FAILED_CertificateExpired", "FAILED_CertificateRevoked", "FAILED_CertChainError",
			"FAILED_NoCertificateAvailable", "FAILED_ContractCanceled", "FAILED_CertificateNotAllowedAtThisEVSE"},
		"ChargeParameterDiscovery": {ok, seq, unknown, "FAILED_WrongEnergyTransferMode", "FAILED_WrongChargeParameter"},
		"CableCheck":               {ok, failed, seq, unknown},
		"PreCharge":                {ok, failed, seq, unknown, "FAILED_WrongChargeParameter"},
		"PowerDelivery":            {ok, seq, unknown, "FAILED_TariffSelectionInvalid", "FAILED_ChargingProfileInvalid", "FAILED_PowerDeliveryNotApplied", "FAILED_ContactorError"},
		"ChargingStatus":           {ok, failed, seq, unknown},
		"CurrentDemand":            {ok, failed, seq, unknown},
		"MeteringReceipt":          {ok, seq, "FAILED_MeteringSignatureNotValid"},
		"WeldingDetection":         {ok, seq, unknown},
		"SessionStop":              {ok, seq, unknown},
	})
}

// resumed joins a paused session.
func resumed(t *testing.T, cov *coverage) {
	t.Helper()
	old := secc.Paused{SessionID: [8]byte{7, 7, 7, 7, 7, 7, 7, 7}, EVCCID: "020000000001"}
	r := newRig(t, config(false), secc.Started{Resume: &old})
	r.offer(handshake.NamespaceV2)
	r.session = exi.MakeShortBytes(old.SessionID[:])
	res := r.ask2(setup2(), nil)
	if code(res) != "OK_OldSessionJoined" {
		t.Errorf("%T %s", res, code(res))
	}
	cov.count("SessionSetup", colOK, res)
	if res := r.ask2(&v2.ServiceDiscoveryReq{}, nil); code(res) != "OK" {
		t.Errorf("the old session id does not hold: %s", code(res))
	}
}

// silence2 lets every state wait for its message in vain.
func silence2(t *testing.T, cov *coverage) {
	t.Helper()
	for _, c := range []struct {
		message string
		dc, pnc bool
		at      stage2
		wait    time.Duration
	}{
		{"SessionSetup", false, false, atSetup, 18 * time.Second}, {"ServiceDiscovery", false, false, atDiscovery, time.Minute},
		{"PaymentServiceSelection", false, false, atSelection, time.Minute}, {"ServiceDetail", false, false, atSelection, time.Minute},
		{"PaymentDetails", false, true, atContract, time.Minute}, {"CertificateInstallation", false, true, atContract, time.Minute},
		{"CertificateUpdate", false, true, atContract, time.Minute}, {"Authorization", false, true, atContractAuth, time.Minute},
		{"Authorization", false, false, atAuth, time.Minute}, {"ChargeParameterDiscovery", true, false, atParameters, time.Minute},
		{"CableCheck", true, false, atCable, time.Minute}, {"PreCharge", true, false, atPreCharge, time.Minute}, {"PowerDelivery", true, false, atPower, time.Minute},
		{"PowerDelivery", false, false, atPower, time.Minute}, {"CurrentDemand", true, false, atLoop, time.Minute}, {"ChargingStatus", false, false, atLoop, time.Minute},
		{"MeteringReceipt", false, true, atLoop, time.Minute}, {"WeldingDetection", true, false, atStop, time.Minute}, {"SessionStop", false, false, atStop, time.Minute},
	} {
		r := to2(t, c.dc, c.pnc, c.at)
		wait := c.wait
		if c.at == atSetup {
			wait -= r.now.Sub(epoch)
		}
		r.pass(wait - time.Millisecond)
		if r.end != nil {
			t.Errorf("%s: gave up early: %+v", c.message, r.end)
			continue
		}
		r.pass(2 * time.Millisecond)
		if r.end == nil || r.end.Class != secc.ClassTimeout {
			t.Errorf("%s: after %v %+v", c.message, c.wait, r.end)
			continue
		}
		r.safe()
		cov.count(c.message, colTimeout, nil)
	}
}
