package station

import (
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// changeAvailability sets the station, an EVSE or its connector in or out of service. Each level keeps what it was set to: an EVSE that
// is out of service stays so when the station comes back (G03.FR.07, G04.FR.08).
func changeAvailability(s *Station, q *v201.ChangeAvailabilityRequest) (rpc.Message, error) {
	status := func(st v201.ChangeAvailabilityStatusEnum, i *v201.StatusInfo) (rpc.Message, error) {
		return &v201.ChangeAvailabilityResponse{Status: st, StatusInfo: i}, nil
	}
	targets, level, save := s.evses, &s.off, s.saveOff
	if q.Evse != nil && q.Evse.Id != 0 {
		e := s.evse(q.Evse.Id)
		if e == nil || q.Evse.ConnectorId != nil && *q.Evse.ConnectorId != 1 {
			return status(v201.ChangeAvailabilityStatusRejected, info("UnknownEvse"))
		}
		targets, level, save = []*evse{e}, &e.off, func() { s.saveEVSE(e) }
		if q.Evse.ConnectorId != nil {
			level = &e.connectorOff
		}
	}
	was := *level
	*level = q.OperationalStatus == v201.OperationalStatusInoperative
	save()
	s.otherwise(func() rpc.Message {
		*level = was
		save()
		return &v201.ChangeAvailabilityResponse{Status: v201.ChangeAvailabilityStatusRejected, StatusInfo: info("OutOfStorage")}
	})
	answer := v201.ChangeAvailabilityStatusAccepted
	for _, e := range targets {
		if *level && e.tx != nil { // G03.FR.05, G04.FR.06
			answer = v201.ChangeAvailabilityStatusScheduled
		}
		s.then(func() { s.settle(e) })
	}
	return status(answer, nil)
}

// settle takes an EVSE out of service, or back, as it was set; what charges goes on first.
func (s *Station) settle(e *evse) {
	was := e.serves()
	if wanted := !s.off && !e.off && !e.connectorOff; wanted || e.tx == nil {
		e.out = !wanted
	}
	s.served(e, was)
}

// served follows a change of whether the EVSE serves.
func (s *Station) served(e *evse, was bool) {
	on := e.serves()
	if on == was {
		return
	}
	s.emit(Operative{e.n, on})
	if !on {
		s.unreserve()
	}
	if !on && e.auth {
		s.deauthorise(e)
	}
	s.statusChanged(e)
	if on {
		s.evaluate(e, v201.TriggerReasonCablePluggedIn)
	}
}

// saveOff and saveEVSE keep what was set over a restart (G03.FR.08, G04.FR.09).
func (s *Station) saveOff() { s.save(keyEVSE+"0", savedEVSE{Operative: !s.off}) }

func (s *Station) saveEVSE(e *evse) {
	s.save(keyEVSE+itoa(e.n), savedEVSE{Operative: !e.off, ConnectorOff: e.connectorOff, Held: e.keeps})
}
