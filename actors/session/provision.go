package session

import (
	"crypto/ecdsa"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// Bench answers requests for contract certificates from a test PKI whose private keys lie open, in place of mobility operator
// and certificate provisioning service: for test benches. It is safe for concurrent use.
type Bench struct {
	trust       *pki.Trust
	provisioner *pki.Provisioner
	issue       func(emaid string) (chain [][]byte, key *ecdsa.PrivateKey, err error)
}

// NewBench makes a bench. trust judges the requests; issue makes a contract certificate, which comes leaf first, without root.
func NewBench(trust *pki.Trust, p *pki.Provisioner, issue func(emaid string) ([][]byte, *ecdsa.PrivateKey, error)) *Bench {
	return &Bench{trust, p, issue}
}

// Answer implements Certificates. A vehicle keeps its contract when it asks for a new certificate; one that has none gets a
// contract whose identifier follows from its provisioning certificate.
func (b *Bench) Answer(update bool, exi []byte) ([]byte, error) {
	req, err := v2.Decode(exi)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	now := time.Now()
	var emaid string
	if update {
		path, err := b.trust.CheckUpdateReq(now, req)
		if err != nil {
			return nil, err
		}
		emaid = path.EMAID()
	} else {
		path, err := b.trust.CheckInstallationReq(now, req)
		if err != nil {
			return nil, err
		}
		h := fnv.New32a()
		_, _ = h.Write([]byte(path.Leaf().Subject.CommonName))
		emaid = fmt.Sprintf("DEVYRC%08d", h.Sum32()%1e8)
	}
	chain, key, err := b.issue(emaid)
	if err != nil {
		return nil, err
	}
	c := pki.NewContract{EMAID: emaid, Chain: chain, Key: key}
	var res *v2.V2GMessage
	if update {
		res, err = b.provisioner.Update(req, c)
	} else {
		res, err = b.provisioner.Install(req, c)
	}
	if err != nil {
		return nil, err
	}
	return res.AppendEXI(nil)
}
