package capture

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
)

// suite12 describes a cipher suite of TLS 1.2.
type suite12 struct {
	hash   func() hash.Hash // of the key derivation
	key    int
	macLen int // CBC only
	gcm    bool
}

// suites12 are the suites of ISO 15118-2 and the GCM suites that stacks
// negotiate as well.
var suites12 = map[uint16]suite12{
	0xc023: {sha256.New, 16, 32, false}, // ECDHE_ECDSA AES_128_CBC_SHA256
	0xc025: {sha256.New, 16, 32, false}, // ECDH_ECDSA AES_128_CBC_SHA256
	0xc027: {sha256.New, 16, 32, false}, // ECDHE_RSA AES_128_CBC_SHA256
	0xc009: {sha256.New, 16, 20, false}, // ECDHE_ECDSA AES_128_CBC_SHA
	0xc02b: {sha256.New, 16, 0, true},   // ECDHE_ECDSA AES_128_GCM_SHA256
	0xc02f: {sha256.New, 16, 0, true},   // ECDHE_RSA AES_128_GCM_SHA256
	0xc02c: {sha512.New384, 32, 0, true},
	0xc030: {sha512.New384, 32, 0, true},
}

// open12 derives the keys of a TLS 1.2 connection from its master secret.
func open12(h hello, keys *KeyLog) (out [2]opener, err error) {
	master := keys.secret("CLIENT_RANDOM", h.clientRandom)
	if master == nil {
		return out, errNoKeys
	}
	s, ok := suites12[h.suite]
	if !ok {
		return out, fmt.Errorf("cipher suite %#04x is not supported", h.suite)
	}
	iv := 16
	if s.gcm {
		iv = 4
	}
	seed := append(append([]byte("key expansion"), h.serverRandom...), h.clientRandom...)
	block := prf(s.hash, master, seed, 2*(s.macLen+s.key+iv))
	take := func(n int) []byte {
		b := block[:n]
		block = block[n:]
		return b
	}
	take(2 * s.macLen)
	k0, k1 := take(s.key), take(s.key)
	iv0, iv1 := take(iv), take(iv)
	for i, k := range [][]byte{k0, k1} {
		c, err := aes.NewCipher(k)
		if err != nil {
			return out, err
		}
		if !s.gcm {
			out[i] = &cbc12{block: c, mac: s.macLen, etm: h.encryptThenMAC}
			continue
		}
		aead, err := cipher.NewGCM(c)
		if err != nil {
			return out, err
		}
		out[i] = &gcm12{aead: aead, salt: [][]byte{iv0, iv1}[i]}
	}
	return out, nil
}

// prf is the pseudo-random function of TLS 1.2.
func prf(h func() hash.Hash, secret, seed []byte, n int) []byte {
	sum := func(parts ...[]byte) []byte {
		m := hmac.New(h, secret)
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	var out []byte
	for a := sum(seed); len(out) < n; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:n]
}

var errRecord = errors.New("record cannot be decrypted")

// cbc12 opens records of CBC suites. The message authentication code is cut
// off, not verified: a capture is evidence, not input.
type cbc12 struct {
	block cipher.Block
	mac   int
	etm   bool
}

func (c *cbc12) open(r record) (byte, []byte, error) {
	b := r.body
	if c.etm {
		if len(b) < c.mac {
			return 0, nil, errRecord
		}
		b = b[:len(b)-c.mac]
	}
	if len(b) < 32 || len(b)%16 != 0 {
		return 0, nil, errRecord
	}
	plain := make([]byte, len(b)-16)
	cipher.NewCBCDecrypter(c.block, b[:16]).CryptBlocks(plain, b[16:])
	cut := int(plain[len(plain)-1]) + 1
	if !c.etm {
		cut += c.mac
	}
	if cut > len(plain) {
		return 0, nil, errRecord
	}
	return r.typ, plain[:len(plain)-cut], nil
}

// gcm12 opens records of GCM suites.
type gcm12 struct {
	aead cipher.AEAD
	salt []byte
	seq  uint64
}

func (g *gcm12) open(r record) (byte, []byte, error) {
	if len(r.body) < 8+g.aead.Overhead() {
		return 0, nil, errRecord
	}
	nonce := append(append([]byte(nil), g.salt...), r.body[:8]...)
	ad := binary.BigEndian.AppendUint64(nil, g.seq)
	ad = append(ad, r.typ, byte(r.version>>8), byte(r.version))
	ad = binary.BigEndian.AppendUint16(ad, uint16(len(r.body)-8-g.aead.Overhead()))
	g.seq++
	plain, err := g.aead.Open(nil, nonce, r.body[8:], ad)
	if err != nil {
		return 0, nil, errRecord
	}
	return r.typ, plain, nil
}
