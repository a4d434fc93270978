package localctl

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func itoa(n int) string { return strconv.Itoa(n) }

// seen is what the station's own messages tell about it.
type seen struct {
	evses map[int]*evseSeen
	at    time.Time // of the last reading, by our clock
	heard time.Time // when it came
	last  State
}

type evseSeen struct {
	occupied map[int]bool // connectors
	status   string       // of connector 1
	tx       string
	began    time.Time // when it was heard of
	charging bool
	wants    bool
	phases   int
	measured bool
	amps     si.Phases
	power    si.Watts
	first    si.WattHours
	energy   si.WattHours
	hasFirst bool
	powered  bool    // power was reported, over this connection
	marks    []mark  // of its register, when it reports nothing else
	grain    float64 // Wh, in steps of which the register counts at most
}

// reading is what was measured at one moment.
type reading struct {
	amps                        si.Phases
	power, register             float64
	hasAmps, hasPower, hasTotal bool
	hasRegister                 bool
}

const maxEVSEs = 64

func (s *seen) evse(n int) *evseSeen {
	e := s.evses[n]
	if e == nil {
		e = &evseSeen{occupied: map[int]bool{}}
		if len(s.evses) < maxEVSEs {
			s.evses[n] = e
		}
	}
	return e
}

func (s *seen) running(tx string) bool {
	for _, e := range s.evses {
		if e.tx == tx {
			return true
		}
	}
	return false
}

func (s *seen) status(r *Relay, evse, connector int, status string) {
	if evse == 0 {
		return
	}
	e := s.evse(evse)
	e.occupied[min(connector, 16)] = status == "Occupied"
	if connector == 1 {
		e.status = status
	}
	if status == "Available" {
		e.wants, e.charging = false, false
		r.rests(e)
	}
	s.report(r)
}

func (s *seen) event(r *Relay, q *v201.TransactionEventRequest) {
	kept := q.Offline != nil && *q.Offline
	if !kept {
		r.heardTime(q.Timestamp, false)
	}
	n := 0
	if q.Evse != nil {
		n = q.Evse.Id
	} else {
		for k, e := range s.evses {
			if e.tx == q.TransactionInfo.TransactionId {
				n = k
			}
		}
	}
	if n == 0 {
		return
	}
	e := s.evse(n)
	fresh := e.tx != q.TransactionInfo.TransactionId
	if fresh {
		e.tx, e.hasFirst, e.energy, e.first = q.TransactionInfo.TransactionId, false, 0, 0
		r.emit(Session{Tx: e.tx})
	}
	if q.EventType != v201.TransactionEventEnded {
		folded := r.startsTx(n, e.tx, q.TransactionInfo.RemoteStartId, "")
		switch {
		case fresh:
			r.begun(n, e)
		case folded:
			r.reinstall()
		}
	}
	if q.NumberOfPhasesUsed != nil {
		e.phases = *q.NumberOfPhasesUsed
	}
	switch q.TransactionInfo.ChargingState {
	case v201.ChargingStateCharging, v201.ChargingStateSuspendedEVSE:
		e.wants, e.charging = true, q.TransactionInfo.ChargingState == v201.ChargingStateCharging
	case v201.ChargingStateEVConnected:
		e.wants, e.charging = q.EventType != v201.TransactionEventEnded, false
	case v201.ChargingStateSuspendedEV, v201.ChargingStateIdle:
		e.wants, e.charging = false, false
	}
	s.sample(r, e, q.MeterValue, kept)
	if q.EventType == v201.TransactionEventEnded {
		r.emit(Session{Tx: e.tx, Ended: true, Failed: failed[q.TransactionInfo.StoppedReason], Energy: e.energy})
		r.ended(n)
		r.rests(e)
		*e = evseSeen{occupied: e.occupied, status: e.status, measured: e.measured, powered: e.powered}
	} else if !e.charging {
		r.rests(e)
	}
	s.report(r)
}

// failed are the reasons for which a transaction counts as failed.
var failed = map[v201.ReasonEnum]bool{v201.ReasonEmergencyStop: true, v201.ReasonGroundFault: true, v201.ReasonOvercurrentFault: true,
	v201.ReasonPowerLoss: true, v201.ReasonPowerQuality: true, v201.ReasonReboot: true, v201.ReasonOther: true}

func (s *seen) values(r *Relay, evse int, mv []v201.MeterValue) {
	if evse == 0 {
		return
	}
	if n := len(mv); n > 0 { // the last of them is of now
		r.heardTime(mv[n-1].Timestamp, false)
	}
	s.sample(r, s.evse(evse), mv, false)
	s.report(r)
}

// sample takes readings in. Those that were kept, or are old, do not tell what is drawn now.
func (s *seen) sample(r *Relay, e *evseSeen, mv []v201.MeterValue, kept bool) {
	for i := range mv {
		var rd reading
		for _, v := range mv[i].SampledValue {
			scale := 1.0
			if u := v.UnitOfMeasure; u != nil {
				if u.Unit == "kW" || u.Unit == "kWh" {
					scale = 1000
				}
				for m := 0; u.Multiplier != nil && m < min(*u.Multiplier, 9); m++ {
					scale *= 10
				}
				for m := 0; u.Multiplier != nil && m > max(*u.Multiplier, -9); m-- {
					scale /= 10
				}
			}
			s.take(e, string(v.Measurand), string(v.Phase), v.Value*scale, &rd)
		}
		s.read(r, e, mv[i].Timestamp, kept, &rd)
	}
}

// read takes in what a reading says of what is drawn now.
func (s *seen) read(r *Relay, e *evseSeen, ts time.Time, kept bool, rd *reading) {
	age := r.age(ts)
	if kept || age > ageBound {
		return
	}
	if rd.hasAmps {
		e.amps, e.measured, s.heard = rd.amps, true, r.now
	}
	if rd.hasPower {
		e.power, e.powered = si.Watts(rd.power), true
		if !s.measured() {
			s.heard = r.now
		}
	}
	if rd.hasRegister {
		r.register(e, ts, rd.register, age)
	}
	s.at = r.now.Add(-age).Round(0)
}

func (s *seen) take(e *evseSeen, measurand, phase string, value float64, rd *reading) {
	switch measurand {
	case "", "Energy.Active.Import.Register":
		if phase != "" {
			return
		}
		if !e.hasFirst {
			e.first, e.hasFirst = si.WattHours(value), true
		}
		e.energy = si.WattHours(value) - e.first
		rd.register, rd.hasRegister = value, true
	case "Power.Active.Import":
		switch {
		case phase == "":
			rd.power, rd.hasPower, rd.hasTotal = value, true, true
		case isPhase(phase) >= 0 && !rd.hasTotal:
			rd.power += value
			rd.hasPower = true
		}
	case "Current.Import":
		if p := isPhase(phase); p >= 0 {
			rd.amps[p], rd.hasAmps = si.Amps(value), true
		} else if phase == "" {
			rd.amps, rd.hasAmps = si.Same(si.Amps(value)), true
			if e.phases == 1 {
				rd.amps = si.Phases{si.Amps(value)}
			}
		}
	}
}

func (s *seen) wants16(r *Relay, connector int, status string) {
	if connector == 0 {
		return
	}
	e := s.evse(connector)
	e.charging = status == "Charging"
	e.wants = e.charging || status == "SuspendedEVSE" || status == "Preparing"
	if !e.charging {
		r.rests(e)
	}
	s.report(r)
}

func (s *seen) values16(r *Relay, connector int, mv []v16.MeterValue) {
	if connector == 0 {
		return
	}
	e := s.evse(connector)
	if n := len(mv); n > 0 {
		r.heardTime(mv[n-1].Timestamp, false)
	}
	for i := range mv {
		var rd reading
		for _, v := range mv[i].SampledValue {
			f, err := strconv.ParseFloat(v.Value, 64)
			if err != nil || !si.Finite(si.Watts(f)) {
				continue
			}
			if v.Unit == v16.UnitKWh || v.Unit == v16.UnitKW {
				f *= 1000
			}
			s.take(e, string(v.Measurand), string(v.Phase), f, &rd)
		}
		s.read(r, e, mv[i].Timestamp, false, &rd)
	}
	s.report(r)
}

func (s *seen) stop16(r *Relay, tx int) {
	for n, e := range s.evses {
		if e.tx == itoa(tx) {
			e.tx = ""
			r.ended(n)
		}
	}
	s.report(r)
}

func (s *seen) gone(r *Relay) {
	for _, e := range s.evses {
		e.measured, e.powered, e.marks = false, false, nil // what it draws is not known any more
	}
	r.gauge.over = false
	s.report(r)
}

func (s *seen) measured() bool { return s.last.Measured }

func (s *seen) highest() si.Amps { return s.last.Amps.Highest() }

// report emits the sum of all EVSEs when it changed.
func (s *seen) report(r *Relay) {
	st := State{Ready: r.ready && r.station.up, At: s.at, Over: !r.limit.overAt.IsZero(), Pinned: r.ready && r.pinned()}
	if r.clock.far {
		st.Off = (r.clock.last - r.reference()).Round(time.Second)
	}
	for _, n := range slices.Sorted(maps.Keys(s.evses)) {
		e := s.evses[n]
		if st.Status == "" {
			st.Status = e.status
		}
		for _, o := range e.occupied {
			if o {
				st.EVs++
			}
		}
		st.Wants = st.Wants || e.wants
		if e.wants {
			st.Phases = max(st.Phases, e.phases)
		}
		st.Measured = st.Measured || e.measured
		st.Amps = st.Amps.Add(e.amps)
		st.Power += e.power
		st.Energy += e.energy
	}
	changed := st != s.last
	s.last = st
	r.watch()
	if changed {
		r.emit(Seen{st})
	}
}
