package station

import (
	"fmt"
	"strings"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Station is the machine. Make it with New.
type Station struct {
	cfg   Config
	now   time.Time // of the current Step
	out   []Effect
	rpc   *rpc.Endpoint
	queue *txqueue.Queue
	model *model
	store profile.Store
	evses []*evse // evses[0] is EVSE 1
	boot  bootState
	list  localList
	cache map[string]cached
	resv  map[int]reservation
	certs []*installed
	conns connection
	calls map[uint64]pending
	saves saver
	key   uint64 // last key of a call

	awaited []awaited // signed readings, the oldest first
	tokens  uint64    // last one of theirs

	sec          security
	net          network
	announced    bool
	logs         logs
	upd          update
	pub          publishing
	mon          monitors
	disp         display
	after        []func() // follows the answer being written
	unstored     func() rpc.Message
	ocspAt       time.Time // when the status of our certificates is asked for
	useAt        time.Time // when the next certificate of our own begins to be valid
	signing      *signing  // nil when no certificate is on its way
	renewal      renewal
	pass         passwords
	incoming     string // id of the request being answered
	beat         time.Time
	aligned      time.Time
	dead         time.Time // deadline last asked for
	rpcDead      time.Time
	queueDead    time.Time
	limitDead    time.Time
	stationLimit profile.Limit
	told         map[v201.ChargingLimitSourceEnum]si.Watts // limits from outside that the CSMS knows
	off          bool                                      // set out of service as a whole
	resetting    *v201.ResetRequest                        // waits for transactions to end
	resetBy      time.Time                                 // nothing charges any more: the reset follows at last then
}

type connection struct {
	up     bool
	lostAt time.Time
}

// New returns the machine with what an earlier one saved, by key.
func New(cfg Config, saved map[string][]byte, now time.Time) (*Station, error) {
	if cfg.NewID == nil || cfg.Identity == "" {
		return nil, fmt.Errorf("station: identity and a source of ids are required")
	}
	if cfg.Reason == "" {
		cfg.Reason = v201.BootReasonPowerUp
	}
	s := &Station{cfg: cfg, now: now, rpc: rpc.New(rpc.Config{Version: rpc.V201}), model: newModel(cfg), calls: map[uint64]pending{},
		cache: map[string]cached{}, resv: map[int]reservation{}}
	s.saves.open = map[uint64]batch{}
	if r := &s.cfg.Rating; r.Max == 0 && r.Power == 0 {
		for _, c := range cfg.EVSEs { // its EVSEs together
			l := c.Rating.Limit()
			r.Max += l.Amps
			r.Power += l.Watts
			r.Phases, r.Volts = max(r.Phases, l.Phases), c.Rating.Volts
		}
	}
	for i, c := range cfg.EVSEs {
		s.evses = append(s.evses, &evse{n: i + 1, cfg: c})
	}
	err := s.restore(saved)
	if err == nil {
		err = s.restoreCertificates(saved)
	}
	if err == nil {
		err = s.restoreNetwork(saved)
	}
	if err == nil {
		err = s.restoreFirmware(saved)
	}
	if err != nil {
		return nil, fmt.Errorf("station %s: %w", cfg.Identity, err)
	}
	return s, nil
}

// Step takes one event and appends what has to be done to out.
func (s *Station) Step(now time.Time, ev Event, out []Effect) []Effect {
	s.now, s.out = now, out
	s.announce()
	switch ev := ev.(type) {
	case Connected:
		if s.reached(ev) {
			s.connected()
		}
	case DialFailed:
		s.dialFailed(ev)
	case Disconnected:
		s.disconnected()
	case Message:
		s.stepRPC(rpc.Received{Raw: ev.Raw})
	case Tick:
		s.tick()
	case Stored:
		s.stored(ev)
	case Plugged:
		s.with(ev.EVSE, (*Station).plugged)
	case Unplugged:
		s.with(ev.EVSE, (*Station).unplugged)
	case Presented:
		s.with(ev.EVSE, func(s *Station, e *evse) { s.presented(e, ev.Token) })
	case ContractShown:
		s.with(ev.EVSE, func(s *Station, e *evse) { s.contractShown(e, ev.Token, ev.Contract) })
	case KeyMade:
		s.keyMade(ev)
	case SecurityEvent:
		s.securityEvent(ev.Type, ev.Info)
	case CertificateWanted:
		s.with(ev.EVSE, func(s *Station, e *evse) { s.exchange(e, ev) })
	case Flow:
		s.with(ev.EVSE, func(s *Station, e *evse) { s.flow(e, ev) })
	case Reading:
		s.with(ev.EVSE, func(s *Station, e *evse) { s.reading(e, ev) })
	case ReadingSigned:
		s.readingSigned(ev)
	case StoppedByEV:
		s.with(ev.EVSE, (*Station).stoppedByEV)
	case Cable:
		s.with(ev.EVSE, func(s *Station, e *evse) { s.cableIs(e, ev.In) })
	case LockFailed:
		s.with(ev.EVSE, func(_ *Station, e *evse) { e.lockBad = ev.On })
	case Fault:
		s.with(ev.EVSE, func(s *Station, e *evse) { s.fault(e, ev.Code) })
	case Unlocked:
		s.with(ev.EVSE, func(s *Station, e *evse) { s.unlocked(e, ev.OK) })
	case EVNeeds:
		s.with(ev.EVSE, func(s *Station, e *evse) { s.evNeeds(e, ev) })
	case EVSchedule:
		s.with(ev.EVSE, func(s *Station, e *evse) { s.evSchedule(e, ev) })
	case Outside:
		s.outside(ev)
	case Uploaded:
		s.uploaded(ev)
	case UpdateClaimed:
		s.claimed(ev)
	case ImageFetching:
		s.imageFetching(ev)
	case ImageFetched:
		s.imageFetched(ev)
	case ImageInstalled:
		s.imageInstalled(ev)
	case UpdateEnded:
		s.updateEnded(ev)
	case Forgotten:
		s.forgotten()
	case Restarting:
		s.upd.others = ev.On
	case Published:
		s.published(ev)
	case Unpublished:
		s.unpublished(ev)
	}
	s.updateDue()
	s.publishDue()
	s.limits()
	s.rebook()
	s.observe()
	s.draw()
	s.flush()
	s.resetDue()
	s.flush()
	s.deadline()
	out, s.out = s.out, nil
	return out
}

func (s *Station) emit(e Effect) { s.out = append(s.out, e) }

func (s *Station) note(bad bool, format string, args ...any) {
	s.emit(Note{What: fmt.Sprintf(format, args...), Bad: bad})
}

// with runs f for EVSE n, if there is one.
func (s *Station) with(n int, f func(*Station, *evse)) {
	if e := s.evse(n); e != nil {
		f(s, e)
	}
}

func (s *Station) evse(n int) *evse {
	if n < 1 || n > len(s.evses) {
		return nil
	}
	return s.evses[n-1]
}

// tick runs everything that is due.
func (s *Station) tick() {
	s.stepRPC(rpc.Tick{})
	s.stepQueue(txqueue.Tick{})
	s.bootDue()
	s.heartbeatDue()
	s.signedDue()
	s.meterDue()
	s.authDue()
	s.reservationsDue()
	s.needsDue()
	s.savesDue()
	s.exchangesDue()
	s.signingDue()
	s.renewDue()
	s.useDue()
	s.ocspDue()
}

// deadline asks for the next Tick when it changed.
func (s *Station) deadline() {
	var at time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	sooner(s.rpcDead)
	sooner(s.queueDead)
	sooner(s.limitDead)
	sooner(s.boot.next)
	sooner(s.beat)
	sooner(s.aligned)
	sooner(s.saves.retry)
	sooner(s.resetBy)
	if len(s.awaited) > 0 {
		sooner(s.awaited[0].by)
	}
	sooner(s.ocspAt)
	sooner(s.useAt)
	sooner(s.renewal.at)
	if s.signing != nil {
		sooner(s.signing.next)
	}
	sooner(s.mon.due())
	sooner(s.disp.due(s.now))
	sooner(s.upd.at)
	sooner(s.upd.by)
	sooner(s.pub.due())
	for _, e := range s.evses {
		sooner(e.plugBy)
		sooner(e.offerBy)
		sooner(e.exchange.by)
		if e.tx != nil {
			sooner(e.tx.sampleAt)
			sooner(e.tx.keepAt)
			sooner(e.tx.clockAt)
		}
	}
	for _, r := range s.resv {
		sooner(r.Expires)
	}
	if !at.IsZero() && !at.After(s.now) {
		at = s.now.Add(time.Millisecond)
	}
	if !at.Equal(s.dead) {
		s.dead = at
		s.emit(Deadline{at})
	}
}

// announce tells after a start what counts: roots, certificates of its own, and where to connect.
func (s *Station) announce() {
	if s.announced {
		return
	}
	s.announced = true
	if s.cfg.Certificates {
		for _, use := range v201.GetCertificateIdUseEnum("").Values() {
			if use := v201.GetCertificateIdUseEnum(use); len(s.of(use)) > 0 && use != v201.GetCertificateIdUseV2GCertificateChain {
				s.roots(use)
			}
		}
		s.useDue()
		for _, c := range s.certs {
			if c.OCSP != nil {
				s.emit(Staple{Certificate: c.Hash, OCSP: c.OCSP})
			}
		}
	}
	s.plugAndCharge()
	s.retry()
	s.dial()
	s.relock()
	for _, e := range s.evses {
		if !e.serves() {
			s.emit(Operative{e.n, false})
		}
	}
	if s.cfg.Reason == v201.BootReasonPowerUp || s.cfg.Reason == v201.BootReasonWatchdog {
		s.securityEvent("StartupOfTheDevice", "")
	} else {
		s.securityEvent("ResetOrReboot", string(s.cfg.Reason))
	}
}

// Accepted reports whether the CSMS has accepted the station and the connection is up.
func (s *Station) Accepted() bool {
	return s.conns.up && s.boot.status == v201.RegistrationStatusAccepted
}

// Unacknowledged is the number of transaction messages that the CSMS does not have yet.
func (s *Station) Unacknowledged() int { return s.queue.Len() }

// Transaction returns the id of the running transaction of an EVSE, "" for none.
func (s *Station) Transaction(evse int) string {
	if e := s.evse(evse); e != nil && e.tx != nil {
		return e.tx.ID
	}
	return ""
}

// Permitted tells whether an EVSE may charge, and for whom.
func (s *Station) Permitted(evse int) (v201.IdToken, bool) {
	if e := s.evse(evse); e != nil && e.auth {
		return deref(e.token), true
	}
	return v201.IdToken{}, false
}

// fullName is the key of a variable in Config.Variables.
func fullName(component, variable string) string { return strings.ToLower(component + "." + variable) }
