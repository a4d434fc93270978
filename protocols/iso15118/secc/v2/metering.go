package v2

import (
	"time"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmlsig"
)

// receipt is the state of meter readings that the vehicle signs.
type receipt struct {
	since time.Time    // of the last one, or of the start
	asked bool         // the last response asked for one
	shown v2.MeterInfo // what it showed
	done  uint64       // the reading of the last one that was signed, plus one
}

func (m *Machine) meter() v2.MeterInfo {
	info := v2.MeterInfo{MeterID: m.Cfg.EVSEID[:min(len(m.Cfg.EVSEID), 32)], MeterReading: exi.Some(uint64(max(0, m.Present.Energy)))}
	m.receipt.shown = info
	return info
}

// receiptDue reports whether the response at hand asks for a receipt: only who pays by contract can sign one ([V2G2-902]).
func (m *Machine) receiptDue() bool {
	if m.contract.key != nil && m.Cfg.Receipts > 0 && m.Now.Sub(m.receipt.since) >= m.Cfg.Receipts {
		m.receipt.asked = true
	}
	return m.receipt.asked
}

// meteringReceipt handles a signed meter reading. It must be the reading that the last response showed ([V2G2-903],
// [V2G2-904]); the last good one may come again without harm.
func (m *Machine) meteringReceipt(r *v2.MeteringReceiptReq, s state) (v2.BodyElement, state) {
	reading := r.MeterInfo.MeterReading.Value
	again := m.receipt.done == reading+1
	switch {
	case m.contract.key == nil || !m.receipt.asked && !again:
		return m.fail(r, v2.ResponseCodeFailedSequenceError, secc.ClassSequence, "a meter receipt that was not asked for")
	case r.SessionID != m.session || !again && (r.MeterInfo.MeterID != m.receipt.shown.MeterID || r.MeterInfo.MeterReading != m.receipt.shown.MeterReading):
		return m.fail(r, v2.ResponseCodeFailedMeteringSignatureNotValid, secc.ClassParameter, "the receipt is for another reading than the one that was shown")
	}
	if err := xmlsig.VerifyISO2(m.msg, m.contract.key); err != nil {
		return m.fail(r, v2.ResponseCodeFailedMeteringSignatureNotValid, secc.ClassCertificate, err.Error())
	}
	m.receipt.since, m.receipt.asked, m.receipt.done = m.Now, false, reading+1
	return &v2.MeteringReceiptRes{ResponseCode: v2.ResponseCodeOK, EVSEStatus: m.status()}, s
}
