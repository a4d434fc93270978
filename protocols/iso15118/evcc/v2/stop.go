package v2

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// weldingDetection looks at the inlet's voltage with the relays open.
type weldingDetection struct{ usual }

func (weldingDetection) request(m *Machine) v2.BodyElement {
	return &v2.WeldingDetectionReq{DCEVStatus: m.status()}
}

func (weldingDetection) handle(_ *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.WeldingDetectionRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	return sessionStop{}, 0, check(r.ResponseCode)
}

// sessionStop says good-bye.
type sessionStop struct{ usual }

func (sessionStop) request(m *Machine) v2.BodyElement {
	req := &v2.SessionStopReq{ChargingSession: v2.ChargingSessionTerminate}
	if m.Vehicle.Pause {
		req.ChargingSession = v2.ChargingSessionPause
	}
	return req
}

func (sessionStop) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.SessionStopRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	if m.Vehicle.Pause {
		m.Pause(m.session.Bytes())
		return nil, 0, nil
	}
	m.Finish()
	return nil, 0, nil
}

// amps reads an optional limit; 0 when it is absent.
func amps(o exi.Optional[v2.PhysicalValue]) si.Amps { return si.Amps(max(0, o.Value.Float())) }

func watts(o exi.Optional[v2.PhysicalValue]) si.Watts { return si.Watts(max(0, o.Value.Float())) }
