package localctl

import (
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v21"
)

// A station of OCPP 2.1 is relayed with its SENDs, limited in its own terms, watched, and let go when the CSMS is gone.
func TestStationOf21(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Version, c.Stay = rpc.V21, true })
	w.boot()
	w.do(Grant{Seq: 1, Amps: 16, Until: t0.Add(15 * time.Minute), Hold: []byte("h")})
	limits := 0
	for _, raw := range w.toStation {
		f, err := rpc.Parse([]byte(raw))
		if err != nil || f.Type != rpc.Call {
			continue
		}
		if err := v21.Actions[f.Action].Request().UnmarshalJSON(f.Payload); err != nil {
			t.Errorf("%s is not of OCPP 2.1: %v", raw, err)
		}
		if strings.Contains(raw, `"ChargingStationMaxProfile"`) {
			limits++
		}
	}
	if limits != 2 {
		t.Errorf("%d limits were sent, want fallback and grant", limits)
	}
	send := `[6,"s1","NotifyPeriodicEventStream",{"id":1,"pending":0,"basetime":"2024-03-01T10:00:00Z","data":[{"t":0,"v":"1"}]}]`
	w.do(FromStation{[]byte(send)})
	if got := w.toCSMS[len(w.toCSMS)-1]; got != send {
		t.Errorf("the CSMS got %s", got)
	}
	w.do(FromStation{[]byte(`[2,"t1","TransactionEvent",{"eventType":"Started","timestamp":"2024-03-01T10:00:00Z","triggerReason":"RunningCost","seqNo":0,` +
		`"transactionInfo":{"transactionId":"T1","chargingState":"Charging","operationMode":"ChargingOnly"},"evse":{"id":1},` +
		`"meterValue":[{"timestamp":"2024-03-01T10:00:00Z","sampledValue":[{"value":10,"measurand":"Current.Import"}]}]}]`)})
	if !w.state.Wants || w.state.Amps[0] != 10 {
		t.Errorf("seen: %+v", w.state)
	}
	for _, refused := range []string{
		`{"id":7,"stackLevel":0,"chargingProfilePurpose":"LocalGeneration","chargingProfileKind":"Absolute","chargingSchedule":[]}`,
		`{"id":7,"stackLevel":0,"chargingProfilePurpose":"ChargingStationMaxProfile","chargingProfileKind":"Dynamic","chargingSchedule":[{"id":1,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"setpoint":40}]}]}`,
	} {
		w.toStation = nil
		w.do(FromCSMS{[]byte(`[2,"c1","SetChargingProfile",{"evseId":0,"chargingProfile":` + refused + `}]`)})
		if got := w.toCSMS[len(w.toCSMS)-1]; len(w.toStation) != 0 || !strings.Contains(got, `"Rejected"`) {
			t.Errorf("%s: the station got %q, the CSMS %s", refused, w.toStation, got)
		}
	}
	w.closed = nil
	w.do(CSMSDown{})
	if len(w.closed) != 1 || w.closed[0] != "station" {
		t.Errorf("without the CSMS: %q", w.closed)
	}
}

// A station of OCPP 2.1 may keep low ids to itself (K01.FR.81), and take no two profiles in short order (K01.FR.56).
func TestIdsAndPaceOf21(t *testing.T) {
	for _, most := range []string{"", "-1971002065", "-1971000001", "0"} {
		w := newWorld(t, func(c *Config) { c.Version = rpc.V21 })
		w.csms = accept
		var sent []time.Duration
		w.station = func(f rpc.Frame) string {
			switch f.Action {
			case "GetVariables":
				answer := func(name, value string) string {
					if value == "" {
						return `{"attributeStatus":"UnknownVariable","component":{"name":"SmartChargingCtrlr"},"variable":{"name":"` + name + `"}}`
					}
					return `{"attributeStatus":"Accepted","attributeValue":"` + value + `","component":{"name":"SmartChargingCtrlr"},"variable":{"name":"` + name + `"}}`
				}
				return `{"getVariableResult":[` + answer(varLevels, "3") + `,` + answer(varIDs, most) + `,` + answer(varRate, "20") + `]}`
			case "SetChargingProfile":
				sent = append(sent, w.now.Sub(t0))
				if positive := !strings.Contains(string(f.Payload), `"id":-19`); positive != (most == "0" || most == "-1971000001") {
					t.Errorf("up to %q: %s", most, f.Payload)
				}
			}
			return `{"status":"Accepted"}`
		}
		w.do(CSMSUp{})
		w.do(StationUp{})
		w.do(FromStation{[]byte(bootFrame)})
		w.says(0)
		w.do(Grant{Seq: 1, Amps: 16, Until: t0.Add(15 * time.Minute)})
		w.wait(time.Second)
		w.do(Grant{Seq: 2, Amps: 15, Until: t0.Add(15 * time.Minute)})
		w.wait(time.Minute)
		if len(sent) != 2 || sent[1] != 20*time.Second || len(w.acks) != 1 || w.acks[0].Seq != 2 {
			t.Errorf("sent after %v, acknowledged %v", sent, w.acks)
		}
	}
}

// A profile that goes before those of transactions is taken away before a station of those gets its first limit.
func TestPriorityChargingIsCleared(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Version, c.PerTx = rpc.V21, true })
	w.boot()
	cleared := false
	for _, raw := range w.toStation {
		cleared = cleared || strings.Contains(raw, `"ClearChargingProfile",{"chargingProfileCriteria":{"chargingProfilePurpose":"PriorityCharging"}}`)
		if strings.Contains(raw, "SetChargingProfile") && !cleared {
			t.Errorf("before that: %s", raw)
		}
	}
	if !cleared {
		t.Errorf("sent %q", w.toStation)
	}
}

// Our own profiles are neither replaced by ones of which not all is understood, nor updated.
func TestOurProfilesAreNotTouchedIn21(t *testing.T) {
	for _, perTx := range []bool{false, true} {
		w := newWorld(t, func(c *Config) { c.Version, c.PerTx = rpc.V21, perTx })
		w.boot()
		w.do(Grant{Seq: 1, Amps: 16, Until: t0.Add(15 * time.Minute)})
		w.wait(time.Minute)
		for _, call := range []string{
			`"SetChargingProfile",{"evseId":0,"chargingProfile":{"id":-1971000002,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","maxOfflineDuration":5,"chargingSchedule":[]}}`,
			`"SetChargingProfile",{"evseId":0,"chargingProfile":{"id":-1971000001,"stackLevel":0,"chargingProfilePurpose":"PriorityCharging","chargingProfileKind":"Absolute","chargingSchedule":[]}}`,
			`"UpdateDynamicSchedule",{"chargingProfileId":-1971000002,"scheduleUpdate":{"limit":63}}`,
		} {
			w.toStation = nil
			w.do(FromCSMS{[]byte(`[2,"c1",` + call + `]`)})
			if got := w.toCSMS[len(w.toCSMS)-1]; len(w.toStation) != 0 || !strings.Contains(got, `"Rejected"`) {
				t.Errorf("%s: the station got %q, the CSMS %s", call, w.toStation, got)
			}
		}
	}
}
