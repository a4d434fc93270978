package v2gtls

import (
	"bytes"
	"crypto/sha1" // a name for a certificate, as RFC 6066 has it; nothing rests on it
	"crypto/x509"
	"encoding/binary"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
)

// maxHello is the most octets of the first flight that are looked at. Vehicles send a few hundred; of a longer one nothing is
// known.
const maxHello = 16 << 10

// maxAuthorities is the most authorities of a list that are looked at.
const maxAuthorities = 64

// TLS constants of IANA.
const (
	recordHandshake    = 22
	messageClientHello = 1

	extStatusRequest   = 5
	extTrustedCAKeys   = 3
	extStatusRequestV2 = 17
	extAuthorities     = 47

	authorityPreAgreed = 0
	authorityKeySHA1   = 1
	authorityName      = 2
	authorityCertSHA1  = 3
)

// Authority is one that a vehicle trusts, in one of the ways that RFC 6066 (6) has to name it.
type Authority struct {
	kind uint8
	id   []byte
}

// names reports whether the authority is this root.
func (a Authority) names(root *x509.Certificate) bool {
	switch a.kind {
	case authorityKeySHA1:
		id := pki.KeyID(root)
		return bytes.Equal(a.id, id[:])
	case authorityName:
		return bytes.Equal(a.id, root.RawSubject)
	case authorityCertSHA1:
		id := sha1.Sum(root.Raw)
		return bytes.Equal(a.id, id[:])
	}
	return false
}

// Hello is what a vehicle's ClientHello says besides what crypto/tls tells.
type Hello struct {
	// Trusted are the authorities that the vehicle trusts, in its order (trusted_ca_keys, certificate_authorities).
	Trusted []Authority
	// Status and StatusV2 report whether it wants OCSP responses.
	Status, StatusV2 bool
}

// reader takes big-endian numbers and vectors off a buffer. After a fault everything is empty and ok is false.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) take(n int) []byte {
	if !r.ok || n > len(r.b) {
		r.b, r.ok = nil, false
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) number(octets int) int {
	n := 0
	for _, c := range r.take(octets) {
		n = n<<8 | int(c)
	}
	return n
}

// vector is a field that begins with its length in so many octets.
func (r *reader) vector(octets int) *reader {
	b := r.take(r.number(octets))
	return &reader{b, r.ok}
}

// ParseHello reads the ClientHello at the beginning of what a client sent, TLS records and all. ok is false when it is not
// whole, or not one; then nothing of it counts.
func ParseHello(raw []byte) (Hello, bool) {
	body, ok := handshakeBody(raw)
	if !ok {
		return Hello{}, false
	}
	r := &reader{body, true}
	r.take(2 + 32) // version, random
	r.vector(1)    // session id
	r.vector(2)    // cipher suites
	r.vector(1)    // compression methods
	var h Hello
	if r.ok && len(r.b) == 0 { // extensions are optional
		return h, true
	}
	for ext := r.vector(2); ext.ok && len(ext.b) > 0; {
		kind := ext.number(2)
		data := ext.vector(2)
		if !ext.ok {
			return Hello{}, false
		}
		switch kind {
		case extStatusRequest:
			h.Status = true
		case extStatusRequestV2:
			h.StatusV2 = true
		case extTrustedCAKeys:
			list, ok := trustedCAKeys(data)
			if !ok {
				return Hello{}, false
			}
			h.Trusted = append(h.Trusted, list...)
		case extAuthorities:
			for l := data.vector(2); l.ok && len(l.b) > 0 && len(h.Trusted) < maxAuthorities; {
				if name := l.vector(2); name.ok {
					h.Trusted = append(h.Trusted, Authority{authorityName, name.b})
				}
			}
		}
		if len(h.Trusted) > maxAuthorities {
			h.Trusted = h.Trusted[:maxAuthorities]
		}
	}
	if !r.ok {
		return Hello{}, false
	}
	return h, true
}

func trustedCAKeys(data *reader) ([]Authority, bool) {
	var out []Authority
	l := data.vector(2)
	for l.ok && len(l.b) > 0 {
		a := Authority{kind: uint8(l.number(1))}
		switch a.kind {
		case authorityPreAgreed:
		case authorityKeySHA1, authorityCertSHA1:
			a.id = l.take(sha1.Size)
		case authorityName:
			a.id = l.vector(2).b
		default:
			return nil, false // its length is not known
		}
		if l.ok && len(out) < maxAuthorities {
			out = append(out, a)
		}
	}
	return out, l.ok
}

// handshakeBody joins the records of the first message, if it is a ClientHello and whole.
func handshakeBody(raw []byte) ([]byte, bool) {
	var msg []byte
	for len(raw) >= 5 {
		n := int(binary.BigEndian.Uint16(raw[3:]))
		if raw[0] != recordHandshake || n == 0 || len(raw) < 5+n {
			return nil, false
		}
		if msg == nil {
			msg = raw[5 : 5+n : 5+n] // the usual case: one record, nothing copied
		} else {
			msg = append(msg, raw[5:5+n]...)
		}
		raw = raw[5+n:]
		if len(msg) < 4 {
			continue
		}
		if msg[0] != messageClientHello {
			return nil, false
		}
		if want := 4 + (int(msg[1])<<16 | int(msg[2])<<8 | int(msg[3])); len(msg) >= want {
			return msg[4:want], true
		}
	}
	return nil, false
}
