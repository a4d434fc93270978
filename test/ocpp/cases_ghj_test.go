package ocpp

import (
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// targets of ChangeAvailability.
var (
	wholeStation = (*v201.EVSE)(nil)
	evse1        = &v201.EVSE{Id: 1}
	connector1   = &v201.EVSE{Id: 1, ConnectorId: new(1)}
)

func (s *sut) available(target *v201.EVSE, on bool) v201.ChangeAvailabilityStatusEnum {
	s.Helper()
	q := &v201.ChangeAvailabilityRequest{Evse: target, OperationalStatus: v201.OperationalStatusInoperative}
	if on {
		q.OperationalStatus = v201.OperationalStatusOperative
	}
	return ask[*v201.ChangeAvailabilityResponse](s, q).Status
}

func TestCasesG(t *testing.T) {
	accepted := v201.ChangeAvailabilityStatusAccepted
	off := func(target *v201.EVSE) func(*testing.T) {
		return func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", s.available(target, false) == accepted)
			s.status(v201.ConnectorStatusUnavailable)
			s.card(1, "TAG")
			s.want("out of service", !s.permits[1])
		}
	}
	on := func(target *v201.EVSE) func(*testing.T) {
		return func(t *testing.T) {
			s := newSUT(t).boot()
			s.available(target, false)
			s.status(v201.ConnectorStatusUnavailable)
			s.read = len(s.got)
			s.want("accepted", s.available(target, true) == accepted)
			s.status(v201.ConnectorStatusAvailable)
		}
	}
	same := func(target *v201.EVSE, up bool) func(*testing.T) {
		return func(t *testing.T) {
			s := newSUT(t).boot()
			if !up {
				s.available(target, false)
			}
			s.read = len(s.got)
			s.want("accepted", s.available(target, up) == accepted)
			none[*v201.StatusNotificationRequest](s)
		}
	}
	busy := func(target *v201.EVSE) func(*testing.T) {
		return func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.want("scheduled", s.available(target, false) == v201.ChangeAvailabilityStatusScheduled)
			s.want("goes on", s.permits[1])
			s.read = len(s.got)
			s.unplug(1)
			s.event(v201.TransactionEventEnded, "")
			found := false
			for _, m := range s.got {
				n, ok := m.(*v201.StatusNotificationRequest)
				found = found || ok && n.EvseId == 1 && n.ConnectorStatus == v201.ConnectorStatusUnavailable
			}
			s.want("out of service afterwards", found)
		}
	}
	persists := func(target *v201.EVSE) func(*testing.T) {
		return func(t *testing.T) {
			s := newSUT(t).boot()
			s.available(target, false)
			s.read = len(s.got)
			s.reboot()
			s.status(v201.ConnectorStatusUnavailable)
		}
	}
	runCases(t, []testCase{
		{"TC_G_01_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.plug(1)
			s.status(v201.ConnectorStatusOccupied)
		}},
		{"TC_G_02_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.plug(1)
			s.status(v201.ConnectorStatusOccupied)
			s.unplug(1)
			s.status(v201.ConnectorStatusAvailable)
		}},
		{"TC_G_03_CS", off(evse1)}, {"TC_G_05_CS", off(wholeStation)}, {"TC_G_07_CS", off(connector1)},
		{"TC_G_04_CS", on(evse1)}, {"TC_G_06_CS", on(wholeStation)}, {"TC_G_08_CS", on(connector1)},
		{"TC_G_09_CS", same(evse1, true)}, {"TC_G_12_CS", same(wholeStation, true)}, {"TC_G_15_CS", same(connector1, true)},
		{"TC_G_10_CS", same(evse1, false)}, {"TC_G_13_CS", same(wholeStation, false)}, {"TC_G_16_CS", same(connector1, false)},
		{"TC_G_11_CS", busy(evse1)}, {"TC_G_14_CS", busy(wholeStation)}, {"TC_G_17_CS", busy(connector1)},
		{"TC_G_18_CS", persists(evse1)}, {"TC_G_19_CS", persists(connector1)}, {"TC_G_21_CS", persists(wholeStation)},
	})
}

func (s *sut) reserve(id int, evse *int, change ...func(*v201.ReserveNowRequest)) v201.ReserveNowStatusEnum {
	s.Helper()
	q := &v201.ReserveNowRequest{Id: id, EvseId: evse, ExpiryDateTime: s.now.Add(10 * time.Minute), IdToken: token("TAG")}
	for _, f := range change {
		f(q)
	}
	return ask[*v201.ReserveNowResponse](s, q).Status
}

func TestCasesH(t *testing.T) {
	accepted, occupied, unavailable := v201.ReserveNowStatusAccepted, v201.ReserveNowStatusOccupied, v201.ReserveNowStatusUnavailable
	connector := func(kind v201.ConnectorEnum) func(*v201.ReserveNowRequest) {
		return func(q *v201.ReserveNowRequest) { q.ConnectorType = kind }
	}
	runCases(t, []testCase{
		{"TC_H_01_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", s.reserve(7, new(1)) == accepted)
			s.status(v201.ConnectorStatusReserved)
			s.plug(1)
			s.card(1, "TAG")
			e := s.event(v201.TransactionEventStarted, "")
			s.want("reservation", e.ReservationId != nil && *e.ReservationId == 7, e)
		}},
		{"TC_H_02_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", s.reserve(7, new(1)) == accepted)
			s.card(1, "OTHER")
			s.want("kept", !s.permits[1])
		}},
		{"TC_H_03_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.reserve(7, new(1))
			s.want("occupied", s.reserve(8, new(1)) == occupied)
		}},
		{"TC_H_04_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.begin(1)
			s.want("occupied", s.reserve(7, new(1)) == occupied)
		}},
		{"TC_H_06_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.available(evse1, false)
			s.want("unavailable", s.reserve(7, new(1)) == unavailable)
		}},
		{"TC_H_07_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.reserve(7, new(1))
			s.status(v201.ConnectorStatusReserved)
			s.wait(11 * time.Minute)
			u := next[*v201.ReservationStatusUpdateRequest](s)
			s.want("expired", u.ReservationId == 7 && u.ReservationUpdateStatus == v201.ReservationUpdateStatusExpired, u)
			s.status(v201.ConnectorStatusAvailable)
		}},
		{"TC_H_08_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", s.reserve(7, nil) == accepted)
		}},
		{"TC_H_09_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.reserve(7, new(1))
			s.reserve(8, new(2))
			s.want("occupied", s.reserve(9, nil) == occupied)
		}},
		{"TC_H_10_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.plug(1)
			s.plug(2)
			s.want("occupied", s.reserve(9, nil) == occupied)
		}},
		{"TC_H_12_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.available(wholeStation, false)
			s.want("unavailable", s.reserve(9, nil) == unavailable)
		}},
		{"TC_H_15_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("accepted", s.reserve(7, nil, connector("cType2")) == accepted)
		}},
		{"TC_H_16_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.reserve(7, nil, connector("cType2"))
			s.reserve(8, nil, connector("cType2"))
			s.want("occupied", s.reserve(9, nil, connector("cType2")) == occupied)
		}},
		{"TC_H_17_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.reserve(7, new(1))
			s.status(v201.ConnectorStatusReserved)
			r := ask[*v201.CancelReservationResponse](s, &v201.CancelReservationRequest{ReservationId: 7})
			s.want("accepted", r.Status == v201.CancelReservationStatusAccepted)
			s.status(v201.ConnectorStatusAvailable)
		}},
		{"TC_H_18_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			r := ask[*v201.CancelReservationResponse](s, &v201.CancelReservationRequest{ReservationId: 7})
			s.want("rejected", r.Status == v201.CancelReservationStatusRejected)
		}},
		{"TC_H_19_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.reserve(7, new(1), func(q *v201.ReserveNowRequest) {
				q.GroupIdToken = &v201.IdToken{IdToken: "GROUP", Type: v201.IdTokenCentral}
			})
			authorizes(s, v201.AuthorizationStatusAccepted, "GROUP")
			s.plug(1)
			s.card(1, "FRIEND")
			e := s.event(v201.TransactionEventStarted, "")
			s.want("reservation", e.ReservationId != nil, e)
		}},
		{"TC_H_22_CS", func(t *testing.T) {
			s := newSUT(t, "ReservationCtrlr.Enabled", "false").boot()
			s.want("rejected", s.reserve(7, new(1)) == v201.ReserveNowStatusRejected)
		}},
		{"TC_H_23_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.reserve(7, new(1))
			s.want("replaced", s.reserve(7, new(1), func(q *v201.ReserveNowRequest) { q.IdToken = token("SECOND") }) == accepted)
			s.card(1, "TAG")
			s.want("not the first", !s.permits[1])
			s.card(1, "SECOND")
			s.want("the second", s.permits[1])
		}},
	})
}

func TestCasesIJP(t *testing.T) {
	context := func(mv []v201.MeterValue, c v201.ReadingContextEnum) bool {
		return len(mv) > 0 && len(mv[0].SampledValue) > 0 && mv[0].SampledValue[0].Context == c
	}
	runCases(t, []testCase{
		{"TC_L_01_CS/CostUpdated", func(t *testing.T) { // listed as TC_L_01_CS in block I
			s := newSUT(t).boot()
			tx := s.begin(1)
			ask[*v201.CostUpdatedResponse](s, &v201.CostUpdatedRequest{TotalCost: 1.5, TransactionId: tx})
		}},
		{"TC_J_01_CS", func(t *testing.T) {
			s := newSUT(t, "AlignedDataCtrlr.Interval", "900").boot()
			s.meter(1, 5)
			s.wait(15 * time.Minute)
			m := next[*v201.MeterValuesRequest](s)
			s.want("on the clock", context(m.MeterValue, v201.ReadingContextSampleClock) && m.MeterValue[0].Timestamp.Unix()%900 == 0, m)
		}},
		{"TC_J_02_CS", func(t *testing.T) {
			s := newSUT(t, "AlignedDataCtrlr.Interval", "900", "SampledDataCtrlr.TxUpdatedInterval", "0").boot()
			s.begin(1)
			s.wait(15 * time.Minute)
			e := s.event(v201.TransactionEventUpdated, v201.TriggerReasonMeterValueClock)
			s.want("context", context(e.MeterValue, v201.ReadingContextSampleClock), e)
		}},
		{"TC_J_07_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.meter(1, 5)
			s.plug(1)
			s.card(1, "TAG")
			e := s.event(v201.TransactionEventStarted, "")
			s.want("begin", context(e.MeterValue, v201.ReadingContextTransactionBegin), e)
		}},
		{"TC_J_09_CS", func(t *testing.T) {
			s := newSUT(t, "SampledDataCtrlr.TxUpdatedInterval", "30").boot()
			s.begin(1)
			s.wait(31 * time.Second)
			e := s.event(v201.TransactionEventUpdated, v201.TriggerReasonMeterValuePeriodic)
			s.want("periodic", context(e.MeterValue, v201.ReadingContextSamplePeriodic), e)
		}},
		{"TC_J_10_CS", func(t *testing.T) {
			s := newSUT(t, "SampledDataCtrlr.TxEndedInterval", "60", "AlignedDataCtrlr.TxEndedMeasurands", "").boot()
			s.begin(1)
			s.wait(150 * time.Second)
			s.unplug(1)
			mv := s.event(v201.TransactionEventEnded, "").MeterValue
			s.want("values", len(mv) == 4, mv)
			s.want("begin", context(mv, v201.ReadingContextTransactionBegin), mv)
			for i := 1; i < 3; i++ {
				s.want("during", context(mv[i:], v201.ReadingContextSamplePeriodic) && mv[i].Timestamp.Sub(mv[i-1].Timestamp) == time.Minute, mv)
			}
			s.want("end", context(mv[3:], v201.ReadingContextTransactionEnd), mv)
		}},
		{"TC_J_03_CS", func(t *testing.T) { // E06.FR.11; a restart amid it loses nothing
			s := newSUT(t, "AlignedDataCtrlr.TxEndedInterval", "60", "SampledDataCtrlr.TxEndedMeasurands", "",
				"AlignedDataCtrlr.TxEndedMeasurands", "Energy.Active.Import.Register,Voltage").boot()
			s.begin(1)
			s.wait(150 * time.Second)
			s.reboot()
			s.meter(1, 2000)
			s.plug(1)
			s.wait(150 * time.Second)
			s.unplug(1)
			mv := s.event(v201.TransactionEventEnded, "").MeterValue
			s.want("one for each minute", len(mv) == 5, mv)
			for i := range mv {
				s.want("on the clock", context(mv[i:], v201.ReadingContextSampleClock) && mv[i].Timestamp.Equal(start.Truncate(time.Minute).Add(time.Duration(i+1)*time.Minute)), mv[i])
				s.want("each measurand", len(mv[i].SampledValue) == 4, mv[i])
			}
		}},
		{"TC_P_01_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			r := ask[*v201.DataTransferResponse](s, &v201.DataTransferRequest{VendorId: "nobody"})
			s.want("unknown vendor", r.Status == v201.DataTransferStatusUnknownVendorId, r)
		}},
		{"TC_P_03_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			r := ask[*v201.GetLocalListVersionResponse](s, &v201.GetLocalListVersionRequest{CustomData: []byte(`{"vendorId":"x","free":[1,{"a":null}]}`)})
			s.want("passes", r != nil)
		}},
		{"TC_A_09_CS", func(t *testing.T) { // A01.FR.01, FR.11, FR.12
			s := newSUT(t).boot()
			s.want("accepted", s.set("SecurityCtrlr", "BasicAuthPassword", "new-password-0123456789") == v201.SetVariableStatusAccepted)
			s.want("used from then on", s.effects[len(s.effects)-1] == station.Effect(station.Password{New: "new-password-0123456789"}), s.effects)
		}},
		{"TC_A_10_CS", func(t *testing.T) {
			s := newSUT(t).boot()
			s.want("too short", s.set("SecurityCtrlr", "BasicAuthPassword", "short") == v201.SetVariableStatusRejected)
		}},
	})
}
