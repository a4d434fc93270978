package msg

// Names of the singletons below /ems. A respawned actor has the same name, so a PID made from it stays good.
const (
	EMS        = "ems"
	Recorder   = EMS + "/recorder"
	Balancer   = EMS + "/balancer"
	Planner    = EMS + "/planner"
	Controller = EMS + "/controller"
	Building   = EMS + "/building"
	Firmware   = EMS + "/firmware"
	Publisher  = EMS + "/publisher"
	Logbook    = EMS + "/logbook"
	API        = EMS + "/api"
)

// EVSEName is the actor name of the site's own EVSE with this id.
func EVSEName(id string) string { return EMS + "/evse-" + id }

// StationName is the actor name of the OCPP station role with this station id.
func StationName(id string) string { return EMS + "/station-" + id }
