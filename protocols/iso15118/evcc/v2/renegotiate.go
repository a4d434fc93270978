package v2

import (
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// renegotiate leaves the charging loop for a new schedule. With DC the flow of energy ends, and cable check and pre-charge come
// again ([V2G2-565], [V2G2-582]); with AC it goes on.
type renegotiate struct{}

func (renegotiate) patience(m *Machine) (message, whole time.Duration) { return m.Timing.Long, 0 }

func (renegotiate) request(m *Machine) v2.BodyElement {
	return m.powerDelivery(v2.ChargeProgressRenegotiate)
}

func (renegotiate) handle(m *Machine, res v2.BodyElement) (state, time.Duration, error) {
	r, ok := res.(*v2.PowerDeliveryRes)
	if !ok {
		return nil, 0, wrong(res)
	}
	if err := check(r.ResponseCode); err != nil {
		return nil, 0, err
	}
	m.again = false
	if m.Cfg.DC {
		m.SetDraw(evcc.Draw{})
		m.SetRelays(false)
		m.SetPilot(false)
	}
	return chargeParameterDiscovery{}, 0, nil
}
