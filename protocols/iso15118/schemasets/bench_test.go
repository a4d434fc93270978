package schemasets_test

import (
	"testing"
	"unsafe"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/appproto"
	"github.com/voltyard/voltyard/protocols/iso15118/schemasets"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/v20/common"
	"github.com/voltyard/voltyard/protocols/iso15118/v20/dc"
)

type message = schemasets.Message

// samples are the messages whose cost is measured, by protocol and name.
func samples() map[string]message {
	return map[string]message{
		"sap/SupportedAppProtocolReq3":   sapReq(),
		"iso2/CurrentDemandReq":          currentDemandReq(),
		"iso2/CurrentDemandRes":          currentDemandRes(),
		"iso2/PaymentDetailsReq":         paymentDetailsReq(),
		"iso20/SessionSetupReq":          &common.SessionSetupReq{Header: header20(), EVCCID: "WMIV1234567890ABCDEX"},
		"iso20/DCChargeLoopReqScheduled": dcScheduled(),
		"iso20/DCChargeLoopReqDynamic":   dcDynamic(),
		"iso20/ScheduleExchangeRes":      scheduleExchangeRes(),
	}
}

func sapReq() message {
	entry := func(ns string, major, minor uint32, id, prio uint8) appproto.AppProtocol {
		return appproto.AppProtocol{ProtocolNamespace: ns, VersionNumberMajor: major, VersionNumberMinor: minor, SchemaID: id, Priority: prio}
	}
	return &appproto.SupportedAppProtocolReq{AppProtocol: []appproto.AppProtocol{
		entry("urn:iso:std:iso:15118:-20:DC", 1, 0, 1, 1),
		entry("urn:iso:15118:2:2013:MsgDef", 2, 0, 2, 2),
		entry("urn:din:70121:2012:MsgDef", 2, 0, 3, 3),
	}}
}

func session() exi.ShortBytes { return exi.MakeShortBytes([]byte{1, 2, 3, 4, 5, 6, 7, 8}) }

func v2Message(b v2.BodyElement) message {
	return &v2.V2GMessage{Header: v2.MessageHeader{SessionID: session()}, Body: v2.Body{BodyElement: b}}
}

func quantity(m int8, u v2.UnitSymbol, v int16) v2.PhysicalValue {
	return v2.PhysicalValue{Multiplier: m, Unit: u, Value: v}
}

func currentDemandReq() message {
	return v2Message(&v2.CurrentDemandReq{
		DCEVStatus:             v2.DCEVStatus{EVReady: true, EVRESSSOC: 43},
		EVTargetCurrent:        quantity(-1, v2.UnitSymbolA, 1250),
		EVMaximumVoltageLimit:  exi.Some(quantity(0, v2.UnitSymbolV, 460)),
		EVMaximumCurrentLimit:  exi.Some(quantity(0, v2.UnitSymbolA, 350)),
		EVMaximumPowerLimit:    exi.Some(quantity(3, v2.UnitSymbolW, 150)),
		BulkChargingComplete:   exi.Some(false),
		RemainingTimeToFullSoC: exi.Some(quantity(1, v2.UnitSymbolS, 300)),
		RemainingTimeToBulkSoC: exi.Some(quantity(1, v2.UnitSymbolS, 180)),
		EVTargetVoltage:        quantity(0, v2.UnitSymbolV, 402),
	})
}

func currentDemandRes() message {
	return v2Message(&v2.CurrentDemandRes{
		DCEVSEStatus:            v2.DCEVSEStatus{EVSEIsolationStatus: exi.Some(v2.IsolationLevelValid), EVSEStatusCode: v2.DCEVSEStatusCodeEVSEReady},
		EVSEPresentVoltage:      quantity(-1, v2.UnitSymbolV, 4021),
		EVSEPresentCurrent:      quantity(-1, v2.UnitSymbolA, 1248),
		EVSEMaximumVoltageLimit: exi.Some(quantity(0, v2.UnitSymbolV, 920)),
		EVSEMaximumCurrentLimit: exi.Some(quantity(0, v2.UnitSymbolA, 200)),
		EVSEMaximumPowerLimit:   exi.Some(quantity(3, v2.UnitSymbolW, 150)),
		EVSEID:                  "DE*VLT*E0001*1",
		SAScheduleTupleID:       1,
	})
}

func paymentDetailsReq() message {
	cert := make([]byte, 640)
	for i := range cert {
		cert[i] = byte(i * 7)
	}
	return v2Message(&v2.PaymentDetailsReq{
		EMAID: "DEVLTC12345678",
		ContractSignatureCertChain: v2.CertificateChain{
			Certificate:     cert,
			SubCertificates: exi.Some(v2.SubCertificates{Certificate: [][]byte{cert, cert}}),
		},
	})
}

func header20() common.MessageHeader {
	return common.MessageHeader{SessionID: session(), TimeStamp: 1760000000}
}

func rational(e int8, v int16) common.RationalNumber {
	return common.RationalNumber{Exponent: e, Value: v}
}

func dcScheduled() message {
	return &dc.DCChargeLoopReq{
		Header: header20(), EVPresentVoltage: rational(-1, 4021),
		CLReqControlMode: &dc.BPTScheduledDCCLReqControlMode{
			EVTargetCurrent: rational(-1, 1250), EVTargetVoltage: rational(0, 402),
			EVMaximumChargePower: exi.Some(rational(2, 1500)), EVMinimumChargePower: exi.Some(rational(0, 0)),
			EVMaximumDischargePower: exi.Some(rational(2, 1000)), EVMinimumDischargePower: exi.Some(rational(0, 0)),
		},
	}
}

func dcDynamic() message {
	return &dc.DCChargeLoopReq{
		Header: header20(), MeterInfoRequested: true, EVPresentVoltage: rational(-1, 4021),
		DisplayParameters: exi.Some(common.DisplayParameters{PresentSOC: exi.Some(int8(43)), TargetSOC: exi.Some(int8(80))}),
		CLReqControlMode: &dc.BPTDynamicDCCLReqControlMode{
			DepartureTime:         exi.Some(uint32(7200)),
			EVTargetEnergyRequest: rational(2, 300), EVMaximumEnergyRequest: rational(2, 450), EVMinimumEnergyRequest: rational(2, 50),
			EVMaximumChargePower: rational(2, 1500), EVMinimumChargePower: rational(0, 0),
			EVMaximumChargeCurrent: rational(0, 350), EVMaximumVoltage: rational(0, 460), EVMinimumVoltage: rational(0, 300),
			EVMaximumDischargePower: rational(2, 1000), EVMinimumDischargePower: rational(0, 0), EVMaximumDischargeCurrent: rational(0, 250),
		},
	}
}

func scheduleExchangeRes() message {
	var entries common.PowerScheduleEntryList
	for i := range 24 {
		entries.PowerScheduleEntry = append(entries.PowerScheduleEntry, common.PowerScheduleEntry{
			Duration: 3600, Power: rational(2, int16(100+i)),
		})
	}
	tuple := common.ScheduleTuple{ScheduleTupleID: 1}
	tuple.ChargingSchedule.PowerSchedule.TimeAnchor = 1760000000
	tuple.ChargingSchedule.PowerSchedule.PowerScheduleEntries = entries
	return &common.ScheduleExchangeRes{
		Header: header20(), EVSEProcessing: common.ProcessingFinished,
		ScheduledSEResControlMode: exi.Optional[common.ScheduledSEResControlMode]{
			Present: true, Value: common.ScheduledSEResControlMode{ScheduleTuple: []common.ScheduleTuple{tuple}},
		},
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, m := range samples() {
		b.Run(name, func(b *testing.B) {
			buf, err := m.AppendEXI(nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.AppendEXI(buf[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, m := range samples() {
		b.Run(name, func(b *testing.B) {
			buf, err := m.AppendEXI(nil)
			if err != nil {
				b.Fatal(err)
			}
			decode := decoderFor(m)
			b.ReportAllocs()
			for b.Loop() {
				if err := decode(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func decoderFor(m message) func([]byte) error {
	switch m.(type) {
	case *v2.V2GMessage:
		return func(b []byte) error { _, err := v2.Decode(b); return err }
	case *dc.DCChargeLoopReq:
		return func(b []byte) error { _, err := dc.Decode(b); return err }
	case *appproto.SupportedAppProtocolReq:
		return func(b []byte) error { _, err := appproto.Decode(b); return err }
	}
	return func(b []byte) error { _, err := common.Decode(b); return err }
}

// TestCost holds the codecs to what the charging loop can afford: no allocation
// to encode into a buffer with room, at most two to decode, and less than two
// kilobytes for a decoded loop message.
func TestCost(t *testing.T) {
	for name, m := range samples() {
		buf, err := m.AppendEXI(nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = m.AppendEXI(buf[:0]) }); n != 0 {
			t.Errorf("%s: %v allocations to encode", name, n)
		}
	}
	for _, name := range []string{"iso2/CurrentDemandReq", "iso20/DCChargeLoopReqScheduled", "iso20/DCChargeLoopReqDynamic"} {
		m := samples()[name]
		buf, _ := m.AppendEXI(nil)
		decode := decoderFor(m)
		if n := testing.AllocsPerRun(100, func() { _ = decode(buf) }); n > 2 {
			t.Errorf("%s: %v allocations to decode", name, n)
		}
	}
	var into v2.V2GMessage
	buf, _ := samples()["iso2/CurrentDemandRes"].AppendEXI(nil)
	if n := testing.AllocsPerRun(100, func() { _, _ = v2.DecodeInto(buf, &into) }); n > 2 {
		t.Errorf("iso2/CurrentDemandRes: %v allocations to decode into a document", n)
	}
	size := unsafe.Sizeof(v2.V2GMessage{}) + unsafe.Sizeof(v2.CurrentDemandRes{})
	if size >= 2048 {
		t.Errorf("a decoded CurrentDemandRes takes %d bytes", size)
	}
	if n := unsafe.Sizeof(dc.DCChargeLoopReq{}) + unsafe.Sizeof(dc.BPTDynamicDCCLReqControlMode{}); n >= 2048 {
		t.Errorf("a decoded DC_ChargeLoopReq takes %d bytes", n)
	}
}
