package station

import (
	"fmt"
	"strings"
	"testing"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func TestLimitsFromOutsideAreTold(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.EVSEs, c.Control = nil, true })
	ems := func(watts si.Watts) Outside {
		return Outside{map[v201.ChargingLimitSourceEnum]si.Watts{v201.ChargingLimitSourceEMS: watts}}
	}
	expect := func(what, want string) {
		t.Helper()
		var got []string
		for _, q := range w.requests {
			switch q := q.(type) {
			case *v201.NotifyChargingLimitRequest:
				got = append(got, fmt.Sprintf("%s/%d", q.ChargingLimit.ChargingLimitSource, len(q.ChargingSchedule)))
			case *v201.ClearedChargingLimitRequest:
				got = append(got, "cleared "+string(q.ChargingLimitSource))
			}
		}
		w.requests = nil
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: told %q, want %q", what, s, want)
		}
	}
	w.do(Tick{})
	w.do(ems(10000))
	expect("without a CSMS", "")
	w.do(Connected{})
	w.do(ems(10000))
	expect("begin", "EMS/0")
	w.do(ems(10000))
	w.do(ems(10400))
	expect("within the significance", "")
	w.do(ems(5000))
	expect("change", "EMS/0")
	w.do(Outside{})
	expect("end", "cleared EMS")
	w.do(Outside{})
	expect("ended already", "")

	w.mute = true
	w.do(ems(5000))
	w.do(Disconnected{})
	w.mute = false
	w.do(Connected{})
	w.requests = nil
	w.do(ems(5000))
	expect("again after the connection broke", "EMS/0")
	w.do(Outside{map[v201.ChargingLimitSourceEnum]si.Watts{v201.ChargingLimitSourceCSO: 1, v201.ChargingLimitSourceSO: 5000}})
	expect("another source, and never the CSO", "SO/0 cleared EMS")
	w.ask(&v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{{AttributeValue: "true",
		Component: v201.Component{Name: "SmartChargingCtrlr"}, Variable: v201.Variable{Name: "NotifyChargingLimitWithSchedules"}}}})
	w.do(Outside{map[v201.ChargingLimitSourceEnum]si.Watts{v201.ChargingLimitSourceSO: 1000}})
	expect("with the schedule", "SO/1")
}
