package capture

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"
)

// suite13 describes a cipher suite of TLS 1.3.
type suite13 struct {
	hash func() hash.Hash
	key  int
}

var suites13 = map[uint16]suite13{
	0x1301: {sha256.New, 16},    // AES_128_GCM_SHA256
	0x1302: {sha512.New384, 32}, // AES_256_GCM_SHA384
}

// open13 derives the keys of a TLS 1.3 connection from its traffic secrets.
func open13(h hello, keys *KeyLog) (out [2]opener, err error) {
	s, ok := suites13[h.suite]
	if !ok {
		return out, fmt.Errorf("cipher suite %#04x is not supported", h.suite)
	}
	for i, side := range []string{"CLIENT", "SERVER"} {
		d := &dir13{
			suite:       s,
			handshake:   keys.secret(side+"_HANDSHAKE_TRAFFIC_SECRET", h.clientRandom),
			application: keys.secret(side+"_TRAFFIC_SECRET_0", h.clientRandom),
		}
		if d.handshake == nil && d.application == nil {
			return out, errNoKeys
		}
		if d.handshake != nil {
			err = d.use(d.handshake)
		} else {
			err = d.use(d.application)
		}
		if err != nil {
			return out, err
		}
		out[i] = d
	}
	return out, nil
}

// dir13 opens the records of one direction: first under the handshake secret,
// after the Finished message under the application secret, which a KeyUpdate
// message renews.
type dir13 struct {
	suite       suite13
	handshake   []byte
	application []byte
	current     []byte
	inTraffic   bool
	aead        cipher.AEAD
	iv          []byte
	seq         uint64
	partial     []byte // handshake messages that span records
}

// use switches to a traffic secret.
func (d *dir13) use(secret []byte) error {
	key, err := d.expand(secret, "key", d.suite.key)
	if err != nil {
		return err
	}
	if d.iv, err = d.expand(secret, "iv", 12); err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	d.aead, err = cipher.NewGCM(block)
	d.seq, d.current = 0, secret
	return err
}

// expand is HKDF-Expand-Label with an empty context.
func (d *dir13) expand(secret []byte, label string, n int) ([]byte, error) {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len(label)))
	info = append(append(info, label...), 0)
	return hkdf.Expand(d.suite.hash, secret, string(info), n)
}

func (d *dir13) open(r record) (byte, []byte, error) {
	plain, err := d.unseal(r)
	if err != nil && !d.inTraffic && d.application != nil && d.handshake == nil {
		return recordHandshake, nil, nil // still in the handshake, whose keys are not known
	}
	if err != nil {
		return 0, nil, err
	}
	end := len(plain)
	for end > 0 && plain[end-1] == 0 {
		end--
	}
	if end == 0 {
		return 0, nil, errRecord
	}
	typ, plain := plain[end-1], plain[:end-1]
	if typ == recordHandshake {
		err = d.messages(plain)
	}
	return typ, plain, err
}

func (d *dir13) unseal(r record) ([]byte, error) {
	nonce := append([]byte(nil), d.iv...)
	for i := range 8 {
		nonce[4+i] ^= byte(d.seq >> (56 - 8*i))
	}
	plain, err := d.aead.Open(nil, nonce, r.body, r.header)
	if err != nil {
		return nil, errRecord
	}
	d.seq++
	if d.handshake == nil {
		d.inTraffic = true
	}
	return plain, nil
}

// messages follows the handshake messages that change the keys.
func (d *dir13) messages(b []byte) error {
	d.partial = append(d.partial, b...)
	for len(d.partial) >= 4 {
		n := 4 + int(d.partial[1])<<16 + int(d.partial[2])<<8 + int(d.partial[3])
		if len(d.partial) < n {
			return nil
		}
		typ := d.partial[0]
		d.partial = d.partial[n:]
		switch {
		case typ == finished && !d.inTraffic:
			d.inTraffic = true
			if d.application == nil {
				return errNoKeys
			}
			return d.use(d.application)
		case typ == keyUpdate:
			next, err := d.expand(d.current, "traffic upd", d.suite.hash().Size())
			if err != nil {
				return err
			}
			return d.use(next)
		}
	}
	return nil
}
