package handshake

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	evcc2 "github.com/voltyard/voltyard/protocols/iso15118/evcc/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// newContract is a world over TLS in which the vehicle pays by contract.
func newContract(t *testing.T, dc, install, update bool) (*world, *testpki.Set) {
	t.Helper()
	set, err := testpki.New(pki.ISO2, epoch)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, dc)
	contract, prov := set.Get(pki.Contract), set.Get(pki.Provisioning)
	w.tls = true
	w.wallet = &evcc.Wallet{Trust: set.Trust(), Rand: rand.Reader, Provisioning: prov.Cert.Raw, ProvisioningKey: prov.Key}
	if !install {
		w.wallet.EMAID, w.wallet.Chain, w.wallet.Key = contract.Cert.Subject.CommonName, contract.Chain(), contract.Key
	}
	w.secc = New(secc.Config{DC: dc, EVSEID: "DE*VYD*E1", Volts: 230, Receipts: 3 * time.Second,
		Contract: &secc.Contract{Trust: set.Trust(), Install: true, Update: true}})
	w.evcc = evcc2.New(evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, 0, 1}, DC: dc, Phases: 3, Contract: w.wallet.Contract(install, update)})
	w.cps = func(e secc.CertificateExchange) []byte { return provide(t, set, e) }
	return w, set
}

// provide is the certificate provisioning service: it issues a new contract to whoever asks.
func provide(t *testing.T, set *testpki.Set, e secc.CertificateExchange) []byte {
	t.Helper()
	req, err := v2.Decode(e.EXI)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := set.NewContract("DEVYRC00000002")
	if err != nil {
		t.Fatal(err)
	}
	c := pki.NewContract{EMAID: "DE-VYR-C00000002", Chain: fresh.Chain(), Key: fresh.Key}
	var res *v2.V2GMessage
	if e.Update {
		_, err = set.Trust().CheckUpdateReq(epoch, req)
	} else {
		_, err = set.Trust().CheckInstallationReq(epoch, req)
	}
	if err != nil {
		t.Fatal(err)
	}
	if e.Update {
		res, err = set.Provisioner().Update(req, c)
	} else {
		res, err = set.Provisioner().Install(req, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := res.AppendEXI(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func doneAfter(d time.Duration) func(*world) {
	return func(w *world) {
		if w.now.Sub(epoch) > d {
			w.vehicle.Done = true
		}
	}
}

func TestPlugAndChargeWithReceipts(t *testing.T) {
	for _, dc := range []bool{false, true} {
		w, _ := newContract(t, dc, false, false)
		w.each = doneAfter(15 * time.Second)
		w.run(time.Minute)
		w.mustEndWell()
		if len(w.claims) != 1 {
			t.Fatalf("%d claims; the question goes out once", len(w.claims))
		}
		c := w.claims[0]
		if !pki.SameEMAID(c.EMAID, testpki.EMAID) || !c.Path.Rooted || len(c.Hash) != 3 {
			t.Errorf("claim %+v", c)
		}
		receipts := 0
		for _, s := range w.states {
			if s == "meteringReceipt" {
				receipts++
			}
		}
		if receipts < 3 {
			t.Errorf("%d receipts in 15 s, one due each 3 s", receipts)
		}
	}
}

func TestCertificateInstallationAndUpdate(t *testing.T) {
	for _, update := range []bool{false, true} {
		w, _ := newContract(t, false, !update, update)
		w.each = doneAfter(10 * time.Second)
		w.run(time.Minute)
		w.mustEndWell()
		if len(w.claims) != 1 || !pki.SameEMAID(w.claims[0].EMAID, "DEVYRC00000002") {
			t.Errorf("update %v: claims %+v", update, w.claims)
		}
	}
}

func TestContractsThatDoNotHold(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world, set *testpki.Set)
		code   v2.ResponseCode
		class  secc.Class
	}{
		"expired": {func(w *world, set *testpki.Set) {
			old, err := set.Issue(pki.MOSub2, testpki.Subject{Name: "old", CommonName: testpki.EMAID, Profile: pki.ProfileOf(pki.Contract),
				NotBefore: epoch.Add(-48 * time.Hour), NotAfter: epoch.Add(-24 * time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			w.wallet.Chain, w.wallet.Key = old.Chain(), old.Key
		}, v2.ResponseCodeFailedCertificateExpired, secc.ClassCertificate},
		"root not known": {func(w *world, set *testpki.Set) {
			other, err := testpki.New(pki.ISO2, epoch)
			if err != nil {
				t.Fatal(err)
			}
			c := other.Get(pki.Contract)
			w.wallet.Chain, w.wallet.Key = c.Chain(), c.Key
		}, v2.ResponseCodeFailedCertChainError, secc.ClassCertificate},
		"another EMAID": {func(w *world, _ *testpki.Set) { w.wallet.EMAID = "DEVYRC00000009" }, v2.ResponseCodeFailedCertChainError, secc.ClassCertificate},
		"another key": {func(w *world, set *testpki.Set) {
			w.wallet.Key = set.Get(pki.Provisioning).Key
		}, v2.ResponseCodeFailedSignatureError, secc.ClassCertificate},
		"refused": {func(w *world, _ *testpki.Set) { w.answer = secc.Authorized{Refusal: secc.RefusalCanceled} }, v2.ResponseCodeFailedContractCanceled, secc.ClassAuth},
		"revoked": {func(w *world, _ *testpki.Set) { w.answer = secc.Authorized{Refusal: secc.RefusalRevoked} }, v2.ResponseCodeFailedCertificateRevoked, secc.ClassAuth},
	} {
		t.Run(name, func(t *testing.T) {
			w, set := newContract(t, false, false, false)
			c.change(w, set)
			w.evcc = evcc2.New(evcc.Config{EVCCID: [6]byte{2}, Phases: 3, Contract: w.wallet.Contract(false, false)})
			w.run(time.Minute)
			if w.seccEnd == nil || w.seccEnd.Class != c.class || w.closings != 0 {
				t.Errorf("secc %+v, contactor closed %d times", w.seccEnd, w.closings)
			}
			if w.evccEnd == nil || !strings.HasSuffix(w.evccEnd.Why, c.code.String()) {
				t.Errorf("the vehicle ends with %+v, want %v", w.evccEnd, c.code)
			}
		})
	}
}

func TestPlugAndChargeNeedsTLS(t *testing.T) {
	w, _ := newContract(t, false, false, false)
	w.tls = false
	w.run(time.Minute)
	if w.evccEnd == nil || !strings.Contains(w.evccEnd.Why, "payment by Contract is not offered") {
		t.Errorf("%+v", w.evccEnd)
	}
}

func TestASlowCertificateAuthorityMeansFailedInTime(t *testing.T) {
	w, _ := newContract(t, false, true, false)
	w.cps = func(secc.CertificateExchange) []byte { return nil }
	w.run(time.Minute)
	if w.seccEnd == nil || w.seccEnd.Class != secc.ClassCertificate {
		t.Errorf("secc %+v", w.seccEnd)
	}
	if w.evccEnd == nil || !strings.HasSuffix(w.evccEnd.Why, "the SECC answers FAILED") {
		t.Errorf("the vehicle ends with %+v; it must hear FAILED before its own 5 s are over", w.evccEnd)
	}
}

func TestAGarbledCertificateAnswerMeansFailed(t *testing.T) {
	w, _ := newContract(t, false, true, false)
	w.cps = func(secc.CertificateExchange) []byte { return []byte{0x80, 0x98, 1} }
	w.run(time.Minute)
	if w.evccEnd == nil || !strings.HasSuffix(w.evccEnd.Why, "the SECC answers FAILED") || w.seccEnd.Class != secc.ClassCertificate {
		t.Errorf("secc %+v, evcc %+v", w.seccEnd, w.evccEnd)
	}
}

func TestRenegotiationFromBothSides(t *testing.T) {
	for _, dc := range []bool{false, true} {
		for _, byEVSE := range []bool{false, true} {
			w := newWorld(t, dc)
			asked := false
			w.each = func(w *world) {
				s := w.now.Sub(epoch)
				if s > 10*time.Second && !asked {
					asked = true
					if byEVSE {
						w.feedEVSE(secc.Renegotiate{})
					} else {
						w.feedEV(evcc.Renegotiate{})
					}
				}
				w.vehicle.Done = s > 25*time.Second
			}
			w.run(time.Minute)
			w.mustEndWell()
			after := w.states[slices.Index(w.states, "renegotiate")+1:]
			want := []string{"chargeParameterDiscovery", "powerStart", "chargingStatus"}
			closings := 1
			if dc {
				want, closings = []string{"chargeParameterDiscovery", "cableCheck", "preCharge", "powerStart", "currentDemand"}, 2
			}
			if len(after) < len(want) || !slices.Equal(after[:len(want)], want) {
				t.Errorf("dc %v, by EVSE %v: after the renegotiation %v", dc, byEVSE, after)
			}
			if w.closings != closings {
				t.Errorf("dc %v: the contactor closed %d times, want %d", dc, w.closings, closings)
			}
		}
	}
}

func TestPauseAndResume(t *testing.T) {
	for _, dc := range []bool{false, true} {
		w := newWorld(t, dc)
		w.each = func(w *world) {
			if w.now.Sub(epoch) > 10*time.Second {
				w.vehicle.Done, w.vehicle.Pause = true, true
			}
		}
		w.run(time.Minute)
		w.mustEndWell()
		if w.paused == nil || len(w.evPaused) != 8 || [8]byte(w.evPaused) != w.paused.SessionID {
			t.Fatalf("paused %+v, %x", w.paused, w.evPaused)
		}
		again := func(session []byte, id byte) *world {
			r := newWorld(t, dc)
			r.resume = w.paused
			r.resume.SessionID[0] = 77 // so that joining can be told from a session that begins anew
			r.evcc = evcc2.New(evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, 0, id}, DC: dc, Phases: 3, Session: session})
			r.each = doneAfter(10 * time.Second)
			r.run(time.Minute)
			r.mustEndWell()
			return r
		}
		session := append([]byte{77}, w.evPaused[1:]...)
		if !again(session, 1).joined {
			t.Error("the paused session was not joined")
		}
		if again(session, 2).joined {
			t.Error("another vehicle joined the paused session")
		}
		if again(nil, 1).joined {
			t.Error("a vehicle that names no session joined one")
		}
	}
}

func TestThePlanIsOfferedAndProfilesAreHeldToIt(t *testing.T) {
	w := newWorld(t, false)
	tariff := v2.SalesTariff{SalesTariffID: 1, SalesTariffEntry: []v2.SalesTariffEntry{{}}}
	w.feedEVSE(secc.Plan{Age: 30 * time.Minute, Tuples: []secc.PlanTuple{
		{ID: 4, Entries: []secc.PlanEntry{{Max: 1}, {Start: 20 * time.Minute, Max: 5000}, {Start: 90*time.Minute + 2*time.Second, Max: 90000}}, End: 150*time.Minute + 2*time.Second, Tariff: &tariff},
		{ID: 5, Entries: []secc.PlanEntry{{Max: 7000}}, End: 2 * time.Hour},
	}})
	w.each = doneAfter(10 * time.Second)
	w.run(time.Minute)
	w.mustEndWell()
	var offered *v2.ChargeParameterDiscoveryRes
	for _, b := range w.sent[1:] {
		msg, err := v2.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := msg.Body.BodyElement.(*v2.ChargeParameterDiscoveryRes); ok {
			offered = p
		}
	}
	if offered == nil || len(offered.SAScheduleList.Value.SAScheduleTuple) != 2 {
		t.Fatalf("offered %+v", offered)
	}
	first := offered.SAScheduleList.Value.SAScheduleTuple[0]
	e := first.PMaxSchedule.PMaxScheduleEntry
	if first.SAScheduleTupleID != 4 || len(e) != 2 || e[0].PMax.Float() != 5000 || e[1].PMax.Float() != 22080 || e[0].RelativeTimeInterval.Start != 0 || e[1].RelativeTimeInterval.Start < 3590 || e[1].RelativeTimeInterval.Start > 3602 || e[1].RelativeTimeInterval.Duration.Value != 3600 {
		t.Errorf("the first schedule is %+v: no more than the hardware can do may be in it", first)
	}
	if !first.SalesTariff.Present {
		t.Error("the tariff is not passed on")
	}
}
