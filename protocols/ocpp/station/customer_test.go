package station

import (
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// All that is stored about a customer is told, and removed but for the local list, what runs, and whose cable is locked (N09.FR.05,
// N10.FR.03, N10.FR.06); of somebody else nothing is.
func TestWhatIsKnownOfACustomer(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Variables = map[string]string{"OCPPCommCtrlr.UnlockOnEVSideDisconnect": "false"}
		for range 4 {
			c.EVSEs = append(c.EVSEs, EVSEConfig{ConnectorType: "sType2", Socket: true, Rating: profile.Rating{Phases: 3, Volts: 230, Max: 32}})
		}
	})
	w.do(Connected{})
	accepted := &v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted}
	w.ask(&v201.SendLocalListRequest{VersionNumber: 1, UpdateType: v201.UpdateFull, LocalAuthorizationList: []v201.AuthorizationData{{IdToken: card("ME"), IdTokenInfo: accepted},
		{IdToken: card("YOU"), IdTokenInfo: accepted}}})
	w.do(Cable{3, true})
	w.do(Plugged{3})
	w.do(Presented{3, card("ME")})
	w.do(Unplugged{3}) // the cable stays
	w.do(Plugged{1})
	w.do(Presented{1, card("ME")})
	w.do(Plugged{4})
	w.do(Presented{4, card("YOU")})
	w.ask(&v201.ReserveNowRequest{Id: 3, EvseId: new(5), ExpiryDateTime: t0.Add(time.Hour), IdToken: card("ME")})
	about := func(q *v201.CustomerInformationRequest) string {
		t.Helper()
		w.requests = nil
		if got := w.ask(q); !strings.Contains(got, "Accepted") {
			t.Fatal(got)
		}
		text := ""
		for _, r := range w.requests {
			if n, ok := r.(*v201.NotifyCustomerInformationRequest); ok {
				text += n.Data
			}
		}
		return text
	}
	me, you := card("ME"), card("YOU")
	before := about(&v201.CustomerInformationRequest{RequestId: 1, Report: true, IdToken: &me})
	for _, want := range []string{"authorization cache", "local list", "reservation 3 at EVSE 5", "transaction", "cable locked at EVSE 3"} {
		if !strings.Contains(before, want) {
			t.Errorf("%q is not in %q", want, before)
		}
	}
	if by := about(&v201.CustomerInformationRequest{RequestId: 1, Report: true, CustomerIdentifier: "me"}); by != before {
		t.Errorf("by identifier: %q", by)
	}
	others := about(&v201.CustomerInformationRequest{RequestId: 1, Report: true, IdToken: &you})
	if got := about(&v201.CustomerInformationRequest{RequestId: 2, Clear: true, IdToken: &me}); got != "cleared" {
		t.Error(got)
	}
	after := about(&v201.CustomerInformationRequest{RequestId: 3, Report: true, IdToken: &me})
	if strings.Contains(after, "cache") || strings.Contains(after, "reservation") || !strings.Contains(after, "local list") || !strings.Contains(after, "cable locked") {
		t.Errorf("after it: %q", after)
	}
	if got := about(&v201.CustomerInformationRequest{RequestId: 4, Report: true, IdToken: &you}); got != others || !strings.Contains(got, "cache") {
		t.Errorf("of another customer: %q", got)
	}
	for key := range w.disk {
		if strings.HasPrefix(key, keyCache) && strings.HasSuffix(key, "/me") {
			t.Errorf("%s is on disk", key)
		}
	}
}
