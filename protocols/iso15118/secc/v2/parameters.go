package v2

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitChargeParameterDiscovery is the state in which vehicle and EVSE exchange what they can do.
type waitChargeParameterDiscovery struct{}

func (waitChargeParameterDiscovery) accepts(req v2.BodyElement) bool {
	_, ok := req.(*v2.ChargeParameterDiscoveryReq)
	return ok
}

func (s waitChargeParameterDiscovery) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	r := req.(*v2.ChargeParameterDiscoveryReq)
	m.Enter(secc.StageParams)
	if !m.offers(r.RequestedEnergyTransferMode) {
		return m.fail(req, v2.ResponseCodeFailedWrongEnergyTransferMode, secc.ClassParameter, "transfer mode "+r.RequestedEnergyTransferMode.String()+" is not offered")
	}
	n := m.Needs
	var next state
	switch p := r.EVChargeParameter.(type) {
	case *v2.ACEVChargeParameter:
		if m.Cfg.DC {
			return m.fail(req, v2.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter, "AC parameters at a DC EVSE")
		}
		n.MinAmps, n.MaxAmps = si.Amps(p.EVMinCurrent.Float()), si.Amps(p.EVMaxCurrent.Float())
		n.Energy, n.Departure = si.WattHours(p.EAmount.Float()), seconds(p.DepartureTime)
		n.Phases = 1
		if r.RequestedEnergyTransferMode == v2.EnergyTransferModeACThreePhaseCore {
			n.Phases = 3
		}
		if n.MaxAmps <= 0 || n.MinAmps < 0 || n.MinAmps > n.MaxAmps || n.Energy < 0 {
			return m.fail(req, v2.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter, "the vehicle's currents make no sense")
		}
		next = waitPowerDeliveryStart{}
	case *v2.DCEVChargeParameter:
		if !m.Cfg.DC {
			return m.fail(req, v2.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter, "DC parameters at an AC EVSE")
		}
		n.MaxAmps, n.MaxVolts = si.Amps(p.EVMaximumCurrentLimit.Float()), si.Volts(p.EVMaximumVoltageLimit.Float())
		n.MaxWatts = si.Watts(p.EVMaximumPowerLimit.Value.Float())
		n.Capacity, n.Energy = si.WattHours(p.EVEnergyCapacity.Value.Float()), si.WattHours(p.EVEnergyRequest.Value.Float())
		n.SoC, n.Departure = si.Percent(p.DCEVStatus.EVRESSSOC), seconds(p.DepartureTime)
		if n.MaxAmps <= 0 || n.MaxVolts <= 0 || n.MaxVolts < m.Present.MinVolts {
			return m.fail(req, v2.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter, "the vehicle's limits make no sense at this EVSE")
		}
		next = waitCableCheck{}
	default:
		return m.fail(req, v2.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter, "no charge parameter")
	}
	m.mode = r.RequestedEnergyTransferMode
	m.TellNeeds(n)
	if m.asked.IsZero() {
		m.asked = m.Now
		m.Out = append(m.Out, secc.ScheduleAsked{Again: m.obeys, Entries: int(r.MaxEntriesSAScheduleTuple.Value)})
		m.obeys = false
	}
	if !m.current && m.Now.Sub(m.asked) < m.Cfg.PlanWait { // the site is still planning
		return &v2.ChargeParameterDiscoveryRes{ResponseCode: v2.ResponseCodeOK, EVSEProcessing: v2.EVSEProcessingOngoing,
			EVSEChargeParameter: m.chargeParameter()}, s
	}
	m.asked, m.again = time.Time{}, false
	m.offered = m.makeSchedules(n.Departure, r.MaxEntriesSAScheduleTuple.Value)
	return &v2.ChargeParameterDiscoveryRes{ResponseCode: v2.ResponseCodeOK, EVSEProcessing: v2.EVSEProcessingFinished,
		SAScheduleList: exi.Some(m.offered.list()), EVSEChargeParameter: m.chargeParameter()}, next
}

func seconds(o exi.Optional[uint32]) time.Duration { return time.Duration(o.Value) * time.Second }

func (m *Machine) offers(mode v2.EnergyTransferMode) bool {
	for _, o := range m.chargeService().SupportedEnergyTransferMode.EnergyTransferMode {
		if o == mode {
			return true
		}
	}
	return false
}

// chargeParameter is what the EVSE can do. The grant of the moment is not in it: it may be a pause, which a vehicle would
// take for an EVSE that cannot charge. The loops tell the grant.
func (m *Machine) chargeParameter() v2.EVSEChargeParameter {
	p := &m.Present
	if m.Cfg.DC {
		return &v2.DCEVSEChargeParameter{DCEVSEStatus: m.dcStatus(),
			EVSEMaximumCurrentLimit: v2.Amps(p.RatedAmps), EVSEMaximumPowerLimit: v2.Watts(p.RatedWatts), EVSEMaximumVoltageLimit: v2.Volts(p.MaxVolts),
			EVSEMinimumCurrentLimit: v2.Amps(p.MinAmps), EVSEMinimumVoltageLimit: v2.Volts(p.MinVolts), EVSEPeakCurrentRipple: v2.Amps(1)}
	}
	return &v2.ACEVSEChargeParameter{ACEVSEStatus: m.acStatus(), EVSENominalVoltage: v2.Volts(m.Cfg.Volts), EVSEMaxCurrent: v2.Amps(p.RatedAmps)}
}
