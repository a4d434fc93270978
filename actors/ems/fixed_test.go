package ems

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/voltyard/voltyard/configs"
)

// What the site file decides the CSMS cannot set, and reads as it is.
func TestVariablesThatTheSiteFileDecides(t *testing.T) {
	bare := configs.EVSE{}
	plain := configs.EVSE{Port: &configs.Port{}}
	pays := configs.EVSE{Port: &configs.Port{Contract: &configs.PortContract{Certificates: "off"}}}
	all := configs.EVSE{Port: &configs.Port{Contract: &configs.PortContract{}}}
	for name, c := range map[string]struct {
		evses []configs.EVSE
		want  string
	}{
		"no EVSE":      {nil, "Available CentralContractValidationAllowed ContractCertificateInstallationEnabled ContractValidationOffline Enabled PnCEnabled"},
		"no vehicles":  {[]configs.EVSE{bare}, "Available CentralContractValidationAllowed ContractCertificateInstallationEnabled ContractValidationOffline Enabled PnCEnabled"},
		"no contracts": {[]configs.EVSE{bare, plain}, "CentralContractValidationAllowed ContractCertificateInstallationEnabled ContractValidationOffline PnCEnabled"},
		"none issued":  {[]configs.EVSE{plain, pays}, "ContractCertificateInstallationEnabled"},
		"everything":   {[]configs.EVSE{pays, all}, ""},
	} {
		var got []string
		for key, v := range fixed(&configs.Site{}, c.evses) {
			if v != "false" {
				t.Errorf("%s: %s is %s", name, key, v)
			}
			got = append(got, strings.TrimPrefix(key, "ISO15118Ctrlr."))
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	money := fixed(&configs.Site{Tariff: &configs.Tariff{Currency: "CHF"}}, []configs.EVSE{all})
	if !maps.Equal(money, map[string]string{"TariffCostCtrlr.Currency": "CHF"}) {
		t.Errorf("%v", money)
	}
}
