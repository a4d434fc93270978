package sim

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/voltyard/voltyard/hal"
)

// signer is the outlet's meter as hal.Signer: it signs in the Open Charge Metering Format 1.0 of S.A.F.E.,
// OCMF|{payload}|{signature}, by ECDSA over the payload's bytes.
type signer struct{ *meter }

// Names of OCMF.
const (
	ocmfEncoding = "OCMF"
	ocmfMethod   = "ECDSA-secp256r1-SHA256"
)

type ocmfPayload struct {
	Version    string        `json:"FV"`
	Gateway    string        `json:"GI"`
	GatewayS   string        `json:"GS"`
	Page       string        `json:"PG"` // T with a count: of a transaction
	Vendor     string        `json:"MV"`
	Model      string        `json:"MM"`
	Serial     string        `json:"MS"`
	Identified bool          `json:"IS"`
	IDFlags    []string      `json:"IF"`
	IDType     string        `json:"IT"`
	ID         string        `json:"ID"`
	Readings   []ocmfReading `json:"RD"`
}

type ocmfReading struct {
	Time     string      `json:"TM"` // with the state of the clock: S synchronised
	Moment   string      `json:"TX"` // B begin, C charging, E end
	Value    json.Number `json:"RV"`
	Register string      `json:"RI"` // OBIS
	Unit     string      `json:"RU"`
	Errors   string      `json:"EF"`
	State    string      `json:"ST"` // G: good
}

type ocmfSignature struct {
	Algorithm string `json:"SA"`
	Signature string `json:"SD"` // hex of DER
}

func (s signer) Sign(ctx context.Context, m hal.Moment) (hal.MeterReading, error) {
	r, err := s.Read(ctx)
	if err != nil {
		return r, err
	}
	o := (*Outlet)(s.meter)
	o.mu.Lock()
	o.page++
	page := o.page
	o.mu.Unlock()
	payload, err := json.Marshal(ocmfPayload{Version: "1.0", Gateway: "Voltyard simulated", GatewayS: o.cfg.Serial, Page: "T" + strconv.Itoa(page), Vendor: "Voltyard",
		Model: "simulated", Serial: o.cfg.Serial, IDFlags: []string{}, IDType: "NONE", Readings: []ocmfReading{{
			Time: r.At.Format("2006-01-02T15:04:05,000-0700") + " S", Moment: [...]string{"C", "B", "E"}[min(m, hal.MomentEnd)],
			Value: json.Number(strconv.FormatFloat(float64(r.Import)/1000, 'f', 6, 64)), Register: "1-0:1.8.0", Unit: "kWh", State: "G"}}})
	if err != nil {
		return r, err
	}
	sum := sha256.Sum256(payload)
	der, err := ecdsa.SignASN1(rand.Reader, o.cfg.SigningKey, sum[:])
	if err != nil {
		return r, fmt.Errorf("simulated meter: sign a reading: %w", err)
	}
	sig, err := json.Marshal(ocmfSignature{Algorithm: ocmfMethod, Signature: hex.EncodeToString(der)})
	if err != nil {
		return r, err
	}
	r.At = r.At.Truncate(time.Millisecond) // as the record says
	r.Signed = &hal.SignedRecord{Data: "OCMF|" + string(payload) + "|" + string(sig), Encoding: ocmfEncoding, Method: ocmfMethod, PublicKey: s.PublicKey()}
	return r, nil
}

func (s signer) PublicKey() []byte {
	der, err := x509.MarshalPKIXPublicKey(s.cfg.SigningKey.Public())
	if err != nil {
		return nil // a key that is no public key of x509 signs nothing either
	}
	return der
}
