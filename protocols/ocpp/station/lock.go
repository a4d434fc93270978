package station

import (
	"strconv"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Cable says whether a plug is in the EVSE's own socket, whatever is at the other end; of EVSEs with a socket.
type Cable struct {
	EVSE int
	In   bool
}

// LockFailed says that the lock of the socket does not follow, or does again (G05).
type LockFailed struct {
	EVSE int
	On   bool
}

// Lock asks to hold the plug in the EVSE's socket, or to let it go. The EVSE holds it longer while energy can flow.
type Lock struct {
	EVSE int
	On   bool
}

func (Cable) event()      {}
func (LockFailed) event() {}
func (Lock) effect()      {}

// holder is whom a cable is kept locked for, after its vehicle was taken off (E09.FR.03).
type holder struct {
	Token v201.IdToken
	Group string `json:",omitempty"`
}

func (s *Station) lock(e *evse, on bool) {
	if e.cfg.Socket && e.locked != on && (on || e.keeps == nil) {
		e.locked = on
		s.emit(Lock{e.n, on})
	}
}

// holdFor keeps the cable locked for who was authorised, after the vehicle was taken off it.
func (s *Station) holdFor(e *evse) {
	if !e.cfg.Socket || !e.cable || !e.auth || e.token == nil || e.token.Type == v201.IdTokenNoAuthorization || s.model.flag("OCPPCommCtrlr", "UnlockOnEVSideDisconnect") {
		return
	}
	e.keeps = &holder{*e.token, e.group}
	s.saveEVSE(e)
}

// release ends that.
func (s *Station) release(e *evse) {
	if e.keeps != nil {
		e.keeps = nil
		s.saveEVSE(e)
	}
}

// shownToHeld handles a token at an EVSE that holds a cable: only its holder's counts. With a vehicle it authorises as ever, which
// is what then follows; without one it frees the cable.
func (s *Station) shownToHeld(e *evse, t v201.IdToken, then func()) {
	h := e.keeps
	mine := func() {
		if e.keeps != h {
			return
		}
		if e.plugged {
			then()
			return
		}
		s.release(e)
		s.lock(e, false)
	}
	if h.Token.Type == t.Type && listKey(h.Token) == listKey(t) {
		mine()
		return
	}
	s.emit(Permit{EVSE: e.n, Token: t})
	if h.Group == "" {
		return
	}
	s.decide(t, func(info v201.IdTokenInfo) {
		if g := info.GroupIdToken; info.Status == v201.AuthorizationStatusAccepted && g != nil && sameGroup(g.IdToken, h.Group) {
			mine()
		}
	})
}

func (s *Station) cableIs(e *evse, in bool) {
	if e.cable = in; !in {
		s.release(e)
		if !e.auth {
			s.lock(e, false)
		}
	}
	s.statusChanged(e)
}

// relock tells after a start which cables are held.
func (s *Station) relock() {
	for _, e := range s.evses {
		if e.keeps != nil {
			s.lock(e, true)
		}
	}
}

// lockProblem is the event of a lock that fails, or works again (G05.FR.02): told whatever is monitored.
func (s *Station) lockProblem(e *evse) v201.EventData {
	d := v201.EventData{Trigger: v201.EventTriggerDelta, ActualValue: strconv.FormatBool(e.lockBad), EventNotificationType: v201.EventNotificationHardWiredNotification,
		Component: v201.Component{Name: retentionLock, Evse: &v201.EVSE{Id: e.n, ConnectorId: new(1)}}, Variable: v201.Variable{Name: "Problem"}}
	if !e.lockBad {
		d.Cleared = new(true)
	}
	if e.tx != nil {
		d.TransactionId = e.tx.ID
	}
	return d
}

const retentionLock = "ConnectorPlugRetentionLock"

// sockets fixes what a station without sockets cannot choose: nothing is unlocked that is attached.
func (m *model) sockets(has bool) {
	if v := m.byName[fullName("OCPPCommCtrlr", "UnlockOnEVSideDisconnect")]; !has {
		v.value, v.access = "false", readOnly
	}
}

func hasSocket(c EVSEConfig) bool { return c.Socket }
