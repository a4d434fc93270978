package station

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// customerInformation reports what is stored about a customer and removes it (N09, N10). The local list stays: only the
// CSMS changes it (N10.FR.02). Nothing is stored by certificate.
func customerInformation(s *Station, q *v201.CustomerInformationRequest) (rpc.Message, error) {
	status := func(st v201.CustomerInformationStatusEnum) (rpc.Message, error) {
		return &v201.CustomerInformationResponse{Status: st}, nil
	}
	given := 0
	for _, has := range []bool{q.IdToken != nil, q.CustomerCertificate != nil, q.CustomerIdentifier != ""} {
		if has {
			given++
		}
	}
	if given != 1 { // N09.FR.09
		return status(v201.CustomerInformationStatusInvalid)
	}
	if !q.Report && !q.Clear { // N09.FR.07, N10.FR.07
		return status(v201.CustomerInformationStatusRejected)
	}
	lines := s.aboutCustomer(q)
	if q.Clear {
		s.forget(q)
	}
	text := "no data found"
	switch {
	case !q.Report: // N10.FR.06
		text = "cleared"
	case len(lines) > 0:
		text = strings.Join(lines, "\n")
	}
	s.then(func() { s.sendCustomer(q.RequestId, text) })
	return status(v201.CustomerInformationStatusAccepted)
}

// ofCustomer tells whether a key of listKey is of the customer asked for.
func ofCustomer(q *v201.CustomerInformationRequest, key string) bool {
	if q.IdToken != nil {
		return key == listKey(*q.IdToken)
	}
	_, id, _ := strings.Cut(key, "/")
	return q.CustomerIdentifier != "" && id == strings.ToLower(q.CustomerIdentifier)
}

func (s *Station) aboutCustomer(q *v201.CustomerInformationRequest) []string {
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(s.cache)) {
		if ofCustomer(q, k) {
			lines = append(lines, fmt.Sprintf("authorization cache: %s %s", k, s.cache[k].Status))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.list.Entries)) {
		if ofCustomer(q, k) {
			lines = append(lines, fmt.Sprintf("local list: %s %s", k, s.list.Entries[k].Status))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.resv)) {
		if ofCustomer(q, s.resv[id].Token) {
			lines = append(lines, fmt.Sprintf("reservation %d at EVSE %d", id, s.resv[id].EVSE))
		}
	}
	for _, e := range s.evses {
		if e.tx != nil && e.token != nil && ofCustomer(q, listKey(*e.token)) {
			lines = append(lines, fmt.Sprintf("transaction %s at EVSE %d", e.tx.ID, e.n))
		}
	}
	for _, e := range s.evses {
		if e.keeps != nil && ofCustomer(q, listKey(e.keeps.Token)) {
			lines = append(lines, fmt.Sprintf("cable locked at EVSE %d until its driver takes it", e.n))
		}
	}
	return lines
}

// forget removes what is not needed for a running transaction, or for giving a cable back (N10.FR.03).
func (s *Station) forget(q *v201.CustomerInformationRequest) {
	for _, k := range slices.Sorted(maps.Keys(s.cache)) {
		if ofCustomer(q, k) {
			delete(s.cache, k)
			s.saves.put(keyCache+k, nil)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.resv)) {
		r := s.resv[id]
		if !ofCustomer(q, r.Token) {
			continue
		}
		s.dropReservation(id)
		s.then(func() {
			s.call(&v201.ReservationStatusUpdateRequest{ReservationId: id, ReservationUpdateStatus: v201.ReservationUpdateStatusRemoved}, nil)
			s.with(r.EVSE, (*Station).statusChanged)
		})
	}
}

// sendCustomer sends text in parts of at most 512 characters.
func (s *Station) sendCustomer(id int, text string) {
	const most = 512
	rest := []rune(text)
	for seq := 0; seq == 0 || len(rest) > 0; seq++ {
		n := min(most, len(rest))
		part := string(rest[:n])
		rest = rest[n:]
		s.call(&v201.NotifyCustomerInformationRequest{Data: part, Tbc: new(len(rest) > 0), SeqNo: seq, GeneratedAt: s.now, RequestId: id}, nil)
	}
}
