package building

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/site/plan"
)

// evseState remembers what is costly to write as text.
type evseState struct {
	steps     []msg.StepView
	estimates []plan.Estimate
	published bool
}

// publishEVSE publishes what has changed about an own EVSE.
func (b *Building) publishEVSE(e *msg.EVSEView) {
	put := func(name, value string) { b.retain(b.topics.EVSE(e.ID, name), value) }
	state := "ready"
	switch e.State {
	case "unreachable":
		state = "lost"
	case "faulted":
		state = "alert"
	}
	put("$state", state)
	put("status", e.State)
	put("connected", strconv.FormatBool(e.Since != nil))
	put("power", watts(e.Power))
	phases(put, "current", e.Current)
	put("limit_current", number(float64(e.Limit), 1))
	put("limit_power", watts(e.LimitW))
	put("setpoint_power", watts(e.Setpoint))
	put("energy_session", number(float64(e.Energy), 0))
	put("protocol", string(e.Protocol))
	put("vehicle", e.Vehicle)
	put("limited_by", e.LimitedBy)
	put("phases", strconv.Itoa(e.Phases))
	put("rotation", e.Rotation)
	put("priority", strconv.Itoa(e.Priority))
	put("pause", strconv.FormatBool(e.Paused))
	soc, departure, target := "", "", ""
	if e.SoC != nil {
		soc = number(float64(*e.SoC), 0)
	}
	if e.Departure != nil {
		departure = e.Departure.UTC().Format(time.RFC3339)
	}
	if e.Target != nil {
		target = number(float64(*e.Target), 0)
	}
	put("soc", soc)
	put("departure", departure)
	put("target_energy", target)
	b.planOf(e)
}

// planOf publishes plan and estimates of an EVSE when there are new ones. Both slices are never changed once published.
func (b *Building) planOf(e *msg.EVSEView) {
	s := b.evseOf[e.ID]
	if s == nil {
		s = &evseState{}
		b.evseOf[e.ID] = s
	}
	if !s.published || !sameSlice(s.steps, e.Plan) {
		if text, err := json.Marshal(append([]msg.StepView{}, e.Plan...)); err == nil {
			b.retain(b.topics.Plan("evse/"+e.ID), string(text))
		}
	}
	if !s.published || !sameSlice(s.estimates, e.Estimates) {
		text := []byte{}
		if len(e.Estimates) > 0 {
			text, _ = json.Marshal(e.Estimates) // finite numbers
		}
		b.retain(b.topics.EVSE(e.ID, "estimates"), string(text))
	}
	s.steps, s.estimates, s.published = e.Plan, e.Estimates, true
}

// sameSlice reports whether two slices are the same one.
func sameSlice[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// publishAhead publishes the plan of the whole site, and what it offers, when there are new ones.
func (b *Building) publishAhead(v *msg.SiteView) {
	if v.Flex != nil && b.offered != any(v.Flex) {
		b.offered = v.Flex
		if text, err := json.Marshal(v.Flex); err == nil {
			b.retain(b.topics.Flexibility(), string(text))
		}
	}
	if v.Plan == nil || b.planned != nil && b.planned.Made.Equal(v.Plan.Made) && b.planned.Fresh == v.Plan.Fresh {
		return
	}
	b.planned = v.Plan
	if text, err := json.Marshal(struct {
		*msg.PlanView
		Steps []msg.StepView `json:"steps"`
	}{v.Plan, total(v.EVSEs)}); err == nil {
		b.retain(b.topics.Plan("power"), string(text))
	}
}

// total adds the plans of all EVSEs up.
func total(evses []msg.EVSEView) []msg.StepView {
	out := []msg.StepView{}
	var at time.Time
	for {
		next := time.Time{}
		for i := range evses {
			for _, s := range evses[i].Plan {
				if s.From.After(at) && (next.IsZero() || s.From.Before(next)) {
					next = s.From
				}
			}
		}
		if next.IsZero() {
			return out
		}
		at = next
		sum := msg.StepView{From: at}
		for i := range evses {
			last := msg.StepView{}
			for _, s := range evses[i].Plan {
				if !s.From.After(at) {
					last = s
				}
			}
			sum.Power += last.Power
		}
		out = append(out, sum)
	}
}

// rediscover publishes everything that Home Assistant must hear to begin.
func (b *Building) rediscover() {
	for topic, value := range b.sent {
		if strings.HasPrefix(topic, b.discovery+"/") {
			b.client.Publish(topic, 1, true, []byte(value))
		}
	}
}
