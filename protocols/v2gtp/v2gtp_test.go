package v2gtp

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
)

func TestSDPOnTheWire(t *testing.T) {
	req := AppendRequest(nil, Request{SecurityNone, TransportTCP})
	if got := hex.EncodeToString(req); got != "01fe9000000000021000" {
		t.Errorf("request %s", got)
	}
	res := AppendResponse(nil, Response{netip.MustParseAddrPort("[fe80::1]:61341"), SecurityTLS, TransportTCP})
	if got := hex.EncodeToString(res); got != "01fe900100000014fe800000000000000000000000000001ef9d0000" {
		t.Errorf("response %s", got)
	}
	back, err := ParseResponse(res)
	if err != nil || back.Addr != netip.MustParseAddrPort("[fe80::1]:61341") || back.Security != SecurityTLS {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestRefusals(t *testing.T) {
	for name, s := range map[string]string{
		"empty": "", "short": "01fe8001", "version": "02fd900000000002" + "1000", "inverse": "01ff9000000000021000",
		"type": "01fe8001000000021000", "announces more": "01fe9000000000031000", "announces less": "01fe9000000000011000",
		"too long a payload": "01fe900000000003100000",
	} {
		b, _ := hex.DecodeString(s)
		if _, err := ParseRequest(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(AppendRequest(nil, Request{SecurityNone, TransportTCP}))
	f.Add(AppendResponse(nil, Response{Addr: netip.MustParseAddrPort("[::1]:1")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseRequest(b); err == nil && !bytes.Equal(AppendRequest(nil, r), b) {
			t.Error("request changed")
		}
		if r, err := ParseResponse(b); err == nil && !bytes.Equal(AppendResponse(nil, r), b) {
			t.Error("response changed")
		}
	})
}
