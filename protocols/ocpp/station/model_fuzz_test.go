package station

import (
	"strings"
	"testing"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Whatever is written to whatever variable: an accepted value is what is read and reported then, also after a restart; a
// refused one changes nothing.
func FuzzDeviceModel(f *testing.F) {
	for _, v := range newModel(Config{Identity: "CS1"}).vars {
		f.Add(v.component, v.instance, v.evse, v.connector, v.name, v.varInstance, v.value)
		f.Add(v.component, v.instance, v.evse, v.connector, v.name, v.varInstance, v.value+"1")
	}
	f.Fuzz(func(t *testing.T, component, instance string, evse, connector int, name, varInstance, value string) {
		c, v := v201.Component{Name: component}, v201.Variable{Name: name}
		if instance != "" {
			c.Instance = instance
		}
		if varInstance != "" {
			v.Instance = varInstance
		}
		if evse != 0 {
			c.Evse = &v201.EVSE{Id: evse}
			if connector != 0 {
				c.Evse.ConnectorId = &connector
			}
		}
		w := newWorld(t, nil)
		w.do(Connected{})
		call := func(action string, q, res rpc.Message) bool {
			delete(w.results, action)
			w.do(Message{rpc.AppendCall(nil, action, action, q.AppendJSON(nil))})
			return w.results[action] != "" && res.UnmarshalJSON([]byte(w.results[action])) == nil
		}
		read := func() (v201.GetVariableStatusEnum, string) {
			q := v201.GetVariablesRequest{GetVariableData: []v201.GetVariableData{{Component: c, Variable: v}}}
			var res v201.GetVariablesResponse
			if !call("GetVariables", &q, &res) {
				return "", w.results["GetVariables"] // too long for the schema, for instance
			}
			r := res.GetVariableResult[0]
			return r.AttributeStatus, r.AttributeValue
		}
		was, before := read()
		set := v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{{Component: c, Variable: v, AttributeValue: value}}}
		var res v201.SetVariablesResponse
		said := v201.SetVariableStatusEnum("")
		if call("SetVariables", &set, &res) {
			said = res.SetVariableResult[0].AttributeStatus
		}
		if is, now := read(); said != v201.SetVariableStatusAccepted && said != v201.SetVariableStatusRebootRequired && (is != was || now != before) {
			t.Fatalf("%s.%s: %q was answered %q, and it went from %s %q to %s %q", component, name, value, said, was, before, is, now)
		} else if said == v201.SetVariableStatusAccepted && is == v201.GetVariableStatusAccepted && was == is {
			w.do(Disconnected{})
			w.start()
			w.do(Connected{})
			// The CSMS sets the heartbeat interval anew with its answer to the boot (B01.FR.04).
			if still, kept := read(); still != is || kept != now && !strings.EqualFold(name, "HeartbeatInterval") {
				t.Fatalf("%s.%s: %q after the write, %q after a restart (%s)", component, name, now, kept, still)
			}
		} else if (was == "" || was == v201.GetVariableStatusUnknownComponent || was == v201.GetVariableStatusUnknownVariable) && said == v201.SetVariableStatusAccepted {
			t.Fatalf("%s.%s is not there (%q), and yet was set", component, name, was)
		}
	})
}
