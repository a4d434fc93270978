package din

import (
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/din"
)

// powerStop ends the flow of energy. The vehicle has stopped drawing before.
type powerStop struct{}

func (powerStop) patience(m *Machine) (message, whole time.Duration) { return m.Timing.Long, 0 }

func (powerStop) request(m *Machine) din.BodyElement { return m.powerDelivery(false) }

func (powerStop) handle(m *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.PowerDeliveryRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	m.SetRelays(false)
	m.SetPilot(false)
	return weldingDetection{}, 0, nil
}

// weldingDetection looks at the inlet's voltage with the relays open.
type weldingDetection struct{ usual }

func (weldingDetection) request(m *Machine) din.BodyElement {
	return &din.WeldingDetectionReq{DCEVStatus: m.status()}
}

func (weldingDetection) handle(_ *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.WeldingDetectionRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	return sessionStop{}, 0, check(r.ResponseCode)
}

// sessionStop says good-bye.
type sessionStop struct{ usual }

func (sessionStop) request(*Machine) din.BodyElement { return &din.SessionStop{} }

func (sessionStop) handle(m *Machine, res din.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*din.SessionStopRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	m.Finish()
	return nil, 0, nil
}
