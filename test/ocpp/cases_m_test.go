package ocpp

import (
	"crypto"
	"fmt"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const (
	csmsRoot = v201.InstallCertificateUseCSMSRootCertificate
	mfRoot   = v201.InstallCertificateUseManufacturerRootCertificate
	v2gRoot  = v201.InstallCertificateUseV2GRootCertificate
	moRoot   = v201.InstallCertificateUseMORootCertificate
)

func listed(use v201.InstallCertificateUseEnum) v201.GetCertificateIdUseEnum {
	return v201.GetCertificateIdUseEnum(use)
}

// names checks that h is the hash data of c, which issuer made.
func (s *sut) names(h v201.CertificateHashData, c, issuer *authority) {
	s.Helper()
	want, err := pki.HashDataOf(c.cert, issuer.cert, crypto.SHA256)
	s.want("hash data", err == nil && string(h.HashAlgorithm) == want.Algorithm && h.IssuerNameHash == want.IssuerNameHash && h.IssuerKeyHash == want.IssuerKeyHash &&
		h.SerialNumber == want.SerialNumber, h, want)
}

func installs(use v201.InstallCertificateUseEnum) func(*testing.T) {
	return func(t *testing.T) { // M05.FR.01, FR.02, FR.17
		s := newSecure(t)
		ca := newAuthority(t, "root", nil)
		for range 2 {
			s.want("accepted", s.install(use, ca.pem()) == v201.InstallCertificateStatusAccepted)
			r, ok := effect[station.Roots](s)
			s.want("it counts", ok && r.Use == listed(use) && len(r.PEM) == 1 && r.PEM[0] == ca.pem(), r)
		}
		s.reboot()
		list := s.certificates(listed(use))
		s.want("it is there after a restart", len(list.CertificateHashDataChain) == 1, list)
		s.names(list.CertificateHashDataChain[0].CertificateHashData, ca, ca)
		s.want("it is counted", s.get("SecurityCtrlr", "CertificateEntries").AttributeValue == "1")
	}
}

// lists installs a root of every use, and retrieves those of some.
func lists(uses ...v201.InstallCertificateUseEnum) func(*testing.T) {
	return func(t *testing.T) { // M03.FR.01, FR.03, FR.04
		s := newSecure(t)
		all := map[v201.GetCertificateIdUseEnum]*authority{}
		for _, u := range []v201.InstallCertificateUseEnum{csmsRoot, mfRoot, v2gRoot, moRoot} {
			all[listed(u)] = newAuthority(t, string(u), nil)
			s.install(u, all[listed(u)].pem())
		}
		var ask []v201.GetCertificateIdUseEnum
		want := len(uses)
		for _, u := range uses {
			ask = append(ask, listed(u))
		}
		if ask == nil {
			want = len(all)
		}
		list := s.certificates(ask...)
		s.want("accepted", list.Status == v201.GetInstalledCertificateStatusAccepted && len(list.CertificateHashDataChain) == want, list)
		for _, c := range list.CertificateHashDataChain {
			s.names(c.CertificateHashData, all[c.CertificateType], all[c.CertificateType])
			delete(all, c.CertificateType)
		}
		s.want("each once", len(all) == 4-want, all)
	}
}

// relays has a vehicle ask for a contract certificate.
func relays(update bool, status v201.Iso15118EVCertificateStatusEnum) func(*testing.T) {
	return func(t *testing.T) { // M01.FR.01, M02.FR.01
		s := newSUT(t).boot()
		s.reply["Get15118EVCertificate"] = answerWith(&v201.Get15118EVCertificateResponse{Status: status, ExiResponse: "gJgCEf4A"})
		s.do(station.CertificateWanted{EVSE: 1, Token: 3, Update: update, EXI: []byte("\x80\x98\x02\x10\x00\xff")})
		q := next[*v201.Get15118EVCertificateRequest](s)
		action, want := v201.CertificateActionInstall, ""
		if update {
			action = v201.CertificateActionUpdate
		}
		s.want("the request", q.Action == action && q.ExiRequest == "gJgCEAD/" && q.Iso15118SchemaVersion == "urn:iso:15118:2:2013:MsgDef", q)
		if status == v201.Iso15118EVCertificateStatusAccepted {
			want = "\x80\x98\x02\x11\xfe\x00"
		}
		r, ok := effect[station.CertificateIs](s)
		s.want("the answer for the vehicle", ok && r.Token == 3 && string(r.EXI) == want, r)
	}
}

// v2gChain gives the station a certificate towards vehicles, with one sub-CA.
func v2gChain(s *sut) (leaf, sub, root *authority) {
	s.Helper()
	acceptsCSR(s, v201.GenericStatusAccepted)
	root = newAuthority(s.T, "root", nil)
	sub = newAuthority(s.T, "sub", root)
	s.want("the root", s.install(v2gRoot, root.pem()) == v201.InstallCertificateStatusAccepted)
	csr := s.sign(v201.MessageTriggerSignV2GCertificate, v201.CertificateSigningUseV2GCertificate)
	leaf = certify(s.T, "CS1", csr.PublicKey, nil, sub, false, start.Add(-time.Minute), start.AddDate(1, 0, 0))
	s.want("the chain", s.signed(v201.CertificateSigningUseV2GCertificate, leaf.pem()+sub.pem()) == v201.CertificateSignedStatusAccepted)
	return leaf, sub, root
}

func TestCasesM(t *testing.T) {
	runCases(t, []testCase{
		{"TC_M_01_CS", installs(csmsRoot)},
		{"TC_M_02_CS", installs(mfRoot)},
		{"TC_M_03_CS", installs(v2gRoot)},
		{"TC_M_04_CS", installs(moRoot)},
		{"TC_M_07_CS", func(t *testing.T) { // M05.FR.07
			s := newSecure(t)
			ca := newAuthority(t, "root", nil)
			for what, text := range map[string]string{
				"nonsense":       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
				"expired":        certify(t, "old", &ca.key.PublicKey, ca.key, nil, true, start.Add(-48*time.Hour), start.Add(-24*time.Hour)).pem(),
				"no CA":          certify(t, "leaf", &ca.key.PublicKey, ca.key, nil, false, start, start.Add(time.Hour)).pem(),
				"no root":        newAuthority(t, "sub", ca).pem(),
				"more than one":  ca.pem() + ca.pem(),
				"with more text": ca.pem() + "x",
			} {
				s.want(what+" is rejected", s.install(v2gRoot, text) == v201.InstallCertificateStatusRejected)
			}
			s.want("none is installed", s.certificates().Status == v201.GetInstalledCertificateStatusNotFound)
		}},
		{"TC_M_09_CS", func(t *testing.T) { // M05.FR.09 to FR.12
			s := newSecure(t, "SecurityCtrlr.AdditionalRootCertificateCheck", "true")
			old := newAuthority(t, "old", nil)
			s.want("the first one", s.install(csmsRoot, old.pem()) == v201.InstallCertificateStatusAccepted)
			s.want("a foreign one", s.install(csmsRoot, newAuthority(t, "foreign", nil).pem()) == v201.InstallCertificateStatusRejected)
			list := s.certificates(listed(csmsRoot)).CertificateHashDataChain
			s.want("the old one is still there", len(list) == 1, list)
			s.names(list[0].CertificateHashData, old, old)
			s.want("one that the old one signed", s.install(csmsRoot, newAuthority(t, "new", old).pem()) == v201.InstallCertificateStatusAccepted)
			s.want("the old one as fallback", len(s.certificates(listed(csmsRoot)).CertificateHashDataChain) == 2)
		}},
		{"TC_M_12_CS", lists(csmsRoot)},
		{"TC_M_13_CS", lists(mfRoot)},
		{"TC_M_14_CS", lists(v2gRoot)},
		{"TC_M_15_CS", func(t *testing.T) { // M03.FR.05
			s := newSecure(t)
			acceptsCSR(s, v201.GenericStatusAccepted)
			ca := newAuthority(t, "root", nil)
			sub1 := newAuthority(t, "sub1", ca)
			sub2 := newAuthority(t, "sub2", sub1)
			s.install(v2gRoot, ca.pem())
			csr := s.sign(v201.MessageTriggerSignV2GCertificate, v201.CertificateSigningUseV2GCertificate)
			leaf := certify(t, "CS1", csr.PublicKey, nil, sub2, false, start.Add(-time.Minute), start.AddDate(1, 0, 0))
			s.signed(v201.CertificateSigningUseV2GCertificate, leaf.pem()+sub2.pem()+sub1.pem())
			list := s.certificates(v201.GetCertificateIdUseV2GCertificateChain)
			s.want("one chain", len(list.CertificateHashDataChain) == 1 && len(list.CertificateHashDataChain[0].ChildCertificateHashData) == 2, list)
			c := list.CertificateHashDataChain[0]
			s.names(c.CertificateHashData, leaf, sub2)
			s.names(c.ChildCertificateHashData[0], sub2, sub1)
			s.names(c.ChildCertificateHashData[1], sub1, ca)
		}},
		{"TC_M_16_CS", lists(moRoot)},
		{"TC_M_17_CS", lists(csmsRoot, mfRoot)},
		{"TC_M_18_CS", lists()},
		{"TC_M_19_CS", func(t *testing.T) { // M03.FR.02
			s := newSecure(t)
			s.install(v2gRoot, newAuthority(t, "root", nil).pem())
			s.want("not found", s.certificates(listed(moRoot)).Status == v201.GetInstalledCertificateStatusNotFound)
		}},
		{"TC_M_20_CS", func(t *testing.T) { // M04.FR.02
			s := newSecure(t)
			gone, stays := newAuthority(t, "gone", nil), newAuthority(t, "stays", nil)
			s.install(moRoot, gone.pem())
			s.install(moRoot, stays.pem())
			for _, c := range s.certificates().CertificateHashDataChain {
				if c.CertificateHashData.SerialNumber == fmt.Sprintf("%x", gone.cert.SerialNumber) {
					s.want("accepted", s.remove(c.CertificateHashData) == v201.DeleteCertificateStatusAccepted)
				}
			}
			r, _ := effect[station.Roots](s)
			s.want("it does not count any more", r.Use == listed(moRoot) && len(r.PEM) == 1 && r.PEM[0] == stays.pem(), r)
			s.reboot()
			list := s.certificates().CertificateHashDataChain
			s.want("the other one is left", len(list) == 1, list)
			s.names(list[0].CertificateHashData, stays, stays)
		}},
		{"TC_M_22_CS", func(t *testing.T) { // M04.FR.04
			s := newSecure(t)
			s.install(moRoot, newAuthority(t, "root", nil).pem())
			h := s.certificates().CertificateHashDataChain[0].CertificateHashData
			h.SerialNumber += "1"
			s.want("not found", s.remove(h) == v201.DeleteCertificateStatusNotFound)
			s.want("it is still there", len(s.certificates().CertificateHashDataChain) == 1)
		}},
		{"TC_M_23_CS", func(t *testing.T) { // M04.FR.06
			s := newSecure(t)
			acceptsCSR(s, v201.GenericStatusAccepted)
			ca := newAuthority(t, "root", nil)
			s.install(csmsRoot, ca.pem())
			use := v201.CertificateSigningUseChargingStationCertificate
			csr := s.sign(v201.MessageTriggerSignChargingStationCertificate, use)
			leaf := certify(t, "CS1", csr.PublicKey, nil, ca, false, start.Add(-time.Minute), start.AddDate(1, 0, 0))
			s.want("it has one", s.signed(use, leaf.pem()) == v201.CertificateSignedStatusAccepted)
			h, err := pki.HashDataOf(leaf.cert, ca.cert, crypto.SHA256)
			s.want("hash data", err == nil)
			s.want("failed", s.remove(v201.CertificateHashData{HashAlgorithm: v201.HashAlgorithmEnum(h.Algorithm), IssuerNameHash: h.IssuerNameHash,
				IssuerKeyHash: h.IssuerKeyHash, SerialNumber: h.SerialNumber}) == v201.DeleteCertificateStatusFailed)
		}},
		{"TC_M_24_CS", func(t *testing.T) { // M06.FR.06, FR.07, FR.10
			s := newSecure(t)
			s.reply["GetCertificateStatus"] = answerWith(&v201.GetCertificateStatusResponse{Status: v201.GetCertificateStatusAccepted, OcspResult: "AQID"})
			leaf, sub, ca := v2gChain(s)
			for range 2 { // at once, and within a week again
				for _, c := range [][2]*authority{{leaf, sub}, {sub, ca}} {
					d := next[*v201.GetCertificateStatusRequest](s).OcspRequestData
					s.want("responder", d.ResponderURL == "http://ocsp.invalid", d)
					s.names(v201.CertificateHashData{HashAlgorithm: d.HashAlgorithm, IssuerNameHash: d.IssuerNameHash, IssuerKeyHash: d.IssuerKeyHash, SerialNumber: d.SerialNumber}, c[0], c[1])
				}
				none[*v201.GetCertificateStatusRequest](s)
				e, ok := effect[station.Staple](s)
				s.want("it is kept for vehicles", ok && string(e.OCSP) == "\x01\x02\x03", e)
				s.wait(7 * 24 * time.Hour)
			}
		}},
		{"TC_M_25_CS", func(t *testing.T) { // M06.FR.04
			s := newSecure(t)
			s.reply["GetCertificateStatus"] = answerWith(&v201.GetCertificateStatusResponse{Status: v201.GetCertificateStatusFailed})
			v2gChain(s)
			next[*v201.GetCertificateStatusRequest](s)
			next[*v201.GetCertificateStatusRequest](s)
			_, ok := effect[station.Staple](s)
			s.want("nothing to keep", !ok)
			s.wait(30 * time.Minute)
			none[*v201.GetCertificateStatusRequest](s)
			s.wait(time.Hour)
			next[*v201.GetCertificateStatusRequest](s)
		}},
		{"TC_M_26_CS", relays(false, v201.Iso15118EVCertificateStatusAccepted)},
		{"TC_M_27_CS", relays(false, v201.Iso15118EVCertificateStatusFailed)},
		{"TC_M_28_CS", relays(true, v201.Iso15118EVCertificateStatusAccepted)},
		{"TC_M_29_CS", relays(true, v201.Iso15118EVCertificateStatusFailed)},
	})
}

// contract is a vehicle that shows its contract at EVSE 1.
func (s *sut) contract(c station.Contract) {
	s.Helper()
	s.plug(1)
	s.do(station.ContractShown{EVSE: 1, Token: v201.IdToken{IdToken: "DE8AAC0001X", Type: v201.IdTokenEMAID}, Contract: c})
}

// judges has the CSMS judge a contract while the station is online.
func judges(c station.Contract, st v201.AuthorizationStatusEnum, cert v201.AuthorizeCertificateStatusEnum) func(*testing.T) {
	return func(t *testing.T) { // C07.FR.01, FR.02, FR.06
		s := newSUT(t, "ISO15118Ctrlr.CentralContractValidationAllowed", "true").boot()
		s.reply["Authorize"] = func(rpc.Message) rpc.Message {
			return &v201.AuthorizeResponse{IdTokenInfo: v201.IdTokenInfo{Status: st}, CertificateStatus: cert}
		}
		s.contract(c)
		q := next[*v201.AuthorizeRequest](s)
		s.want("eMAID, hash data, chain", q.IdToken.Type == v201.IdTokenEMAID && len(q.Iso15118CertificateHashData) == len(c.Hash) && q.Certificate == c.PEM, q)
		good := st == v201.AuthorizationStatusAccepted && cert == v201.AuthorizeCertificateStatusAccepted
		s.want("permission", s.permits[1] == good)
		if !good {
			none[*v201.TransactionEventRequest](s)
			return
		}
		e := s.event(v201.TransactionEventStarted, "")
		s.want("its token", e.IdToken != nil && e.IdToken.Type == v201.IdTokenEMAID, e)
	}
}

func TestCasesContracts(t *testing.T) {
	hash := v201.OCSPRequestData{HashAlgorithm: v201.HashAlgorithmSHA256, IssuerNameHash: "aa", IssuerKeyHash: "bb", SerialNumber: "1", ResponderURL: "http://ocsp.invalid"}
	local := station.Contract{Rooted: true, Hash: []v201.OCSPRequestData{hash, hash}}
	central := station.Contract{Hash: []v201.OCSPRequestData{hash}, PEM: "-----BEGIN CERTIFICATE-----"}
	offline := func(t *testing.T, allowed string) *sut {
		s := newSUT(t, "ISO15118Ctrlr.ContractValidationOffline", allowed).boot()
		s.want("the list", ask[*v201.SendLocalListResponse](s, &v201.SendLocalListRequest{VersionNumber: 1, UpdateType: v201.UpdateFull,
			LocalAuthorizationList: []v201.AuthorizationData{{IdToken: v201.IdToken{IdToken: "DE8AAC0001X", Type: v201.IdTokenEMAID},
				IdTokenInfo: &v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted}}}}).Status == v201.SendLocalListStatusAccepted)
		s.disconnect()
		s.contract(local)
		return s
	}
	runCases(t, []testCase{
		{"TC_C_50_CS", judges(local, v201.AuthorizationStatusAccepted, v201.AuthorizeCertificateStatusAccepted)},
		{"TC_C_51_CS", judges(local, v201.AuthorizationStatusInvalid, v201.AuthorizeCertificateStatusCertificateRevoked)},
		{"TC_C_52_CS", judges(central, v201.AuthorizationStatusAccepted, v201.AuthorizeCertificateStatusAccepted)},
		{"TC_C_53_CS", judges(central, v201.AuthorizationStatusInvalid, v201.AuthorizeCertificateStatusCertChainError)},
		{"TC_C_54_CS", func(t *testing.T) { // C07.FR.08 to FR.10
			s := offline(t, "true")
			s.want("permission", s.permits[1])
			s.connect()
			s.want("told afterwards", s.event(v201.TransactionEventStarted, "").Offline != nil)
		}},
		{"TC_C_55_CS", func(t *testing.T) { // C07.FR.07
			s := offline(t, "false")
			_, asked := s.permits[1]
			s.want("no permission", asked && !s.permits[1])
		}},
	})
}
