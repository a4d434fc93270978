package v2gtp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Security is what a vehicle asks for and an SECC offers (ISO 15118-2, table 16).
type Security uint8

// Values of Security. Others are reserved.
const (
	SecurityTLS  Security = 0x00
	SecurityNone Security = 0x10
)

// Transport is the transport protocol; TCP is the only one in use (ISO 15118-2, table 17).
type Transport uint8

// TransportTCP is the only transport in use; UDP (0x10) is reserved.
const TransportTCP Transport = 0x00

// Request is a vehicle's request for the address of its SECC.
type Request struct {
	Security  Security
	Transport Transport
}

// Response is the answer: where the SECC listens.
type Response struct {
	Addr      netip.AddrPort // IPv6, without zone
	Security  Security
	Transport Transport
}

// Lengths of the payloads, octets.
const (
	requestLen  = 2
	responseLen = 20
)

// AppendRequest appends a whole request message to dst.
func AppendRequest(dst []byte, r Request) []byte {
	return append(AppendHeader(dst, SDPRequest, requestLen), byte(r.Security), byte(r.Transport))
}

// ParseRequest reads a whole request message.
func ParseRequest(b []byte) (Request, error) {
	t, p, err := Parse(b)
	if err != nil {
		return Request{}, err
	}
	if t != SDPRequest || len(p) != requestLen {
		return Request{}, fmt.Errorf("no SDP request: payload type %#04x with %d octets", uint16(t), len(p))
	}
	return Request{Security(p[0]), Transport(p[1])}, nil
}

// AppendResponse appends a whole response message to dst.
func AppendResponse(dst []byte, r Response) []byte {
	dst = AppendHeader(dst, SDPResponse, responseLen)
	ip := r.Addr.Addr().As16()
	dst = append(dst, ip[:]...)
	dst = binary.BigEndian.AppendUint16(dst, r.Addr.Port())
	return append(dst, byte(r.Security), byte(r.Transport))
}

// ParseResponse reads a whole response message.
func ParseResponse(b []byte) (Response, error) {
	t, p, err := Parse(b)
	if err != nil {
		return Response{}, err
	}
	if t != SDPResponse || len(p) != responseLen {
		return Response{}, fmt.Errorf("no SDP response: payload type %#04x with %d octets", uint16(t), len(p))
	}
	addr := netip.AddrFrom16([16]byte(p[:16]))
	return Response{netip.AddrPortFrom(addr, binary.BigEndian.Uint16(p[16:])), Security(p[18]), Transport(p[19])}, nil
}
