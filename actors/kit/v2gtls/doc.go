// Package v2gtls is the TLS between vehicle and EVSE: the server of ISO 15118-2 and a vehicle's client for simulations. It is
// the one wrapper of crypto/tls for vehicles, so that another TLS library would change this package alone.
//
// The server speaks TLS 1.2 with the one suite that the standard demands and Go has, chooses its certificate chain by what the
// vehicle trusts, staples the OCSP response of its leaf and resumes sessions. Handshakes share few slots for computing, which
// they hold only while they compute, so that neither many vehicles at once nor a silent one delay a running charge loop. Every
// failure is an *Error with a stable code. Gaps tells what the standard has and this package has not.
//
// The session actor and the simulated vehicle call it.
package v2gtls

// Gaps are the parts of the standard's TLS profile that are missing because crypto/tls does not have them. The process says so
// at start.
func Gaps() []string {
	return []string{
		"status_request_v2 (RFC 6961): OCSP responses of sub-CAs are not sent; vehicles that insist close the connection ([V2G2-873])",
		"TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256 is not offered ([V2G2-602]); vehicles need only one of the two suites ([V2G2-603])",
		"trusted_ca_keys is obeyed but not echoed in ServerHello (RFC 6066)",
		"sessions are resumed by ticket, not by session id",
	}
}
