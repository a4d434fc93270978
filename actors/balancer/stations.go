package balancer

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
)

// heardStation takes in a report; news tells whether it should be decided upon now, and not with the next decision within a second.
func (b *Balancer) heardStation(now time.Time, r msg.StationReport) (news bool) {
	id := b.place(r.Station)
	s := b.station[id]
	if s == nil {
		id = b.assign(r.Station)
		if s = b.station[id]; s == nil {
			b.env.Metrics.BadInput.WithLabelValues("station", "no_place").Inc()
			return false
		}
	}
	if r.Connected && (!s.seen || !s.report.Connected) {
		b.ledger.Found(id)
	}
	switch {
	case r.Over && !s.report.Over:
		b.ledger.Distrust(id)
		b.tell(now, "station", r.Station, r.Station+" draws more than it accepted; its maximum is reserved")
		b.log.Warn().Str("station", r.Station).Msg("station draws more than it accepted; its maximum is reserved until it follows")
	case !r.Over && s.report.Over:
		b.ledger.Found(id)
	}
	if r.Off != 0 && s.report.Off == 0 {
		b.tell(now, "station", r.Station, fmt.Sprintf("the clock of %s is off by %v; it gets no more than its fallback", r.Station, r.Off))
		b.log.Warn().Str("station", r.Station).Dur("off", r.Off).Msg("the station's clock is off; it gets no more than its fallback until it is set")
	}
	if !r.Connected && s.report.Connected {
		b.ledger.Lost(id)
		b.tell(now, "station", r.Station, r.Station+" cannot be reached; what it may still draw stays reserved")
		b.log.Warn().Str("station", r.Station).Msg("station cannot be reached; what it may still draw stays reserved")
	}
	news = !s.seen || differs(s.report, r)
	s.report, s.heard, s.seen = r, now, true
	return news
}

// flutter is by how much the current of a vehicle that charges evenly goes up and down between two readings.
const flutter = si.Amps(0.25)

// differs tells whether a station's report says more than that time has passed. Each of hundreds of stations reports every few
// seconds; a decision for each would cost a good part of a core.
func differs(was, is msg.StationReport) bool {
	switch {
	case is.Connected != was.Connected, is.Wants != was.Wants, is.Phases != was.Phases, is.State != was.State, is.EVs != was.EVs, is.Over != was.Over,
		(is.Most == nil) != (was.Most == nil), is.Most != nil && *is.Most != *was.Most, (is.Current == nil) != (was.Current == nil):
		return true
	case is.Current == nil:
		return false
	}
	d := is.Current.Sub(*was.Current)
	return d.Highest() >= flutter || d.Lowest() <= -flutter
}

// assign gives a station that is not listed one of the places kept for such.
func (b *Balancer) assign(id string) string {
	if b.cfg.Unlisted == "" {
		return ""
	}
	taken := map[string]bool{}
	for _, p := range b.places {
		taken[p] = true
	}
	for i := range b.tree.EVSEs() {
		p := b.tree.EVSE(i).ID
		if len(p) > len(b.cfg.Unlisted) && p[:len(b.cfg.Unlisted)] == b.cfg.Unlisted && !taken[p] {
			b.places[id] = p
			return p
		}
	}
	return ""
}
