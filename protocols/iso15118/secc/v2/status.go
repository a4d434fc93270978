package v2

import (
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// stopDelay is how long a vehicle may take to end its charging when asked, s (NotificationMaxDelay).
const stopDelay = 10

// negotiationDelay is how long it may take to begin a renegotiation when asked, s.
const negotiationDelay = 60

func (m *Machine) notification() (v2.EVSENotification, uint16) {
	switch {
	case m.Present.Emergency:
		return v2.EVSENotificationStopCharging, 0
	case m.Present.Stop:
		return v2.EVSENotificationStopCharging, stopDelay
	case m.again:
		return v2.EVSENotificationReNegotiation, negotiationDelay
	}
	return v2.EVSENotificationNone, 0
}

func (m *Machine) acStatus() v2.ACEVSEStatus {
	n, delay := m.notification()
	return v2.ACEVSEStatus{EVSENotification: n, NotificationMaxDelay: delay, RCD: false}
}

func (m *Machine) dcStatus() v2.DCEVSEStatus {
	n, delay := m.notification()
	s := v2.DCEVSEStatus{EVSENotification: n, NotificationMaxDelay: delay, EVSEStatusCode: v2.DCEVSEStatusCodeEVSEReady}
	switch {
	case m.Present.Emergency:
		s.EVSEStatusCode = v2.DCEVSEStatusCodeEVSEEmergencyShutdown
	case !m.Present.Ready:
		s.EVSEStatusCode = v2.DCEVSEStatusCodeEVSEMalfunction
	case m.Present.Stop:
		s.EVSEStatusCode = v2.DCEVSEStatusCodeEVSEShutdown
	case m.Stage == secc.StageSetup || m.Stage == secc.StageAuth:
		s.EVSEStatusCode = v2.DCEVSEStatusCodeEVSENotReady
	case m.Stage == secc.StageCable && m.Present.Isolation != secc.IsolationValid:
		s.EVSEStatusCode = v2.DCEVSEStatusCodeEVSEIsolationMonitoringActive
	}
	switch m.Present.Isolation {
	case secc.IsolationValid:
		s.EVSEIsolationStatus = exi.Some(v2.IsolationLevelValid)
	case secc.IsolationFault:
		s.EVSEIsolationStatus = exi.Some(v2.IsolationLevelFault)
	default:
		s.EVSEIsolationStatus = exi.Some(v2.IsolationLevelInvalid)
	}
	return s
}

func (m *Machine) status() v2.EVSEStatus {
	if m.Cfg.DC {
		s := m.dcStatus()
		return &s
	}
	s := m.acStatus()
	return &s
}
