package station

import (
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// handlers answer the requests of the CSMS; what is not in here is answered NotSupported.
var handlers map[string]handler

func init() {
	handlers = map[string]handler{
		v201.ActionCancelReservation:          on(cancelReservation),
		v201.ActionCertificateSigned:          on(certificateSigned),
		v201.ActionDeleteCertificate:          on(deleteCertificate),
		v201.ActionGetInstalledCertificateIds: on(getInstalledCertificateIds),
		v201.ActionInstallCertificate:         on(installCertificate),
		v201.ActionChangeAvailability:         on(changeAvailability),
		v201.ActionClearCache:                 on(clearCache),
		v201.ActionClearChargingProfile:       on(clearChargingProfile),
		v201.ActionCostUpdated:                on(costUpdated),
		v201.ActionDataTransfer:               on(dataTransfer),
		v201.ActionGetBaseReport:              on(getBaseReport),
		v201.ActionGetChargingProfiles:        on(getChargingProfiles),
		v201.ActionGetCompositeSchedule:       on(getCompositeSchedule),
		v201.ActionGetLocalListVersion:        on(getLocalListVersion),
		v201.ActionGetReport:                  on(getReport),
		v201.ActionGetTransactionStatus:       on(getTransactionStatus),
		v201.ActionGetVariables:               on(getVariables),
		v201.ActionRequestStartTransaction:    on(requestStart),
		v201.ActionRequestStopTransaction:     on(requestStop),
		v201.ActionReserveNow:                 on(reserveNow),
		v201.ActionReset:                      on(reset),
		v201.ActionSendLocalList:              on(sendLocalList),
		v201.ActionSetChargingProfile:         on(setChargingProfile),
		v201.ActionSetNetworkProfile:          on(setNetworkProfile),
		v201.ActionSetVariables:               on(setVariables),
		v201.ActionTriggerMessage:             on(triggerMessage),
		v201.ActionClearDisplayMessage:        on(clearDisplayMessage),
		v201.ActionClearVariableMonitoring:    on(clearVariableMonitoring),
		v201.ActionCustomerInformation:        on(customerInformation),
		v201.ActionGetDisplayMessages:         on(getDisplayMessages),
		v201.ActionGetLog:                     on(getLog),
		v201.ActionGetMonitoringReport:        on(getMonitoringReport),
		v201.ActionSetDisplayMessage:          on(setDisplayMessage),
		v201.ActionSetMonitoringBase:          on(setMonitoringBase),
		v201.ActionSetMonitoringLevel:         on(setMonitoringLevel),
		v201.ActionSetVariableMonitoring:      on(setVariableMonitoring),
		v201.ActionUnlockConnector:            on(unlockConnector),
		v201.ActionPublishFirmware:            on(publishFirmware),
		v201.ActionUnpublishFirmware:          on(unpublishFirmware),
		v201.ActionUpdateFirmware:             on(updateFirmware),
	}
}

// dataTransfer knows no vendor (P01.FR.05).
func dataTransfer(*Station, *v201.DataTransferRequest) (rpc.Message, error) {
	return &v201.DataTransferResponse{Status: v201.DataTransferStatusUnknownVendorId}, nil
}
