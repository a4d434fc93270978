package ocpp

import (
	"slices"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func answerWith(m rpc.Message) func(rpc.Message) rpc.Message {
	return func(rpc.Message) rpc.Message { return m }
}

// rotates is the whole way of a new certificate: trigger, request, chain, use.
func rotates(trigger v201.MessageTriggerEnum, use v201.CertificateSigningUseEnum, root v201.InstallCertificateUseEnum, want ...v201.GetCertificateIdUseEnum) func(*testing.T) {
	return func(t *testing.T) {
		s := newSecure(t)
		acceptsCSR(s, v201.GenericStatusAccepted)
		ca := newAuthority(t, "root", nil)
		sub := newAuthority(t, "sub", ca)
		s.want("the root is installed", s.install(root, ca.pem()) == v201.InstallCertificateStatusAccepted)
		csr := s.sign(trigger, use)
		leaf := certify(t, "CS1", csr.PublicKey, nil, sub, false, start.Add(-time.Minute), start.AddDate(1, 0, 0))
		s.want("accepted", s.signed(use, leaf.pem()+sub.pem()) == v201.CertificateSignedStatusAccepted, s.effects)
		var used []v201.GetCertificateIdUseEnum
		for _, e := range s.effects {
			if u, ok := e.(station.UseCertificate); ok && u.Key == "k1" && u.PEM == leaf.pem()+sub.pem() && u.From.Equal(leaf.cert.NotBefore) {
				used = append(used, u.Use)
			}
		}
		s.want("it is used", slices.Equal(used, want), used)
		s.wait(time.Hour)
		none[*v201.SignCertificateRequest](s)
		none[*v201.SecurityEventNotificationRequest](s)
	}
}

func TestCasesA(t *testing.T) {
	station1, v2g := v201.CertificateSigningUseChargingStationCertificate, v201.CertificateSigningUseV2GCertificate
	const ownUse = v201.GetCertificateIdUseEnum("ChargingStationCertificate")
	runCases(t, []testCase{
		{"TC_A_11_CS", rotates(v201.MessageTriggerSignChargingStationCertificate, station1, v201.InstallCertificateUseCSMSRootCertificate, ownUse)}, // A02.FR.02, FR.03, FR.06
		{"TC_A_12_CS", rotates(v201.MessageTriggerSignV2GCertificate, v2g, v201.InstallCertificateUseV2GRootCertificate, v201.GetCertificateIdUseV2GCertificateChain)},
		{"TC_A_13_CS", rotates(v201.MessageTriggerSignCombinedCertificate, "", v201.InstallCertificateUseCSMSRootCertificate, ownUse, v201.GetCertificateIdUseV2GCertificateChain)},
		{"TC_A_14_CS", func(t *testing.T) { // A02.FR.07
			s := newSecure(t)
			acceptsCSR(s, v201.GenericStatusAccepted)
			ca, other := newAuthority(t, "root", nil), newAuthority(t, "other", nil)
			s.install(v201.InstallCertificateUseCSMSRootCertificate, ca.pem())
			csr := s.sign(v201.MessageTriggerSignChargingStationCertificate, station1)
			day := 24 * time.Hour
			for what, chain := range map[string]string{
				"expired":         certify(t, "CS1", csr.PublicKey, nil, ca, false, start.Add(-2*day), start.Add(-day)).pem(),
				"another root":    certify(t, "CS1", csr.PublicKey, nil, other, false, start.Add(-day), start.Add(day)).pem(),
				"another key":     certify(t, "CS1", &other.key.PublicKey, nil, ca, false, start.Add(-day), start.Add(day)).pem(),
				"another station": certify(t, "CS2", csr.PublicKey, nil, ca, false, start.Add(-day), start.Add(day)).pem(),
				"a CA":            certify(t, "CS1", csr.PublicKey, nil, ca, true, start.Add(-day), start.Add(day)).pem(),
				"no certificate":  "-----BEGIN NONSENSE-----",
			} {
				s.want(what+" is rejected", s.signed(station1, chain) == v201.CertificateSignedStatusRejected)
				s.want("the event", next[*v201.SecurityEventNotificationRequest](s).Type == "InvalidChargingStationCertificate")
			}
			_, used := effect[station.UseCertificate](s)
			s.want("none is used", !used)
			good := certify(t, "CS1", csr.PublicKey, nil, ca, false, start.Add(-day), start.Add(day)).pem()
			s.want("a valid one is still accepted", s.signed(station1, good) == v201.CertificateSignedStatusAccepted)
		}},
		{"TC_A_15_CS", func(t *testing.T) {
			s := newSecure(t)
			acceptsCSR(s, v201.GenericStatusRejected)
			csr := s.sign(v201.MessageTriggerSignChargingStationCertificate, station1)
			s.wait(24 * time.Hour)
			none[*v201.SignCertificateRequest](s)
			ca := newAuthority(t, "root", nil)
			s.install(v201.InstallCertificateUseCSMSRootCertificate, ca.pem())
			leaf := certify(t, "CS1", csr.PublicKey, nil, ca, false, start.Add(-time.Minute), start.AddDate(1, 0, 0))
			s.want("a certificate that is not expected", s.signed(station1, leaf.pem()) == v201.CertificateSignedStatusRejected)
			s.want("the event", next[*v201.SecurityEventNotificationRequest](s).Type == "InvalidChargingStationCertificate")
		}},
		{"TC_A_23_CS", func(t *testing.T) { // A02.FR.17 to FR.19
			s := newSecure(t)
			acceptsCSR(s, v201.GenericStatusAccepted)
			s.set("SecurityCtrlr", "CertSigningWaitMinimum", "30")
			s.set("SecurityCtrlr", "CertSigningRepeatTimes", "2")
			s.sign(v201.MessageTriggerSignChargingStationCertificate, station1)
			for _, wait := range []time.Duration{30 * time.Second, time.Minute} {
				s.wait(wait - time.Second)
				none[*v201.SignCertificateRequest](s)
				s.wait(time.Second)
				next[*v201.SignCertificateRequest](s)
			}
			s.wait(24 * time.Hour)
			none[*v201.SignCertificateRequest](s)
		}},
	})
}

// Security events outlast an outage and a restart (A04.FR.01, A04.FR.02).
func TestSecurityEventsReachTheCSMSAfterAnOutage(t *testing.T) {
	if *sutFlag == "mute" {
		t.Skip("a test of our own")
	}
	s := newSecure(t)
	s.disconnect()
	s.do(station.SecurityEvent{Type: "TamperDetectionActivated", Info: "lid"})
	at := s.now
	s.wait(time.Minute)
	s.reboot()
	if q := securityEventOf(s, "TamperDetectionActivated"); q.TechInfo != "lid" || !q.Timestamp.Equal(at) {
		t.Errorf("%+v", q)
	}
	s.reboot()
	s.wait(time.Minute)
	for _, m := range s.got[s.read:] {
		if q, ok := m.(*v201.SecurityEventNotificationRequest); ok && q.Type == "TamperDetectionActivated" {
			t.Error("it is told twice")
		}
	}
}

// securityEventOf returns the next security event of a type.
func securityEventOf(s *sut, kind string) *v201.SecurityEventNotificationRequest {
	s.Helper()
	for {
		if q := next[*v201.SecurityEventNotificationRequest](s); q.Type == kind {
			return q
		}
	}
}
