package station

import (
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func (w *world) reserve(id int, evse *int, token string, change ...func(*v201.ReserveNowRequest)) string {
	w.t.Helper()
	q := &v201.ReserveNowRequest{Id: id, EvseId: evse, ExpiryDateTime: w.now.Add(time.Hour), IdToken: card(token)}
	for _, f := range change {
		f(q)
	}
	return strings.Trim(strings.TrimPrefix(w.ask(q), `{"status":`), `"}`)
}

func (w *world) states(want ...v201.ConnectorStatusEnum) {
	w.t.Helper()
	for i, e := range w.s.evses {
		if e.status() != want[i] || e.reported != want[i] {
			w.t.Errorf("EVSE %d is %s, told as %s, want %s", i+1, e.status(), e.reported, want[i])
		}
	}
}

const available, reservedState, occupiedState = v201.ConnectorStatusAvailable, v201.ConnectorStatusReserved, v201.ConnectorStatusOccupied

// A reservation of any EVSE leaves all of them free while there are more than it needs (H01.FR.07, FR.20); its token uses any of them,
// and then the reservation is used (H03.FR.03, FR.09).
func TestAReservationOfAnyEVSE(t *testing.T) {
	for evse := 1; evse <= 2; evse++ {
		w := newWorld(t, nil)
		w.do(Connected{})
		if got := w.reserve(3, nil, "MINE"); got != "Accepted" {
			t.Fatal(got)
		}
		w.states(available, available)
		w.do(Plugged{evse})
		if !w.show(evse, "mine") {
			t.Errorf("its token does not charge at EVSE %d", evse)
		}
		if e := w.lastEvent(); e.ReservationId == nil || *e.ReservationId != 3 || len(w.s.resv) != 0 {
			t.Errorf("%+v, %v", e, w.s.resv)
		}
	}
	w := newWorld(t, nil)
	w.do(Connected{})
	w.reserve(3, nil, "MINE")
	w.begin(1, "OTHER")
	w.states(occupiedState, reservedState)
	if w.do(Plugged{2}); w.show(2, "THIRD") { // whose car stands there
		t.Error("the last one is given to another")
	}
	w.do(Unplugged{2})
	if got := w.reserve(4, nil, "MORE"); got != "Occupied" {
		t.Errorf("one too many is %s", got)
	}
	w.do(Unplugged{1})
	w.states(available, available)
	if got := w.reserve(4, nil, "MORE"); got != "Accepted" {
		t.Error(got)
	}
	w.states(reservedState, reservedState)
	if w.show(1, "OTHER") || !w.show(1, "MORE") {
		t.Error("kept for the wrong one")
	}
	w.states(available, reservedState) // H03.FR.10
	w.start()
	w.do(Connected{})
	w.states(available, available)
	if got := w.reserve(5, nil, "CAR", func(q *v201.ReserveNowRequest) { q.ConnectorType = "cCCS2" }); got != "Accepted" {
		t.Error(got)
	}
	w.states(reservedState, reservedState)
	w.ask(&v201.CancelReservationRequest{ReservationId: 3})
	w.states(available, reservedState) // H01.FR.24
}

// A reserved EVSE stays so with a vehicle until the token is shown (G03.FR.09), is of nobody who shows none, and the reservation is used
// with the token, whether a vehicle comes or not (H03.FR.09, FR.10).
func TestAReservationIsUsedOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.reserve(3, new(1), "MINE")
	w.do(Plugged{1})
	w.states(reservedState, available)
	w.effects = nil
	w.do(Presented{EVSE: 1})
	if p, ok := w.permit(1); !ok || p.Allowed {
		t.Error("free for whoever comes")
	}
	w.reserve(3, new(2), "MINE", func(q *v201.ReserveNowRequest) {
		q.GroupIdToken = &v201.IdToken{IdToken: "G", Type: v201.IdTokenCentral}
	})
	w.do(Unplugged{1})
	w.do(Plugged{2})
	w.effects = nil
	w.do(Presented{EVSE: 2})
	if p, ok := w.permit(2); !ok || p.Allowed {
		t.Error("free for whoever comes, where a group may use it")
	}
	w.do(Unplugged{2})
	w.reserve(3, new(1), "MINE")
	w.do(Plugged{1})
	w.show(1, "MINE")
	w.states(occupiedState, available)
	w.do(Unplugged{1})
	w.states(available, available)
	w.reserve(4, new(1), "MINE")
	w.show(1, "MINE")
	w.states(available, available)
	w.wait(5 * time.Minute) // EVConnectionTimeOut
	w.states(available, available)
	if len(w.s.resv) != 0 || !w.show(1, "OTHER") {
		t.Errorf("%v", w.s.resv)
	}
}

// A fault ends the reservation of its EVSE (H01.FR.16); the same id is another reservation from then on (H01.FR.02), if that is possible.
func TestReservationsThatEnd(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.reserve(3, new(1), "MINE")
	if got := w.reserve(3, new(9), "MINE"); got != "Rejected" {
		t.Error(got)
	}
	w.states(reservedState, available)
	w.reserve(3, new(2), "MINE")
	w.states(available, reservedState)
	w.do(Plugged{1})
	if got := w.reserve(3, new(1), "MINE"); got != "Occupied" || len(w.s.resv) != 1 {
		t.Errorf("%s, %v", got, w.s.resv)
	}
	w.do(Fault{2, "E1"})
	got := requests[*v201.ReservationStatusUpdateRequest](w)
	if len(got) != 1 || got[0].ReservationId != 3 || got[0].ReservationUpdateStatus != v201.ReservationUpdateStatusRemoved || len(w.s.resv) != 0 {
		t.Errorf("%+v, %v", got, w.s.resv)
	}
}
