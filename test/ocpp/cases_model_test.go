package ocpp

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// mandatory are the variables that a station must have (part 2, appendices, 3.1; SecurityCtrlr's check of roots above security
// profile 1): the component, then its variables with their instances.
const mandatory = `
AlignedDataCtrlr Interval Measurands TxEndedInterval TxEndedMeasurands
AuthCtrlr AuthorizeRemoteStart LocalAuthorizeOffline LocalPreAuthorize
ChargingStation AvailabilityState Available SupplyPhases
ClockCtrlr DateTime TimeSource
Connector Available ConnectorType SupplyPhases
DeviceDataCtrlr BytesPerMessage/GetReport BytesPerMessage/GetVariables BytesPerMessage/SetVariables ItemsPerMessage/GetReport ItemsPerMessage/GetVariables ItemsPerMessage/SetVariables
DisplayMessageCtrlr DisplayMessages SupportedFormats SupportedPriorities
EVSE AvailabilityState Available Power SupplyPhases
ISO15118Ctrlr ContractValidationOffline
LocalAuthListCtrlr BytesPerMessage Entries ItemsPerMessage
MonitoringCtrlr BytesPerMessage/SetVariableMonitoring ItemsPerMessage/SetVariableMonitoring
OCPPCommCtrlr FileTransferProtocols MessageTimeout/Default MessageAttemptInterval/TransactionEvent MessageAttempts/TransactionEvent NetworkConfigurationPriority NetworkProfileConnectionAttempts OfflineThreshold ResetRetries UnlockOnEVSideDisconnect
SampledDataCtrlr TxEndedInterval TxEndedMeasurands TxStartedMeasurands TxUpdatedInterval TxUpdatedMeasurands
SecurityCtrlr AdditionalRootCertificateCheck CertificateEntries OrganizationName SecurityProfile
SmartChargingCtrlr Entries/ChargingProfiles LimitChangeSignificance PeriodsPerSchedule ProfileStackLevel RateUnit
TariffCostCtrlr Currency TariffFallbackMessage TotalCostFallbackMessage
TxCtrlr EVConnectionTimeOut StopTxOnEVSideDisconnect StopTxOnInvalidId TxStartPoint TxStopPoint
`

func mandatoryNames() []string {
	var out []string
	for line := range strings.Lines(strings.TrimSpace(mandatory)) {
		f := strings.Fields(line)
		for _, v := range f[1:] {
			out = append(out, f[0]+"."+v)
		}
	}
	return out
}

func TestCasesModel(t *testing.T) {
	runCases(t, []testCase{
		{"TC_B_53_CS", func(t *testing.T) { // B07, chapter on referenced components and variables
			s := newSUT(t).boot()
			r := ask[*v201.GetBaseReportResponse](s, &v201.GetBaseReportRequest{RequestId: 7, ReportBase: v201.ReportBaseFullInventory})
			s.want("the report is accepted", r.Status == v201.GenericDeviceModelStatusAccepted, r)
			got := map[string]int{}
			for more := true; more; {
				q := next[*v201.NotifyReportRequest](s)
				s.want("the request", q.RequestId == 7)
				for _, d := range q.ReportData {
					name := d.Component.Name + "." + d.Variable.Name
					if d.Variable.Instance != "" {
						name += "/" + d.Variable.Instance
					}
					if len(d.VariableAttribute) > 0 && d.VariableCharacteristics != nil {
						got[name]++
					}
				}
				more = q.Tbc != nil && *q.Tbc
			}
			for _, name := range mandatoryNames() {
				n := 1
				if strings.HasPrefix(name, "EVSE.") || strings.HasPrefix(name, "Connector.") {
					n = len(s.cfg.EVSEs)
				}
				if got[name] != n {
					t.Errorf("%s is reported %d times, not %d", name, got[name], n)
				}
			}
		}},
	})
}

// The list above is that of the standard.
func TestMandatoryVariables(t *testing.T) {
	if *sutFlag == "mute" {
		t.Skip("a test of our own")
	}
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(dir, "data", "ocpp", "Appendices_CSV_v1.4", "dm_components_vars.csv"))
	if err != nil {
		t.Skipf("the standard's list of variables is not here: %v", err)
	}
	defer func() { _ = f.Close() }()
	read := csv.NewReader(f)
	read.Comma, read.LazyQuotes, read.FieldsPerRecord = ';', true, -1
	rows, err := read.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, name := range mandatoryNames() {
		have[name] = true
	}
	n := 0
	for _, r := range rows[1:] {
		if len(r) < 4 || r[3] != "yes" {
			continue
		}
		name := r[0] + "." + r[1]
		if r[2] != "" {
			name += "/" + r[2]
		}
		if n++; !have[name] {
			t.Errorf("%s is mandatory", name)
		}
	}
	if n+1 != len(have) { // and the one above profile 1
		t.Errorf("%d are mandatory, %d are listed", n, len(have))
	}
}
