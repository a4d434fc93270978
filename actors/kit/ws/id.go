package ws

import (
	"crypto/rand"
	"encoding/hex"
)

// NewID returns a random UUID (RFC 9562, version 4): 36 characters, as message and transaction ids of OCPP may have.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails; the process would be stopped
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	for _, i := range [...]int{8, 13, 18, 23} {
		s[i] = '-'
	}
	return string(s[:])
}
