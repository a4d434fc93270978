package evcc

import (
	"crypto"
	"crypto/ecdsa"
	"fmt"
	"io"
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// Wallet is where a vehicle has its contract and its keys. Whoever drives a machine lets it answer Sign and Open.
type Wallet struct {
	Trust *pki.Trust // V2G roots of the vehicle
	Rand  io.Reader
	// EMAID, Chain and Key are the contract; empty before the first installation. Chain is in DER, leaf first.
	EMAID string
	Chain [][]byte
	Key   *ecdsa.PrivateKey
	// Provisioning and ProvisioningKey are from the manufacturer.
	Provisioning    []byte // DER
	ProvisioningKey *ecdsa.PrivateKey
}

// Contract is the wallet as the configuration of a machine.
func (w *Wallet) Contract(install, update bool) *Contract {
	c := &Contract{EMAID: w.EMAID, Chain: w.Chain, Install: install, Update: update, Provisioning: w.Provisioning}
	for _, r := range w.Trust.V2G {
		c.Roots = append(c.Roots, xmldsig.X509IssuerSerial{X509IssuerName: r.Issuer.String(), X509SerialNumber: exi.MakeBigInteger(r.SerialNumber)})
	}
	return c
}

func (w *Wallet) key(k Key) (*ecdsa.PrivateKey, error) {
	key := w.Key
	if k == KeyProvisioning {
		key = w.ProvisioningKey
	}
	if key == nil {
		return nil, fmt.Errorf("the vehicle has no %s key; give it one, or let it install a contract first", k)
	}
	return key, nil
}

// Sign answers a Sign effect.
func (w *Wallet) Sign(s Sign) (Signed, error) {
	key, err := w.key(s.Key)
	if err != nil {
		return Signed{}, err
	}
	der, err := key.Sign(w.Rand, s.Digest, crypto.SHA256)
	return Signed{der}, err
}

// Open answers an Open effect, and keeps the contract that came.
func (w *Wallet) Open(now time.Time, o Open) Opened {
	key, err := w.key(o.Key)
	if err != nil {
		return Opened{Err: err.Error()}
	}
	got, err := w.Trust.Open(now, o.Message, key)
	if err != nil {
		return Opened{Err: err.Error()}
	}
	w.EMAID, w.Key, w.Chain = got.EMAID, got.Key, nil
	for i, c := range got.Path.Certificates {
		if i < len(got.Path.Certificates)-1 || !got.Path.Rooted {
			w.Chain = append(w.Chain, c.Raw)
		}
	}
	return Opened{EMAID: w.EMAID, Chain: w.Chain}
}
