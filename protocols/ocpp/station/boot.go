package station

import (
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

type bootState struct {
	status   v201.RegistrationStatusEnum // "" before the first answer
	interval time.Duration
	next     time.Time // of the next BootNotification
	not      time.Time // none before then, on whatever connection (B02.FR.04, B03.FR.02)
	waiting  bool      // one is under way
}

func (s *Station) connected() {
	s.conns.up = true
	s.rpc = rpc.New(rpc.Config{Version: rpc.V201})
	if s.boot.status == v201.RegistrationStatusAccepted { // B01: booted once per start, not per connection
		s.online(false)
		return
	}
	if s.now.Before(s.boot.not) {
		s.boot.next = s.boot.not
		return
	}
	s.sendBoot(s.cfg.Reason)
}

func (s *Station) disconnected() {
	if !s.conns.up {
		return
	}
	s.stepRPC(rpc.Closed{})
	s.conns.up, s.conns.lostAt = false, s.now
	s.mon.flying = false
	s.net.begin(true)
	s.dial()
	s.stepQueue(txqueue.Offline{})
	s.beat, s.boot.next, s.boot.waiting = time.Time{}, time.Time{}, false
}

func (s *Station) sendBoot(reason v201.BootReasonEnum) {
	if s.boot.waiting || !s.conns.up {
		return
	}
	s.boot.waiting, s.boot.next = true, time.Time{}
	req := &v201.BootNotificationRequest{Reason: reason, ChargingStation: v201.ChargingStation{
		Model: s.cfg.Model, VendorName: s.cfg.Vendor, SerialNumber: s.cfg.Serial, FirmwareVersion: s.cfg.Firmware}}
	s.callIf(true, req, func(res rpc.Message, why string) {
		s.boot.waiting = false
		r, ok := res.(*v201.BootNotificationResponse)
		if !ok {
			s.boot.next = s.now.Add(max(s.boot.interval, 10*time.Second))
			return
		}
		was := s.boot.status
		s.boot.status, s.boot.not = r.Status, time.Time{}
		s.boot.interval = time.Duration(min(max(r.Interval, 0), 1<<30)) * time.Second
		if r.Status != v201.RegistrationStatusAccepted { // B02, B03: again after the interval
			wait := s.boot.interval
			if wait == 0 {
				wait = 30 * time.Second // B02.FR.06 leaves it to the station; not so often as to flood the CSMS
			}
			s.boot.next = s.now.Add(wait)
			s.boot.not = s.boot.next
			s.note(false, "the CSMS answered %s to BootNotification; next try in %v", r.Status, wait)
			return
		}
		if r.Interval > 0 { // B01.FR.04
			s.model.set("OCPPCommCtrlr", "HeartbeatInterval", itoa(r.Interval))
		}
		if was != v201.RegistrationStatusAccepted {
			s.online(true)
		}
	})
}

// online is the begin of normal operation on a connection: state of the connectors, then the queue. A CSMS that the station has just
// booted at hears of every connector (B01.FR.05).
func (s *Station) online(booted bool) {
	all := booted || s.now.Sub(s.conns.lostAt) > s.model.seconds("OCPPCommCtrlr", "OfflineThreshold")
	s.rebook()
	for _, e := range s.evses { // B04.FR.01, B04.FR.02
		if all || e.status() != e.reported {
			s.sendStatus(e)
		}
	}
	s.armHeartbeat()
	s.armAligned()
	s.unfold()
	s.stepQueue(txqueue.Online{})
}

func (s *Station) bootDue() {
	if !s.boot.next.IsZero() && !s.now.Before(s.boot.next) {
		s.sendBoot(s.cfg.Reason)
	}
}

func (s *Station) armHeartbeat() {
	s.beat = time.Time{}
	if d := s.model.seconds("OCPPCommCtrlr", "HeartbeatInterval"); d > 0 && s.Accepted() {
		s.beat = s.now.Add(d)
	}
}

func (s *Station) heartbeatDue() {
	if s.beat.IsZero() || s.now.Before(s.beat) {
		return
	}
	s.armHeartbeat()
	if s.Accepted() && s.rpc.Waiting() == 0 {
		s.call(&v201.HeartbeatRequest{}, nil)
	}
}
