package v2gtp

import (
	"bytes"
	"net/netip"
	"testing"
)

func TestWireless(t *testing.T) {
	req := WirelessRequest{Request{SecurityTLS, TransportTCP}, []byte{1, 2, 3}}
	b := AppendWirelessRequest(nil, req)
	if got, err := ParseWirelessRequest(b); err != nil || got.Request != req.Request || !bytes.Equal(got.Pairing, req.Pairing) {
		t.Errorf("%+v, %v", got, err)
	}
	res := WirelessResponse{Response{netip.MustParseAddrPort("[fe80::2]:50000"), SecurityTLS, TransportTCP}, []byte{9}}
	c := AppendWirelessResponse(nil, res)
	if got, err := ParseWirelessResponse(c); err != nil || got.Response != res.Response || !bytes.Equal(got.Pairing, res.Pairing) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, wrong := range [][]byte{nil, b[:9], c, AppendHeader(nil, SDPWirelessRequest, 0), AppendWirelessRequest(nil, WirelessRequest{Pairing: make([]byte, 600)})} {
		if _, err := ParseWirelessRequest(wrong); err == nil {
			t.Errorf("%x was accepted", wrong)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, h := range []Header{{EXI, 0}, {EXI, MaxEXI + 1}, {SDPRequest, 3}, {SDPResponse, 19}, {0x8007, 10}, {0, 0}} {
		if h.Check() == nil {
			t.Errorf("%+v was accepted", h)
		}
	}
	for _, h := range []Header{{EXI, 13}, {DC, MaxEXI}, {ParkingStatus, 20}, {SDPRequest, 2}, {SDPResponse, 20}} {
		if err := h.Check(); err != nil {
			t.Error(err)
		}
	}
}
