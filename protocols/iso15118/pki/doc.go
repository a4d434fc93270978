// Package pki is what Plug & Charge needs to know about certificates: which certificate may be what (profiles of
// ISO 15118-2 Annex F and ISO 15118-20 Annex B), whether a chain that a vehicle sent is to be trusted, whether it was
// revoked (OCSP responses and CRLs given as bytes), how contract identifiers are written, what OCPP wants to be told about a
// certificate, and how a contract certificate and its private key travel to a vehicle.
//
//	path, err := trust.Contract(now, pki.ISO2, chain)      // an *Error carries the response code to answer
//	if !pki.SameEMAID(path.EMAID(), req.EMAID) { ... }
//
// The package is pure: time, certificates and randomness are parameters, and nothing is fetched. The state machines and the
// session actors call it; package testpki beneath makes whole sets of certificates for tests and benches.
package pki
