package localctl

import (
	"encoding/json"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// A station of OCPP 2.1 is relayed and limited, but never answered for: its messages are not all those of 2.0.1. Without the CSMS
// its connection is closed, and if it offers 2.0.1 as well it is let in again under that. Limits are ChargingStationMaxProfiles,
// which look the same, but for their ids where the station keeps low ones to itself, and their pace where it takes no more. What this file reads are the few fields by which a station's state is known; the rest passes unread.

// reading21 is a MeterValue.
type reading21 struct {
	Timestamp    time.Time
	SampledValue []struct {
		Value         float64
		Measurand     v201.MeasurandEnum
		Phase         v201.PhaseEnum
		UnitOfMeasure *struct {
			Unit       string
			Multiplier *int
		}
	}
}

type message21 struct {
	EventType       v201.TransactionEventEnum
	TransactionInfo struct {
		TransactionID string
		ChargingState v201.ChargingStateEnum
		StoppedReason v201.ReasonEnum
		RemoteStartID *int
	}
	Timestamp          time.Time
	Offline            bool
	Evse               *struct{ ID int }
	NumberOfPhasesUsed *int
	MeterValue         []reading21
	EvseID             int
	ConnectorID        int
	ConnectorStatus    string
}

// observe21 learns what a station of OCPP 2.1 does.
func (r *Relay) observe21(f rpc.Frame) {
	switch f.Action {
	case v201.ActionStatusNotification, v201.ActionTransactionEvent, v201.ActionMeterValues:
	default:
		return
	}
	var m message21
	if err := json.Unmarshal(f.Payload, &m); err != nil {
		r.note(true, "%s of the station is passed on, but not understood: %v", f.Action, err)
		return
	}
	var values []v201.MeterValue
	for _, mv := range m.MeterValue {
		v := v201.MeterValue{Timestamp: mv.Timestamp}
		for _, s := range mv.SampledValue {
			x := v201.SampledValue{Value: s.Value, Measurand: s.Measurand, Phase: s.Phase}
			if u := s.UnitOfMeasure; u != nil {
				x.UnitOfMeasure = &v201.UnitOfMeasure{Unit: u.Unit, Multiplier: u.Multiplier}
			}
			v.SampledValue = append(v.SampledValue, x)
		}
		values = append(values, v)
	}
	switch f.Action {
	case v201.ActionStatusNotification:
		r.heardTime(m.Timestamp, true)
		r.seen.status(r, m.EvseID, m.ConnectorID, m.ConnectorStatus)
	case v201.ActionMeterValues:
		r.seen.values(r, m.EvseID, values)
	case v201.ActionTransactionEvent:
		q := v201.TransactionEventRequest{EventType: m.EventType, Timestamp: m.Timestamp, Offline: &m.Offline, MeterValue: values, NumberOfPhasesUsed: m.NumberOfPhasesUsed}
		q.TransactionInfo.TransactionId, q.TransactionInfo.ChargingState = m.TransactionInfo.TransactionID, m.TransactionInfo.ChargingState
		q.TransactionInfo.StoppedReason, q.TransactionInfo.RemoteStartId = m.TransactionInfo.StoppedReason, m.TransactionInfo.RemoteStartID
		if m.Evse != nil {
			q.Evse = &v201.EVSE{Id: m.Evse.ID}
		}
		r.seen.event(r, &q)
	}
}

// updatesOurs tells whether an UpdateDynamicSchedule of the CSMS is for one of our profiles, which are not dynamic (K28.FR.11).
func (r *Relay) updatesOurs(payload []byte) bool {
	var q struct{ ChargingProfileID int }
	return r.cfg.Version == rpc.V21 && r.limit.grant != nil && json.Unmarshal(payload, &q) == nil && OwnProfile(q.ChargingProfileID)
}

// overrules21 tells whether a SetChargingProfile of the CSMS must be refused because it is not known what it does to our limits:
// LocalGeneration adds to them, PriorityCharging goes before those of transactions, and a limit for the whole station that has
// more than 2.0.1 knows cannot be folded in.
func (r *Relay) overrules21(payload []byte) bool {
	if r.cfg.Version != rpc.V21 {
		return false
	}
	var q struct {
		ChargingProfile struct{ ChargingProfilePurpose string }
	}
	if json.Unmarshal(payload, &q) != nil {
		return false // the station refuses it
	}
	switch q.ChargingProfile.ChargingProfilePurpose {
	case "LocalGeneration":
		return true
	case "PriorityCharging":
		return r.cfg.PerTx
	case "ChargingStationMaxProfile":
		_, ok := r.decodeProfile(payload)
		return !ok
	case "TxProfile", "TxDefaultProfile":
		_, ok := r.decodeProfile(payload)
		return !ok && r.cfg.PerTx
	}
	return false
}
