package evse

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/lease"
)

// permit is what the EVSE may let its vehicle draw now.
type permit struct {
	Amps   si.Amps // per phase in use
	Watts  si.Watts
	Phases int
	Open   bool // not even the floor: the contactor opens
}

// floor is what the EVSE may keep when the balancer is silent, and for how long.
type floor struct {
	Amps  si.Amps
	Watts si.Watts
	For   time.Duration
}

// holder keeps the last grant. Silence never raises what it permits.
type holder struct {
	floor floor
	grant lease.Grant
}

// take accepts a grant that is newer than the last and not over yet.
func (h *holder) take(g lease.Grant, now time.Time) bool {
	if g.Seq <= h.grant.Seq || (!g.Until.IsZero() && !now.Before(g.Until)) {
		return false
	}
	h.grant = g
	return true
}

// permit returns what is allowed at now.
func (h *holder) permit(now time.Time) permit {
	g := h.grant
	if g.Seq == 0 {
		return permit{Open: true}
	}
	p := permit{Amps: lowest(g.Import, g.Phases), Watts: g.ImportW, Phases: g.Phases}
	switch late := now.Sub(g.Until); {
	case g.Until.IsZero() || late < 0:
	case late < h.floor.For:
		p.Amps, p.Watts = min(p.Amps, h.floor.Amps), min(p.Watts, h.floor.Watts)
	default:
		p = permit{Open: true}
	}
	return p
}

// next is when the permit changes by itself; zero for never.
func (h *holder) next(now time.Time) time.Time {
	for _, t := range []time.Time{h.grant.Until, h.grant.Until.Add(h.floor.For)} {
		if !h.grant.Until.IsZero() && t.After(now) {
			return t
		}
	}
	return time.Time{}
}

// lowest is the smallest current among the phases in use; a vehicle is told one value for all of them.
func lowest(c si.Phases, phases int) si.Amps {
	switch {
	case phases <= 0:
		return 0
	case phases == 1:
		return c[0]
	}
	return c.Lowest()
}
