package secc

import "github.com/voltyard/voltyard/protocols/iso15118/pki"

// Contract is how an EVSE serves Plug & Charge.
type Contract struct {
	// Trust has the MO and V2G roots to which a contract may chain. It is only read.
	Trust *pki.Trust
	// Central leaves a chain whose root is not known here to whoever answers Authorize.
	Central bool
	// Install and Update offer the certificate service.
	Install, Update bool
}

// ContractClaim is what a vehicle has shown of its contract and proved to be its own, valid as far as it could be checked here.
type ContractClaim struct {
	EMAID string         // normalised: upper case, without separators
	Path  *pki.Path      // not rooted when its root is not known here
	Hash  []pki.HashData // SHA-256, leaf first, for OCPP
}

// Refusal says why a contract was refused.
type Refusal uint8

// Reasons; each has its response code in ISO 15118-2, table 112.
const (
	RefusalNone       Refusal = iota // not accepted at this EVSE
	RefusalExpired                   // the certificate has expired
	RefusalRevoked                   // the certificate is revoked
	RefusalChain                     // the chain does not hold
	RefusalNoContract                // no contract is known for it
	RefusalCanceled                  // the contract is cancelled
)

// CertificateExchange asks for the answer to a CertificateInstallationReq or CertificateUpdateReq. EXI is the whole request
// as it came. The answer is CertificateExchanged; without it the vehicle hears FAILED in time.
type CertificateExchange struct {
	Update bool
	EXI    []byte
}

// CertificateExchanged is the whole response, which goes to the vehicle byte for byte; nil when there is none.
type CertificateExchanged struct{ EXI []byte }

func (CertificateExchange) effect() {}
func (CertificateExchanged) event() {}
