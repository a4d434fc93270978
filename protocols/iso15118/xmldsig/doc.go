// Package xmldsig holds the XML signature types that the ISO 15118 headers
// contain, and the stand-alone fragment form of SignedInfo over which signatures
// are computed. What ISO 15118 forbids inside a signature (foreign elements,
// text between elements, PGP and SPKI keys, DSA parameters) is recognised and
// refused.
//
// The message packages use its types; protocols/iso15118/xmlsig signs and
// verifies with it.
package xmldsig
