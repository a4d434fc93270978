package evse

import (
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iec61851"
)

// Times of IEC 61851-1, Table A.6, and of this controller.
const (
	openUnderLoad = 6 * time.Second  // a vehicle that stays in state C without an offer is cut off (sequence 10.2)
	followTime    = 6 * time.Second  // a vehicle that draws more than it is offered is cut off
	obeyTime      = 5 * time.Second  // a vehicle follows a change of the duty cycle within this
	stopTime      = 20 * time.Second // a vehicle that was asked to stop and does not is cut off
	fallbackAfter = 12 * time.Second // a vehicle that does not answer on the power line gets the basic duty cycle
	fallbackPause = 3 * time.Second  // constant +12 V between digital communication and the basic duty cycle
	tolerance     = si.Amps(0.5)     // between what is offered and what a meter may read
)

// mode is how the EVSE talks to the vehicle.
type mode uint8

const (
	modeBasic    mode = iota // the duty cycle is the offer
	modeDigital              // 5 %: ISO 15118 or DIN 70121
	modeFallback             // between the two
)

// situation is all that decides what the hardware is told.
type situation struct {
	Now       time.Time
	DC        bool
	Mode      mode
	Pilot     hal.Pilot
	Fault     hal.Fault
	Operative bool
	Auth      bool // the vehicle may charge
	Stopped   bool // the charging has been ended from outside, until the vehicle leaves
	CutOff    bool // the vehicle drew too much, until it leaves
	Permit    permit
	MaxAmps   si.Amps
	Closed    bool      // contactor feedback
	Socket    bool      // with a lock, which must hold the plug before energy flows
	Plug      bool      // is in the socket
	Lock      bool      // is wanted
	Locked    bool      // its feedback
	NoOffer   time.Time // since when the vehicle is offered nothing while in state C; zero when it is offered something

	WantClose bool // the session asks for the contactor
	Module    hal.ModuleSetpoint
	Limits    hal.ModuleLimits
}

// decision is what the hardware is told.
type decision struct {
	Out    hal.Output
	Module hal.ModuleSetpoint
	Offer  si.Amps // per phase, what the vehicle has been told; AC
}

// decide is the one place where the outlet is energised.
func decide(s situation) decision {
	var d decision
	d.Out.Lock = s.Socket && s.Plug && (s.Lock || s.Closed) // never opens under load
	d.Out.Phases3 = s.Permit.Phases != 1
	if s.Fault != hal.FaultNone || !s.Operative {
		d.Out.Drive = hal.DriveF
		return d
	}
	if !s.Pilot.Connected() {
		return d // x1
	}
	may := s.Auth && !s.Stopped && !s.CutOff && !s.Permit.Open
	if may {
		d.Offer = min(s.Permit.Amps, s.MaxAmps)
		if d.Offer < iec61851.MinCurrent {
			d.Offer = 0
		}
	}
	switch s.Mode {
	case modeDigital:
		d.Out.Drive, d.Out.Duty = hal.DrivePWM, iec61851.Digital
		d.Out.Close = s.held() && s.WantClose && s.Pilot.Wants() && s.Auth && !s.CutOff && !s.Permit.Open
		if s.DC {
			d.Module = clamp(s)
		}
	case modeBasic:
		if s.DC {
			return d // DC needs digital communication
		}
		duty, ok := iec61851.Duty(d.Offer)
		if ok {
			d.Out.Drive, d.Out.Duty = hal.DrivePWM, duty
		}
		lingering := s.Closed && may && !ok && s.Now.Sub(s.NoOffer) < openUnderLoad // the vehicle may ramp down first
		d.Out.Close = s.held() && may && s.Pilot.Wants() && (ok || lingering)
	case modeFallback: // x1 until the pause is over
	}
	return d
}

// held reports whether the plug cannot be pulled. One that is to be let go keeps what flows until the vehicle has ended it.
func (s *situation) held() bool {
	return !s.Socket || s.Locked && (s.Lock || s.Closed)
}

// clamp holds the power module within the permit, at once and whatever the session asked for.
func clamp(s situation) hal.ModuleSetpoint {
	m := s.Module
	m.Amps = min(max(m.Amps, 0), s.Limits.MaxAmps)
	switch m.Mode {
	case hal.ModuleCharge:
		if !s.Auth || s.Permit.Open || s.CutOff || !s.WantClose {
			return hal.ModuleSetpoint{}
		}
		m.Watts = outWatts(s.Limits, s.Permit.Watts)
		m.Volts = min(m.Volts, s.Limits.MaxVolts)
	case hal.ModuleCableCheck, hal.ModulePreCharge:
		if !s.Auth {
			return hal.ModuleSetpoint{}
		}
		m.Watts = 0
		m.Volts = min(m.Volts, s.Limits.MaxVolts)
	default:
		return hal.ModuleSetpoint{}
	}
	return m
}

// outWatts is what the module may deliver so that it draws no more than in from the grid.
func outWatts(l hal.ModuleLimits, in si.Watts) si.Watts {
	if l.Efficiency > 0 && l.Efficiency < 1 {
		in = si.Watts(float64(in) * l.Efficiency)
	}
	return max(0, min(in, l.MaxWatts))
}

// inWatts is what the module draws from the grid to deliver out.
func inWatts(l hal.ModuleLimits, out si.Watts) si.Watts {
	if l.Efficiency > 0 && l.Efficiency < 1 {
		if out > 0 {
			return si.Watts(float64(out) / l.Efficiency)
		}
		return si.Watts(float64(out) * l.Efficiency)
	}
	return out
}
