package din

import (
	"math"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// tupleID is the id of the one schedule that is offered.
const tupleID = 1

// day is how long the schedule holds, s.
const day = 86400

// waitChargeParameter is the state in which vehicle and EVSE exchange what they can do.
type waitChargeParameter struct{}

func (waitChargeParameter) accepts(req din.BodyElement) bool {
	_, ok := req.(*din.ChargeParameterDiscoveryReq)
	return ok
}

func (waitChargeParameter) handle(m *Machine, req din.BodyElement) (din.BodyElement, state) {
	r := req.(*din.ChargeParameterDiscoveryReq)
	m.Enter(secc.StageParams)
	switch r.EVRequestedEnergyTransferType {
	case din.EVRequestedEnergyTransferDCExtended, din.EVRequestedEnergyTransferDCCore: // a DC_core vehicle fits a DC_extended EVSE
	default:
		return m.fail(req, din.ResponseCodeFailedWrongEnergyTransferType, secc.ClassParameter,
			"transfer type "+r.EVRequestedEnergyTransferType.String()+" is not offered")
	}
	p, ok := r.EVChargeParameter.(*din.DCEVChargeParameter)
	if !ok {
		return m.fail(req, din.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter, "no DC charge parameter")
	}
	n := m.Needs
	n.MaxAmps, n.MaxVolts = si.Amps(p.EVMaximumCurrentLimit.Float()), si.Volts(p.EVMaximumVoltageLimit.Float())
	n.MaxWatts = si.Watts(p.EVMaximumPowerLimit.Value.Float())
	n.Capacity, n.Energy = si.WattHours(p.EVEnergyCapacity.Value.Float()), si.WattHours(p.EVEnergyRequest.Value.Float())
	n.SoC = si.Percent(p.DCEVStatus.EVRESSSOC)
	if n.MaxAmps <= 0 || n.MaxVolts <= 0 || n.MaxVolts < m.Present.MinVolts {
		return m.fail(req, din.ResponseCodeFailedWrongChargeParameter, secc.ClassParameter, "the vehicle's limits make no sense at this EVSE")
	}
	m.TellNeeds(n)
	if m.asked.IsZero() {
		m.asked = m.Now
	}
	m.offered = m.most()
	if m.plan == nil && m.Now.Sub(m.asked) < m.Cfg.PlanWait { // the site is still planning
		return m.parameters(din.ResponseCodeOK, din.EVSEProcessingOngoing), waitChargeParameter{}
	}
	return m.parameters(din.ResponseCodeOK, din.EVSEProcessingFinished), waitCableCheck{}
}

// most is the power that the vehicle is offered for a day: what the hardware can do, or the least of the site's plan; DIN 70121
// has no way to negotiate anew.
func (m *Machine) most() int16 {
	w := m.Present.RatedWatts
	if m.plan != nil && len(m.plan.Tuples) > 0 {
		for _, e := range m.plan.Tuples[0].Entries {
			w = min(w, e.Max)
		}
	}
	return int16(max(0, min(math.MaxInt16, w)))
}

// parameters is what the EVSE can do. The grant of the moment is not in it: it may be a pause, which a vehicle would take for
// an EVSE that cannot charge. The loop tells the grant.
func (m *Machine) parameters(code din.ResponseCode, processing din.EVSEProcessing) din.BodyElement {
	p := &m.Present
	return &din.ChargeParameterDiscoveryRes{ResponseCode: code, EVSEProcessing: processing,
		SAScheduleList: din.SAScheduleList{SAScheduleTuple: []din.SAScheduleTuple{{SAScheduleTupleID: tupleID,
			PMaxSchedule: din.PMaxSchedule{PMaxScheduleID: 1, PMaxScheduleEntry: []din.PMaxScheduleEntry{{
				RelativeTimeInterval: din.RelativeTimeInterval{Duration: exi.Some(uint32(day))}, PMax: m.offered}}}}}},
		EVSEChargeParameter: &din.DCEVSEChargeParameter{DCEVSEStatus: m.status(),
			EVSEMaximumCurrentLimit: din.Amps(p.RatedAmps), EVSEMaximumPowerLimit: exi.Some(din.Watts(p.RatedWatts)), EVSEMaximumVoltageLimit: din.Volts(p.MaxVolts),
			EVSEMinimumCurrentLimit: din.Amps(p.MinAmps), EVSEMinimumVoltageLimit: din.Volts(p.MinVolts), EVSEPeakCurrentRipple: din.Amps(1)}}
}

// fits checks a charging profile against what was offered.
func (m *Machine) fits(p din.ChargingProfile) bool {
	last := -1
	for _, e := range p.ProfileEntry {
		if e.ChargingProfileEntryMaxPower > m.offered || int(e.ChargingProfileEntryStart) <= last {
			return false
		}
		last = int(e.ChargingProfileEntryStart)
	}
	return true
}
