package v2gtp

import (
	"encoding/binary"
	"fmt"
)

// HeaderLen is the length of the header in octets.
const HeaderLen = 8

// The protocol version and its inverse begin every header.
const (
	version    = 0x01
	notVersion = 0xFE
)

// PayloadType says what follows a header.
type PayloadType uint16

// Payload types (ISO 15118-2, table 10; ISO 15118-20, table 12).
const (
	EXI                   PayloadType = 0x8001 // supportedAppProtocol, DIN 70121, ISO 15118-2
	Common                PayloadType = 0x8002 // ISO 15118-20 CommonMessages
	AC                    PayloadType = 0x8003
	DC                    PayloadType = 0x8004
	ACDP                  PayloadType = 0x8005
	WPT                   PayloadType = 0x8006
	ScheduleRenegotiation PayloadType = 0x8101
	MeteringConfirmation  PayloadType = 0x8102
	ACDPSystemStatus      PayloadType = 0x8103
	ParkingStatus         PayloadType = 0x8104
	SDPRequest            PayloadType = 0x9000
	SDPResponse           PayloadType = 0x9001
	SDPWirelessRequest    PayloadType = 0x9002
	SDPWirelessResponse   PayloadType = 0x9003
)

// Header is a parsed header.
type Header struct {
	Type   PayloadType
	Length uint32 // of the payload, octets
}

// ParseHeader reads a header from the first HeaderLen octets of b. It refuses other versions; the caller refuses types and
// lengths that it does not expect.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderLen {
		return Header{}, fmt.Errorf("V2GTP header of %d octets; it has %d", len(b), HeaderLen)
	}
	if b[0] != version || b[1] != notVersion {
		return Header{}, fmt.Errorf("no V2GTP: it begins with %02X %02X, not 01 FE", b[0], b[1])
	}
	return Header{PayloadType(binary.BigEndian.Uint16(b[2:])), binary.BigEndian.Uint32(b[4:])}, nil
}

// AppendHeader appends the header of a payload of n octets to dst.
func AppendHeader(dst []byte, t PayloadType, n int) []byte {
	dst = append(dst, version, notVersion)
	dst = binary.BigEndian.AppendUint16(dst, uint16(t))
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

// Parse reads a datagram that holds exactly one message, and returns its payload, which shares memory with b.
func Parse(b []byte) (PayloadType, []byte, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return 0, nil, err
	}
	if body := b[HeaderLen:]; uint32(len(body)) == h.Length {
		return h.Type, body, nil
	}
	return 0, nil, fmt.Errorf("V2GTP message of %d octets announces %d", len(b)-HeaderLen, h.Length)
}
