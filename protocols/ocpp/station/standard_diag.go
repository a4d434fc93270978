package station

// diagnosticVariables are those of monitoring, display, cost, firmware, and of when the CSMS is asked, as in standardVariables.
const diagnosticVariables = `AuthCacheCtrlr|DisablePostAuthorize|rw|boolean|false
AuthCtrlr|DisableRemoteAuthorization|rw|boolean|false
ChargingStation|AllowNewSessionsPendingFirmwareUpdate|rw|boolean|false
DisplayMessageCtrlr|DisplayMessages|ro|integer|0|0..64
DisplayMessageCtrlr|Enabled|rw|boolean|true
DisplayMessageCtrlr|SupportedFormats|ro|MemberList|ASCII,UTF8
DisplayMessageCtrlr|SupportedPriorities|ro|MemberList|AlwaysFront,InFront,NormalCycle
LocalAuthListCtrlr|DisablePostAuthorize|rw|boolean|false
MonitoringCtrlr|ActiveMonitoringBase|ro|OptionList|All
MonitoringCtrlr|ActiveMonitoringLevel|ro|integer|9|0..9
MonitoringCtrlr|Available|ro|boolean|true
MonitoringCtrlr|BytesPerMessage/ClearVariableMonitoring|ro|integer|65000
MonitoringCtrlr|BytesPerMessage/SetVariableMonitoring|ro|integer|65000
MonitoringCtrlr|Enabled|rw|boolean|true
MonitoringCtrlr|ItemsPerMessage/ClearVariableMonitoring|ro|integer|50
MonitoringCtrlr|ItemsPerMessage/SetVariableMonitoring|ro|integer|50
MonitoringCtrlr|OfflineQueuingSeverity|rw|integer|4|0..9
TariffCostCtrlr|Currency|ro|string|EUR|1..3|fixed
TariffCostCtrlr|TariffFallbackMessage|ro|string||fixed
TariffCostCtrlr|TotalCostFallbackMessage|ro|string||fixed
`
