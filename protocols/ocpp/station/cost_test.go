package station

import (
	"testing"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func (w *world) personal() string {
	p, n := last[Personal](w)
	if n == 0 {
		return "none"
	}
	return p.Message.Content
}

// A driver of whom the CSMS says nothing about the tariff sees what is set for such (I04.FR.01), and no tariff of the one before.
func TestDriversWithoutATariff(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Display = true })
	answer := w.answers["Authorize"]
	w.answers["Authorize"] = func(q rpc.Message) rpc.Message {
		res := answer(q).(*v201.AuthorizeResponse)
		if q.(*v201.AuthorizeRequest).IdToken.IdToken == "RICH" {
			res.IdTokenInfo.PersonalMessage = &v201.MessageContent{Format: v201.MessageFormatUTF8, Content: "0.30 a kWh"}
		}
		return res
	}
	w.do(Connected{})
	see := func(id, want string) {
		t.Helper()
		w.do(Plugged{1})
		w.do(Presented{1, card(id)})
		if got := w.personal(); got != want {
			t.Errorf("%s sees %q, not %q", id, got, want)
		}
		w.do(Unplugged{1})
	}
	see("RICH", "0.30 a kWh")
	see("A", "")
	w.put("TariffCostCtrlr", "TariffFallbackMessage", "0.50 a kWh")
	see("RICH", "0.30 a kWh")
	see("A", "0.50 a kWh")
	w.effects = nil
	w.start() // what is set outlasts a restart
	w.put("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "true")
	see("RICH", "0.50 a kWh") // offline: nobody knows what this driver pays
}

// A driver whose transaction ends while the CSMS is away is told so in place of the cost (I05.FR.02).
func TestTheCostOfATransactionThatEndsOffline(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Display = true })
	w.do(Connected{})
	w.put("TariffCostCtrlr", "TotalCostFallbackMessage", "the bill follows")
	w.charges(1, "A")
	w.do(Unplugged{1})
	if got := w.personal(); got != "" {
		t.Errorf("online: %q", got)
	}
	w.charges(1, "B")
	w.do(Disconnected{})
	w.do(Unplugged{1})
	if got := w.personal(); got != "the bill follows" {
		t.Errorf("offline: %q", got)
	}
}

// Where there is no display nothing of it can be set, and nothing is shown.
func TestNoTariffsWithoutADisplay(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	for _, name := range []string{"Currency", "TariffFallbackMessage", "TotalCostFallbackMessage"} {
		if _, m := w.get("TariffCostCtrlr", name); m != "ro" {
			t.Errorf("%s is %s", name, m)
		}
	}
	w.charges(1, "A")
	if got := w.personal(); got != "none" {
		t.Errorf("shown: %q", got)
	}
}
