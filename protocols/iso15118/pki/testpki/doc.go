// Package testpki makes whole sets of certificates for tests, benches and demonstrations: every root, sub-CA and leaf of
// ISO 15118-2 (P-256) or ISO 15118-20 (P-521), those that OCPP needs besides, OCSP responses and CRLs. The private keys of all
// CAs lie open in it; it must never be trusted by a real charge point.
//
// Time is a parameter, so that expiry can be tested. `voltyard pki init` writes such a set to files.
package testpki
