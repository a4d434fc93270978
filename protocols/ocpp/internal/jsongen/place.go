package main

import (
	"slices"
	"strings"
	"unicode"
)

// place decides which file each type goes to: with its action when no other action uses it, else among the shared
// types, whose files are split by the first word of the name.
func (m *model) place() {
	slices.Sort(m.actions)
	for _, s := range m.structs {
		s.file = fileOf(s.name, s.users)
	}
	for _, e := range m.enums {
		e.file = fileOf(e.name, e.users)
	}
}

func fileOf(name string, users []string) string {
	slices.Sort(users)
	if users = slices.Compact(users); len(users) == 1 {
		return snake(users[0]) + "_gen.go"
	}
	return "types_" + strings.SplitN(snake(name), "_", 2)[0] + "_gen.go"
}

// snake turns a name into words joined by underscores; runs of capitals are one word.
func snake(s string) string {
	var b strings.Builder
	rs := []rune(s)
	for i, r := range rs {
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1]) && unicode.IsUpper(rs[i-1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// constName makes the Go constant of an enumeration's value: "Energy.Active.Net" of Measurand is
// MeasurandEnergyActiveNet.
func constName(prefix, value string) string {
	var b strings.Builder
	b.WriteString(prefix)
	up := true
	for _, r := range value {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if up {
				r = unicode.ToUpper(r)
			}
			b.WriteRune(r)
			up = false
		default:
			up = true
		}
	}
	return b.String()
}

// stationActions are the requests that only a charging station sends; the schemas do not tell the direction.
var stationActions = strings.Fields(`
Authorize BatterySwap BootNotification ClearedChargingLimit ClosePeriodicEventStream DiagnosticsStatusNotification
FirmwareStatusNotification Get15118EVCertificate GetCertificateChainStatus GetCertificateStatus Heartbeat
LogStatusNotification MeterValues NotifyChargingLimit NotifyCustomerInformation NotifyDERAlarm NotifyDERStartStop
NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport
NotifyPeriodicEventStream NotifyPriorityCharging NotifyReport NotifySettlement NotifyWebPaymentStarted
OpenPeriodicEventStream PublishFirmwareStatusNotification PullDynamicScheduleUpdate ReportChargingProfiles
ReportDERControl ReservationStatusUpdate SecurityEventNotification SignCertificate SignedFirmwareStatusNotification
StartTransaction StatusNotification StopTransaction TransactionEvent VatNumberValidation`)

func direction(action string) string {
	switch {
	case action == "DataTransfer":
		return "FromBoth"
	case slices.Contains(stationActions, action):
		return "FromStation"
	}
	return "FromCSMS"
}
