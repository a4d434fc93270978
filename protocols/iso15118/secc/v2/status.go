package v2

import (
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// stopDelay is how long a vehicle may take to end its charging when asked, s (NotificationMaxDelay).
const stopDelay = 10

func (m *Machine) notification() (v2.EVSENotification, uint16) {
	if m.Present.Stop {
		return v2.EVSENotificationStopCharging, stopDelay
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

func (m *Machine) meter() v2.MeterInfo {
	return v2.MeterInfo{MeterID: m.Cfg.EVSEID, MeterReading: exi.Some(uint64(max(0, m.Present.Energy)))}
}
