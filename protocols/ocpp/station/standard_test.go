package station

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// readBy says how the code names a variable where it reads it, for those that it does not name by component and variable as
// strings beside each other. A variable that can be set and that nothing reads would be a lie in the device model.
var readBy = map[string]string{
	"AlignedDataCtrlr.TxEndedInterval":         `"TxEndedInterval"`,
	"AlignedDataCtrlr.TxEndedMeasurands":       `"TxEndedMeasurands"`,
	"SampledDataCtrlr.TxEndedInterval":         `"TxEndedInterval"`,
	"SampledDataCtrlr.TxEndedMeasurands":       `"TxEndedMeasurands"`,
	"SampledDataCtrlr.TxStartedMeasurands":     `"TxStartedMeasurands"`,
	"SampledDataCtrlr.TxUpdatedMeasurands":     `"TxUpdatedMeasurands"`,
	"TariffCostCtrlr.TariffFallbackMessage":    `s.fallback(e, "TariffFallbackMessage")`,
	"TariffCostCtrlr.TotalCostFallbackMessage": `s.fallback(e, "TotalCostFallbackMessage")`,
	"AlignedDataCtrlr.SignReadings":            `s.model.flag(ctrlr, "SignReadings")`,
	"SampledDataCtrlr.SignReadings":            `s.model.flag(ctrlr, "SignReadings")`,
	"TxCtrlr.TxStartPoint":                     `points("TxStartPoint")`,
	"TxCtrlr.TxStopPoint":                      `points("TxStopPoint")`,
}

// code is the text of the package without its tables and tests.
func code(t *testing.T) string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || strings.HasPrefix(f, "standard") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// Whatever the CSMS can set is read somewhere.
func TestWhatCanBeSetIsRead(t *testing.T) {
	text, n := code(t), 0
	known := map[string]bool{}
	for _, v := range newModel(Config{Display: true, EVSEs: []EVSEConfig{{Signs: true}}}).vars {
		if v.access == readOnly {
			continue
		}
		n++
		name := v.component + "." + v.name
		known[name] = true
		want, special := readBy[name]
		if !special {
			want = `"` + v.component + `", "` + v.name + `"`
		}
		const ctrlr = `const c = "ISO15118Ctrlr"`
		if v.component == "ISO15118Ctrlr" && strings.Contains(text, ctrlr) && strings.Contains(text, `s.model.flag(c, "`+v.name+`")`) {
			continue
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s can be set, and nothing reads it (looked for %s)", name, want)
		}
	}
	for name := range readBy {
		if !known[name] {
			t.Errorf("%s cannot be set", name)
		}
	}
	if n < 40 {
		t.Errorf("only %d variables can be set", n)
	}
}

func (w *world) get(component, name string) (value, mutability string) {
	v, _ := w.s.model.lookup(&v201.Component{Name: component}, &v201.Variable{Name: name})
	return w.s.current(v), string(v.access)
}

func (w *world) put(component, name, value string) string {
	return w.ask(&v201.SetVariablesRequest{SetVariableData: []v201.SetVariableData{{AttributeValue: value, Component: v201.Component{Name: component}, Variable: v201.Variable{Name: name}}}})
}

// What cannot be set is what it says, whatever an earlier version has stored.
func TestFixedVariables(t *testing.T) {
	w := newWorld(t, nil)
	w.disk["var/ClockCtrlr::0:0:TimeSource:"] = []byte("GPS")
	w.disk["var/ISO15118Ctrlr::0:0:PnCEnabled:"] = []byte("true")
	w.cfg.Fixed = map[string]string{"ISO15118Ctrlr.PnCEnabled": "false"}
	w.cfg.Variables = map[string]string{"ISO15118Ctrlr.PnCEnabled": "true"}
	w.start()
	w.do(Connected{})
	for component, x := range map[string][2]string{"ClockCtrlr": {"TimeSource", "RealTimeClock"}, "ISO15118Ctrlr": {"PnCEnabled", "false"}} {
		if v, m := w.get(component, x[0]); v != x[1] || m != "ro" {
			t.Errorf("%s.%s is %s and %s", component, x[0], v, m)
		}
		if got := w.put(component, x[0], x[1]); !strings.Contains(got, `"Rejected"`) || !strings.Contains(got, "ReadOnly") {
			t.Errorf("%s.%s: %s", component, x[0], got)
		}
	}
}

// What vehicles are offered follows the variables at once and after a restart.
func TestPlugAndChargeFollowsItsVariables(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	is := func(what string, want PlugAndCharge) {
		t.Helper()
		if got, n := last[PlugAndCharge](w); n == 0 || got != want {
			t.Errorf("%s: %+v", what, got)
		}
	}
	is("at first", PlugAndCharge{Enabled: true, Install: true})
	w.put("ISO15118Ctrlr", "CentralContractValidationAllowed", "true")
	is("central", PlugAndCharge{true, true, true})
	w.put("ISO15118Ctrlr", "ContractCertificateInstallationEnabled", "false")
	is("no installation", PlugAndCharge{true, false, true})
	w.put("ISO15118Ctrlr", "PnCEnabled", "false")
	is("off", PlugAndCharge{})
	w.effects = nil
	w.start()
	w.do(Tick{})
	is("after a restart", PlugAndCharge{})
}
