package station

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// readable are the required variables that the standard has the CSMS read only (part 2, referenced components and variables). The
// others can be set.
var readable = strings.Fields(`ChargingStation.AvailabilityState ChargingStation.Available ChargingStation.SupplyPhases ClockCtrlr.DateTime
	Connector.Available Connector.ConnectorType Connector.SupplyPhases DeviceDataCtrlr.BytesPerMessage DeviceDataCtrlr.ItemsPerMessage
	DisplayMessageCtrlr.DisplayMessages DisplayMessageCtrlr.SupportedFormats DisplayMessageCtrlr.SupportedPriorities
	EVSE.AvailabilityState EVSE.Available EVSE.Power EVSE.SupplyPhases LocalAuthListCtrlr.BytesPerMessage LocalAuthListCtrlr.Entries LocalAuthListCtrlr.ItemsPerMessage
	MonitoringCtrlr.BytesPerMessage MonitoringCtrlr.ItemsPerMessage OCPPCommCtrlr.FileTransferProtocols OCPPCommCtrlr.MessageTimeout
	SecurityCtrlr.CertificateEntries SecurityCtrlr.SecurityProfile
	SmartChargingCtrlr.Entries SmartChargingCtrlr.PeriodsPerSchedule SmartChargingCtrlr.ProfileStackLevel SmartChargingCtrlr.RateUnit`)

// withMost are those whose largest value the CSMS has to know (the same chapter, and N04, D01, K01, M05, O01).
var withMost = strings.Fields(`EVSE.Power LocalAuthListCtrlr.Entries SmartChargingCtrlr.Entries SecurityCtrlr.CertificateEntries DisplayMessageCtrlr.DisplayMessages`)

// missing are required variables that this station does not have, and why. There are none.
var missing = map[string]string{}

// onPurpose are what this station has otherwise than the standard's list, and why.
var onPurpose = map[string]string{
	"OCPPCommCtrlr.NetworkConfigurationPriority type": "part 2 calls it a SequenceList, whose order counts; the appendix a string",
	"OCPPCommCtrlr.ResetRetries set":                  "a reset here is this process beginning anew with what is stored; it cannot fail",
	"ClockCtrlr.TimeSource set":                       "the time is that of the computer's clock; what sets that is the system's matter",
	"OCPPCommCtrlr.MessageAttemptInterval unit":       "the list leaves the unit out; it is seconds",
}

// Every variable that the standard requires is there, with the standard's type and unit, can be set where it says so, and has its
// list of values or largest value.
func TestRequiredVariables(t *testing.T) {
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(dir, "data", "ocpp", "Appendices_CSV_v1.4", "dm_components_vars.csv"))
	if err != nil {
		t.Skipf("the standard's list of variables is not here (set VOLTYARD_SHARED to the folder that has it): %v", err)
	}
	defer func() { _ = f.Close() }()
	read := csv.NewReader(f)
	read.Comma, read.LazyQuotes, read.FieldsPerRecord = ';', true, -1
	rows, err := read.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *Config) {
		c.Display = true
		c.EVSEs = []EVSEConfig{{ConnectorType: "sType2", Socket: true, Rating: profile.Rating{Phases: 3, Volts: 230, Max: 32}},
			{ConnectorType: "cCCS2", DC: true, Rating: profile.Rating{Phases: 3, Volts: 230, Power: 50000}}}
	})
	used, n := map[string]bool{}, 0
	differs := func(what string, bad bool) {
		t.Helper()
		switch why := onPurpose[what]; {
		case bad && why == "":
			t.Errorf("%s is not the standard's", what)
		case bad:
			used[what] = true
		}
	}
	for _, row := range rows[1:] {
		if len(row) < 6 || row[3] != "yes" {
			continue
		}
		n++
		name := row[0] + "." + row[1]
		var found []*variable
		for _, v := range w.s.model.vars {
			if v.component == row[0] && v.name == row[1] && v.varInstance == row[2] {
				found = append(found, v)
			}
		}
		if found == nil {
			if used[name] = true; missing[name] == "" {
				t.Errorf("%s %s is missing", name, row[2])
			}
			continue
		}
		if row[0] == "EVSE" || row[0] == "Connector" {
			if len(found) != len(w.cfg.EVSEs) {
				t.Errorf("%s is there %d times", name, len(found))
			}
		}
		for _, v := range found {
			d := w.s.report(v)
			c, a := d.VariableCharacteristics, d.VariableAttribute[0]
			differs(name+" type", string(c.DataType) != row[4])
			differs(name+" unit", c.Unit != "" && !slices.Contains(strings.Split(row[5], ", "), c.Unit) || c.Unit == "" && row[5] != "")
			differs(name+" set", (a.Mutability == v201.MutabilityReadOnly) != slices.Contains(readable, name))
			list := c.DataType == v201.DataOptionList || c.DataType == v201.DataMemberList || c.DataType == v201.DataSequenceList
			differs(name+" values", list != (c.ValuesList != ""))
			differs(name+" limit", slices.Contains(withMost, name) && c.MaxLimit == nil)
			differs(name+" monitoring", !c.SupportsMonitoring)
			if list {
				for _, x := range strings.Split(a.Value, ",") {
					differs(name+" value", !slices.Contains(strings.Split(c.ValuesList, ","), x))
				}
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d variables are required", n)
	}
	for what := range missing {
		if !used[what] {
			t.Errorf("%s is not missing any more", what)
		}
	}
	for what := range onPurpose {
		if !used[what] {
			t.Errorf("%s does not differ any more", what)
		}
	}
}
