package csms

import (
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Signer issues certificates for keys that stations have made. Its calls run in the CSMS's turn.
type Signer interface {
	// Sign answers a request for a certificate (PKCS #10, PEM) with a chain in PEM, leaf first, without the root.
	Sign(now time.Time, use v201.CertificateSigningUseEnum, csr string) (chain string, err error)
}

// issue accepts a request for a certificate if it can be issued. The certificate follows the answer (A02.FR.04).
func (c *CSMS) issue(k *conn, now time.Time, q *v201.SignCertificateRequest) *v201.SignCertificateResponse {
	refused := &v201.SignCertificateResponse{Status: v201.GenericStatusRejected}
	if c.cfg.Sign == nil {
		return refused
	}
	chain, err := c.cfg.Sign.Sign(now, q.CertificateType, q.Csr)
	if err != nil {
		c.log.Warn().Err(err).Str("station", k.id).Msg("no certificate is issued")
		return refused
	}
	k.issued = &v201.CertificateSignedRequest{CertificateChain: chain, CertificateType: q.CertificateType}
	return &v201.SignCertificateResponse{Status: v201.GenericStatusAccepted}
}

// deliver sends a certificate that was issued.
func (c *CSMS) deliver(k *conn, now time.Time) {
	q := k.issued
	if q == nil {
		return
	}
	k.issued = nil
	c.request(now, Request{Station: k.id, Action: q.ActionName(), Payload: q.AppendJSON(nil), Done: func(p []byte, fault string) {
		c.log.Info().Str("station", k.id).RawJSON("answer", orNull(p)).Str("fault", fault).Msg("a certificate was issued")
	}})
}

func orNull(p []byte) []byte {
	if p == nil {
		return []byte("null")
	}
	return p
}
