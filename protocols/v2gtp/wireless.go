package v2gtp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// WirelessRequest is a vehicle's request for its SECC over wireless communication (ISO 15118-20). Pairing is what it says
// about point-to-point signalling and pairing devices; its octets are carried as they are.
type WirelessRequest struct {
	Request
	Pairing []byte
}

// WirelessResponse is the answer to a WirelessRequest.
type WirelessResponse struct {
	Response
	Pairing []byte
}

// AppendWirelessRequest appends a whole request message to dst.
func AppendWirelessRequest(dst []byte, r WirelessRequest) []byte {
	dst = AppendHeader(dst, SDPWirelessRequest, requestLen+len(r.Pairing))
	return append(append(dst, byte(r.Security), byte(r.Transport)), r.Pairing...)
}

// ParseWirelessRequest reads a whole request message. Pairing shares memory with b.
func ParseWirelessRequest(b []byte) (WirelessRequest, error) {
	p, err := wireless(b, SDPWirelessRequest)
	if err != nil {
		return WirelessRequest{}, err
	}
	return WirelessRequest{Request{Security(p[0]), Transport(p[1])}, p[requestLen:]}, nil
}

// AppendWirelessResponse appends a whole response message to dst.
func AppendWirelessResponse(dst []byte, r WirelessResponse) []byte {
	dst = AppendHeader(dst, SDPWirelessResponse, responseLen+len(r.Pairing))
	ip := r.Addr.Addr().As16()
	dst = append(dst, ip[:]...)
	dst = binary.BigEndian.AppendUint16(dst, r.Addr.Port())
	return append(append(dst, byte(r.Security), byte(r.Transport)), r.Pairing...)
}

// ParseWirelessResponse reads a whole response message. Pairing shares memory with b.
func ParseWirelessResponse(b []byte) (WirelessResponse, error) {
	p, err := wireless(b, SDPWirelessResponse)
	if err != nil {
		return WirelessResponse{}, err
	}
	addr := netip.AddrPortFrom(netip.AddrFrom16([16]byte(p[:16])), binary.BigEndian.Uint16(p[16:]))
	return WirelessResponse{Response{addr, Security(p[18]), Transport(p[19])}, p[responseLen:]}, nil
}

// wireless returns the payload of a message of the given type.
func wireless(b []byte, want PayloadType) ([]byte, error) {
	t, p, err := Parse(b)
	if err != nil {
		return nil, err
	}
	if t != want {
		return nil, fmt.Errorf("payload type %#04x, not %#04x", uint16(t), uint16(want))
	}
	return p, Header{t, uint32(len(p))}.Check()
}
