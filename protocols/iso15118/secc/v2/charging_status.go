package v2

import (
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitChargingStatus is the loop of AC charging. The response tells what is granted at this moment.
type waitChargingStatus struct{}

func (waitChargingStatus) accepts(req v2.BodyElement) bool {
	switch req.(type) {
	case *v2.ChargingStatusReq, *v2.PowerDeliveryReq, *v2.MeteringReceiptReq:
		return true
	}
	return false
}

func (s waitChargingStatus) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	switch r := req.(type) {
	case *v2.PowerDeliveryReq:
		return m.inLoop(r)
	case *v2.MeteringReceiptReq:
		return m.meteringReceipt(r, s)
	}
	switch {
	case !m.Present.Ready && !m.Present.Emergency:
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassHardware, "the EVSE failed while charging")
	case m.Overdue():
		return m.fail(req, v2.ResponseCodeFailed, secc.ClassTimeout, "the vehicle was asked to stop and goes on")
	}
	return &v2.ChargingStatusRes{ResponseCode: v2.ResponseCodeOK, EVSEID: m.Cfg.EVSEID, SAScheduleTupleID: m.tuple,
		EVSEMaxCurrent: exi.Some(v2.Amps(m.Present.MaxAmps)), ReceiptRequired: exi.Some(m.receiptDue()), MeterInfo: exi.Some(m.meter()),
		ACEVSEStatus: m.acStatus()}, s
}
