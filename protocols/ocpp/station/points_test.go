package station

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// A transaction ends when its stop point can come no more, whatever the vehicle draws then (E05.FR.10, E06.FR.07, E09.FR.01); and when
// the vehicle is gone and nobody may bring it back.
func TestNoTransactionIsLeftOpen(t *testing.T) {
	refuse := func(w *world) {
		w.answers["TransactionEvent"] = func(rpc.Message) rpc.Message {
			return &v201.TransactionEventResponse{IdTokenInfo: &v201.IdTokenInfo{Status: v201.AuthorizationStatusInvalid}}
		}
	}
	for name, c := range map[string]struct {
		start, stop string
		more        []string
		do          func(*world)
		want        string
	}{
		"gone while held back": {"PowerPathClosed", "EnergyTransfer", nil, func(w *world) {
			w.begin(1, "A")
			w.do(Flow{1, v201.ChargingStateSuspendedEVSE, 3})
			w.do(Unplugged{1})
		}, "EVCommunicationLost EVDisconnected"},
		"refused before it draws": {"PowerPathClosed", "EnergyTransfer", nil, func(w *world) {
			refuse(w)
			w.do(Plugged{1})
			w.show(1, "A")
		}, "Deauthorized DeAuthorized"},
		"stopped by its driver while it draws nothing": {"PowerPathClosed", "EnergyTransfer", nil, func(w *world) {
			w.do(Plugged{1})
			w.show(1, "A")
			w.show(1, "A")
		}, "StopAuthorized Local"},
		"refused, and no energy left to it": {"PowerPathClosed", "EnergyTransfer", []string{"TxCtrlr.StopTxOnInvalidId", "false"}, func(w *world) {
			w.begin(1, "A")
			refuse(w)
			w.do(Flow{1, v201.ChargingStateSuspendedEVSE, 3})
		}, "ChargingStateChanged DeAuthorized"},
		"refused, and the energy left to it drawn": {"PowerPathClosed", "EnergyTransfer", []string{"TxCtrlr.StopTxOnInvalidId", "false", "TxCtrlr.MaxEnergyOnInvalidId", "500"}, func(w *world) {
			w.energy(1, 1000)
			w.begin(1, "A")
			refuse(w)
			w.do(Flow{1, v201.ChargingStateSuspendedEVSE, 3})
			w.do(Flow{1, v201.ChargingStateCharging, 3})
			w.energy(1, 1499)
			if w.s.Transaction(1) == "" {
				t.Error("ended before the energy was drawn")
			}
			w.energy(1, 1500)
		}, "ChargingStateChanged EnergyLimitReached"},
		"never authorised": {"EVConnected", "Authorized", nil, func(w *world) {
			w.do(Plugged{1})
			w.do(Unplugged{1})
		}, "EVCommunicationLost EVDisconnected"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, with(append(c.more, "TxCtrlr.TxStartPoint", c.start, "TxCtrlr.TxStopPoint", c.stop)...))
			w.do(Connected{})
			c.do(w)
			e := w.lastEvent()
			if got := string(e.TriggerReason) + " " + string(e.TransactionInfo.StoppedReason); e.EventType != v201.TransactionEventEnded || got != c.want || w.s.Transaction(1) != "" {
				t.Errorf("%s %s, want %s", e.EventType, got, c.want)
			}
		})
	}
	// Brought back in time it goes on, where the driver may take it off.
	w := newWorld(t, with("TxCtrlr.TxStopPoint", "Authorized", "TxCtrlr.StopTxOnEVSideDisconnect", "false"))
	w.do(Connected{})
	w.begin(1, "A")
	tx := w.s.Transaction(1)
	w.do(Unplugged{1})
	w.wait(time.Minute)
	w.do(Plugged{1})
	if w.s.Transaction(1) != tx {
		t.Error("it does not go on")
	}
	w.do(Unplugged{1})
	w.wait(3 * time.Minute) // E10.FR.02
	if w.s.Transaction(1) != "" {
		t.Error("it goes on without a vehicle")
	}
}

// A vehicle that ends the session of a transaction that was stopped already says nothing new (E15.FR.05).
func TestOneStopIsToldOnce(t *testing.T) {
	w := newWorld(t, with("TxCtrlr.TxStopPoint", "EVConnected"))
	w.do(Connected{})
	stops := func() (n int) {
		for _, e := range requests[*v201.TransactionEventRequest](w) {
			if e.TriggerReason == v201.TriggerReasonStopAuthorized {
				n++
			}
		}
		return n
	}
	w.begin(1, "A")
	w.show(1, "A")
	w.do(StoppedByEV{1})
	if n := stops(); n != 1 {
		t.Errorf("told %d times", n)
	}
	w.do(Unplugged{1})
	if e := w.lastEvent(); e.TransactionInfo.StoppedReason != v201.ReasonLocal {
		t.Errorf("%+v", e.TransactionInfo)
	}
	w.requests = nil
	w.begin(1, "A")
	w.do(StoppedByEV{1})
	if n := stops(); n != 1 {
		t.Errorf("told %d times by the vehicle", n)
	}
}

// What a remote start leads to says so first, whatever it begins with (F01.FR.19, F02.FR.01, F02.FR.21).
func TestARemoteStartIsNamedFirst(t *testing.T) {
	for _, start := range []string{"EVConnected", "PowerPathClosed", "EnergyTransfer", "Authorized"} {
		w := newWorld(t, with("TxCtrlr.TxStartPoint", start))
		w.do(Connected{})
		w.ask(&v201.RequestStartTransactionRequest{EvseId: new(1), RemoteStartId: 77, IdToken: card("A")})
		w.do(Plugged{1})
		w.do(Flow{1, v201.ChargingStateCharging, 3})
		first := requests[*v201.TransactionEventRequest](w)[0]
		if first.EventType != v201.TransactionEventStarted || first.TriggerReason != v201.TriggerReasonRemoteStart || first.TransactionInfo.RemoteStartId == nil || first.IdToken == nil {
			t.Errorf("%s: %+v", start, first)
		}
	}
}
