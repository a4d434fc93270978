package station

// diagnosticVariables are those of monitoring, display, cost, firmware, and of when the CSMS is asked, as in standardVariables.
const diagnosticVariables = `AuthCacheCtrlr|DisablePostAuthorize|rw|boolean|false
AuthCtrlr|DisableRemoteAuthorization|rw|boolean|false
ChargingStation|AllowNewSessionsPendingFirmwareUpdate|rw|boolean|false
DisplayMessageCtrlr|DisplayMessages|ro|integer|0|0..64
DisplayMessageCtrlr|Enabled|rw|boolean|true
DisplayMessageCtrlr|SupportedFormats|ro|MemberList|ASCII,UTF8|{ASCII,UTF8}
DisplayMessageCtrlr|SupportedPriorities|ro|MemberList|AlwaysFront,InFront,NormalCycle|{AlwaysFront,InFront,NormalCycle}
LocalAuthListCtrlr|DisablePostAuthorize|rw|boolean|false
MonitoringCtrlr|ActiveMonitoringBase|ro|OptionList|All|{All,FactoryDefault,HardWiredOnly}
MonitoringCtrlr|ActiveMonitoringLevel|ro|integer|9|0..9
MonitoringCtrlr|Available|ro|boolean|true
MonitoringCtrlr|BytesPerMessage/ClearVariableMonitoring|ro|integer|65000
MonitoringCtrlr|BytesPerMessage/SetVariableMonitoring|ro|integer|65000
MonitoringCtrlr|Enabled|rw|boolean|true
MonitoringCtrlr|ItemsPerMessage/ClearVariableMonitoring|ro|integer|50
MonitoringCtrlr|ItemsPerMessage/SetVariableMonitoring|ro|integer|50
MonitoringCtrlr|OfflineQueuingSeverity|rw|integer|4|0..9
`

// tariffVariables are those of tariffs and costs, as in standardVariables; where there is no display nothing shows them.
const tariffVariables = `TariffCostCtrlr|Currency|rw|string|EUR|3..3
TariffCostCtrlr|TariffFallbackMessage|rw|string||0..512
TariffCostCtrlr|TotalCostFallbackMessage|rw|string||0..512
`
