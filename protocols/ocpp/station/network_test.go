package station

import (
	"net/url"
	"strings"
	"testing"
)

func TestCSMSAddresses(t *testing.T) {
	for text, want := range map[string][2]bool{
		"ws://csms/ocpp": {false, true}, "wss://csms.example:8443": {true, true}, "WSS://[::1]:8443/a/b": {true, true}, "ws://[::1]": {false, true},
		"": {}, "csms": {}, "http://csms": {}, "wss://": {true, false}, "wss:///ocpp": {true, false}, "ws://:80": {}, "ws://csms:0": {}, "ws://csms:x": {},
		"ws://user@csms": {}, "ws://csms/?a=b": {}, "ws://csms/#a": {}, "ws://a b": {}, "ws://csms:99999": {}, "ws://::1/": {}, "ws://[]": {}, "ws://a\n": {},
	} {
		secure, good := csmsURL(text)
		if secure != want[0] || good != want[1] {
			t.Errorf("%q: secure %v, good %v", text, secure, good)
		}
	}
}

func FuzzCSMSAddress(f *testing.F) {
	f.Add("wss://csms.example:8443/ocpp")
	f.Add("ws://[::1]")
	f.Fuzz(func(t *testing.T, text string) {
		secure, good := csmsURL(text)
		if !good {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Hostname() == "" || u.User != nil || (strings.ToLower(u.Scheme) == "wss") != secure {
			t.Errorf("%q is good: %v %v", text, u, err)
		}
	})
}
