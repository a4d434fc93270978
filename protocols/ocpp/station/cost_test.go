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

// What a transaction costs and what the driver pays is shown at its EVSE as it comes (I01.FR.03, I02.FR.02, I02.FR.03, I06.FR.03),
// and of a transaction that is over nothing but the total.
func TestRunningCosts(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		twoAC(c)
		c.Display = true
	})
	w.do(Connected{})
	tx := w.charges(2, "A")
	if got := w.ask(&v201.CostUpdatedRequest{TransactionId: tx, TotalCost: 1.25}); got != "{}" {
		t.Error(got)
	}
	if c, _ := last[Cost](w); c != (Cost{EVSE: 2, Tx: tx, Total: 1.25, Currency: "EUR"}) {
		t.Errorf("%+v", c)
	}
	w.put("TariffCostCtrlr", "Currency", "CHF")
	w.answers["TransactionEvent"] = func(rpc.Message) rpc.Message {
		return &v201.TransactionEventResponse{TotalCost: new(2.5), UpdatedPersonalMessage: &v201.MessageContent{Format: v201.MessageFormatUTF8, Content: "now 0.40"}}
	}
	w.do(Flow{2, v201.ChargingStateSuspendedEV, 3})
	if c, _ := last[Cost](w); c != (Cost{EVSE: 2, Tx: tx, Total: 2.5, Currency: "CHF"}) || w.personal() != "now 0.40" {
		t.Errorf("%+v, %s", c, w.personal())
	}
	w.do(Unplugged{2})
	if c, _ := last[Cost](w); c != (Cost{EVSE: 2, Tx: tx, Total: 2.5, Currency: "CHF", Final: true}) {
		t.Errorf("in the end %+v", c)
	}
	_, n := last[Cost](w)
	if got := w.ask(&v201.CostUpdatedRequest{TransactionId: tx, TotalCost: 9}); got != "{}" {
		t.Error(got)
	}
	if _, m := last[Cost](w); m != n {
		t.Error("the cost of a transaction that is over is shown")
	}
}
