package din

import (
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// stopDelay is how long a vehicle may take to end its charging when asked, s (NotificationMaxDelay).
const stopDelay = 10

func (m *Machine) status() din.DCEVSEStatus {
	s := din.DCEVSEStatus{EVSEStatusCode: din.DCEVSEStatusCodeEVSEReady}
	if m.Present.Stop || m.Present.Emergency {
		s.EVSENotification, s.NotificationMaxDelay = din.EVSENotificationStopCharging, stopDelay
	}
	switch {
	case m.Present.Emergency:
		s.EVSEStatusCode, s.NotificationMaxDelay = din.DCEVSEStatusCodeEVSEEmergencyShutdown, 0
	case !m.Present.Ready:
		s.EVSEStatusCode = din.DCEVSEStatusCodeEVSEMalfunction
	case m.Present.Stop:
		s.EVSEStatusCode = din.DCEVSEStatusCodeEVSEShutdown
	case m.Stage == secc.StageSetup || m.Stage == secc.StageAuth:
		s.EVSEStatusCode = din.DCEVSEStatusCodeEVSENotReady
	case m.Stage == secc.StageCable && m.Present.Isolation != secc.IsolationValid:
		s.EVSEStatusCode = din.DCEVSEStatusCodeEVSEIsolationMonitoringActive
	}
	switch m.Present.Isolation {
	case secc.IsolationValid:
		s.EVSEIsolationStatus = exi.Some(din.IsolationLevelValid)
	case secc.IsolationFault:
		s.EVSEIsolationStatus = exi.Some(din.IsolationLevelFault)
	default:
		s.EVSEIsolationStatus = exi.Some(din.IsolationLevelInvalid)
	}
	return s
}
