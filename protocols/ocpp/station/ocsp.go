package station

import (
	"encoding/base64"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const (
	ocspAge   = 6 * 24 * time.Hour // M06.FR.10 demands less than a week
	ocspRetry = time.Hour
)

// ocspDue asks for the status of the newest certificate towards vehicles and of its sub-CAs (M06.FR.06, FR.07, FR.10).
func (s *Station) ocspDue() {
	if s.ocspAt.IsZero() || s.now.Before(s.ocspAt) {
		return
	}
	s.ocspAt = time.Time{}
	own := s.of(v201.GetCertificateIdUseV2GCertificateChain)
	if len(own) == 0 {
		return
	}
	s.ocspAt = s.now.Add(ocspAge)
	if !s.Accepted() {
		s.ocspAt = s.now.Add(time.Minute)
		return
	}
	chain, err := parseChain(own[0].PEM)
	if err != nil {
		return
	}
	for i, h := range append([]v201.CertificateHashData{own[0].Hash}, own[0].Children...) {
		if i >= len(chain) || len(chain[i].OCSPServer) == 0 {
			continue
		}
		q := &v201.GetCertificateStatusRequest{OcspRequestData: v201.OCSPRequestData{HashAlgorithm: h.HashAlgorithm, IssuerNameHash: h.IssuerNameHash,
			IssuerKeyHash: h.IssuerKeyHash, SerialNumber: h.SerialNumber, ResponderURL: chain[i].OCSPServer[0]}}
		s.call(q, func(res rpc.Message, why string) { s.status(h, res, why) })
	}
}

// status reads what the CSMS says about one certificate. Without a result the one before stays, and it is asked again.
func (s *Station) status(h v201.CertificateHashData, res rpc.Message, why string) {
	if r, ok := res.(*v201.GetCertificateStatusResponse); ok {
		der, err := base64.StdEncoding.DecodeString(r.OcspResult)
		if r.Status == v201.GetCertificateStatusAccepted && err == nil && len(der) > 0 {
			for _, c := range s.certs {
				if c.Key != "" && sameHash(c.Hash, h) {
					c.OCSP = der
					s.save(keyCert+c.id(), c)
				}
			}
			s.emit(Staple{Certificate: h, OCSP: der})
			return
		}
		why = "the CSMS has none"
	}
	s.note(true, "no status of the certificate with serial number %s: %s", h.SerialNumber, why)
	s.ocspAt = s.now.Add(ocspRetry)
}
