// Package xmlsig signs and verifies parts of ISO 15118 messages: XML signatures whose digests are computed over EXI
// fragments instead of text (ISO 15118-2, 7.9.2.4 and Annex J; ISO 15118-20, 7.9.2).
//
//	err := xmlsig.SignISO2(rand, key, &msg)          // puts the signature in the header
//	err := xmlsig.VerifyISO2(&msg, certificate.PublicKey)
//
// What a message signs follows from its type (SignedISO2). Where the private key sits behind a slow device, Prepare returns
// the digest to sign and Finish takes the signature, so that a machine can wait in between. Verification never looks at the
// bytes that came: the decoded values are encoded again in canonical form.
//
// The package is pure: randomness and keys are parameters. The state machines and the session actors call it.
package xmlsig
