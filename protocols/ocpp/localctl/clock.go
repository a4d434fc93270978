package localctl

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
)

// What is granted above the fallback ends at a validTo that the station reads off its own clock. So it is written in the station's
// time, and must come in time by the slowest clock that the station may plausibly have:
//
//   - The last timestamp that a station gave with a live message is the least that its clock shows, as messages only get older on
//     their way. That is the estimate; no mean and no guess, and a clock that is set back shows with the next message. Messages that
//     say that they were kept (offline) do not count, nor do notices of a state that may be old by right, unless they tell of a
//     faster clock. A station of OCPP 1.6 that delivers what it kept seems slow until it is done: its leases are short till then.
//   - A station may set its clock by what it is told with BootNotification and Heartbeat, by the CSMS or by us. Where that is
//     earlier than its own time, that is what counts.
//   - When either shows that a profile sent before lasts longer than was believed, Late says until when, and it is sent anew.
//   - A station that has given no timestamp over this connection gets no lease, only up to its fallback, which has no end; it is
//     asked for one. Likewise one whose clock is off by more than clockBound from what it was told, or from ours when it was told
//     nothing: its leases would end before they are renewed, or late.
//   - Our schedules begin a day before the station's present time, so that they hold in a station that lags by hours. When a clock
//     falls back behind their beginning nothing limits the station: it counts as not following until it has taken them anew.
//
// Our own time is that of the monotonic clock, counted from when the machine was made: when the wall clock is set, nothing moves.

const (
	// clockBound is how far a station's clock may be off for leases to make sense: they last 15 minutes and are renewed at half.
	clockBound = 5 * time.Minute
	// farAfter is for how long live timestamps must have been out of bounds for the clock to be reported; kept messages of OCPP 1.6
	// pass in less.
	farAfter = time.Minute
	// askClockEvery is how often a station is asked for a timestamp.
	askClockEvery = time.Minute
	// ageBound is how old a reading may be to tell what the station draws now.
	ageBound = 30 * time.Second
	// steadyFor is for how long, and how well, two timestamps have to agree to be live.
	steadyFor = 5 * time.Second
)

// keyValidTo is the key of the latest end that a profile of ours in the station has, by the station's clock.
const keyValidTo = "valid-to"

// clock is what is known of the station's clock. Durations are its time minus ours.
type clock struct {
	from    time.Time // our time is the wall clock at this moment, and the monotonic one from then on
	known   bool      // a timestamp was heard over this connection
	last    time.Duration
	hasTold bool
	told    time.Duration
	farFrom time.Time // since when timestamps are out of bounds; zero: they are not
	far     bool      // for farAfter already
	asked   time.Time
	latest  time.Time // validTo of the profile that ends last, by the station's clock; zero for none
	sent    time.Time // likewise, of those sent for the present grant
	ends    time.Time // when it was believed to have passed
	starts  time.Time // the latest beginning of a schedule, by the station's clock
	recent  [2]time.Duration
	turned  time.Time     // when recent began
	sample  time.Duration // with which the last ones agree, live or not
	sampled time.Time     // the first of them
}

// ours is our time as the wall clock would show it had it never been set.
func (c *clock) ours(t time.Time) time.Time { return c.from.Round(0).Add(t.Sub(c.from)) }

// told is what the station may set its clock to: what it was told last, or else our wall clock.
func (r *Relay) reference() time.Duration {
	if r.clock.hasTold {
		return r.clock.told
	}
	return r.now.Round(0).Sub(r.clock.ours(r.now))
}

// stationNow is the station's time, as far as it is known.
func (r *Relay) stationNow() time.Time {
	off := r.reference()
	if r.clock.known {
		off = r.clock.last
	}
	return r.clock.ours(r.now).Add(off)
}

// slowest is the least that the station's clock may be ahead of ours.
func (r *Relay) slowest() time.Duration {
	if r.clock.known {
		return min(r.clock.last, r.reference())
	}
	return r.reference()
}

// validTo is the end that has to be written for the station to be done at an instant of ours; zero stays zero.
func (r *Relay) validTo(until time.Time) time.Time {
	if until.IsZero() {
		return until
	}
	return r.clock.ours(until).Add(r.slowest()).Truncate(time.Millisecond)
}

// leasable tells whether the station's clock is known well enough for a profile to end in time.
func (r *Relay) leasable() bool {
	d := r.clock.last - r.reference()
	return r.clock.known && d <= clockBound && d >= -clockBound
}

// sends notes the beginning and the end of a profile that is on its way to the station.
func (r *Relay) sends(start, validTo, until time.Time) {
	c := &r.clock
	if start.After(c.starts) {
		c.starts = start
	}
	if validTo.After(c.sent) {
		c.sent = validTo
	}
	if validTo.After(c.latest) {
		r.lasts(validTo)
	}
	if until.After(c.ends) {
		c.ends = until
	}
}

// lasts remembers the latest end of what the station has.
func (r *Relay) lasts(validTo time.Time) {
	if validTo.Equal(r.clock.latest) {
		return
	}
	r.clock.latest = validTo
	var b []byte
	if !validTo.IsZero() {
		b = []byte(validTo.UTC().Format(time.RFC3339Nano))
	}
	r.saves.put(keyValidTo, b)
}

// settles notes that the station has taken all that the present grant means, and has nothing else any more.
func (r *Relay) settles() {
	c := &r.clock
	c.ends = r.limit.until
	if r.limit.until.IsZero() {
		r.lasts(time.Time{})
		return
	}
	if v := r.validTo(r.limit.until); v.After(c.sent) {
		c.sent = v
	}
	r.lasts(c.sent)
}

// heardTime takes the timestamp of a message of the station. Soft ones may be old by right.
func (r *Relay) heardTime(ts time.Time, soft bool) {
	if ts.IsZero() {
		return
	}
	c := &r.clock
	d := ts.Sub(c.ours(r.now))
	r.freshest(d)
	could := r.leasable()
	off := d - r.reference()
	far := off > clockBound || off < -clockBound
	if soft && (far || c.known && d < c.last) {
		return
	}
	c.known, c.last = true, d
	was := c.far
	switch {
	case !far:
		c.far, c.farFrom = false, time.Time{}
	case c.farFrom.IsZero():
		c.farFrom = r.now
	case r.now.Sub(c.farFrom) >= farAfter && !c.far:
		c.far = true
		r.note(true, "the station's clock is off by %v: it gets no more than its fallback until it is set; let it take its time from the CSMS or from NTP", off.Round(time.Second))
	}
	late := r.late()
	if c.far && !c.starts.IsZero() && ts.Before(c.starts) {
		c.starts = time.Time{}
		r.limit.overAt = r.now
		r.note(true, "the station's clock is behind the beginning of its limits, which do not hold there; its maximum is reserved until it has taken them anew")
		r.seen.report(r)
		r.reinstall()
		return
	}
	r.reckon(late, could)
	if was != c.far {
		r.seen.report(r)
	}
}

// tells notes the time that the station is told.
func (r *Relay) tells(t time.Time) {
	if t.IsZero() {
		return
	}
	c := &r.clock
	could := r.leasable()
	c.hasTold, c.told = true, t.Sub(c.ours(r.now))
	for i := range c.recent { // it may set its clock now; if not, its next message says so
		c.recent[i] = min(c.recent[i], c.told)
	}
	r.reckon(r.late(), could)
}

// reckon sends the grant anew where what is known of the clock makes it another profile.
func (r *Relay) reckon(late, could bool) {
	if late {
		r.unsure()
	}
	if late || could != r.leasable() {
		r.installGrant()
	}
}

// late tells the balancer when what the station has lasts longer than was believed.
func (r *Relay) late() bool {
	c := &r.clock
	if c.latest.IsZero() || !c.known && !c.hasTold {
		return false
	}
	end := r.now.Add(c.latest.Sub(c.ours(r.now)) - r.slowest())
	if !end.After(c.ends.Add(time.Second)) || !end.After(r.now) {
		return false
	}
	c.ends = end
	for _, s := range r.shares {
		if !s.Until.IsZero() && s.Until.Before(end) {
			s.Until, s.Left = end, end.Sub(r.now)
		}
	}
	r.emit(Late{Until: end})
	return true
}

// freshest notes how fast the station's clock was seen to be of late, by which the age of what it says is known. Two messages in a
// row that agree while time passes are live: the clock was set back. What was kept comes faster than it was written.
func (r *Relay) freshest(d time.Duration) {
	c := &r.clock
	if c.sampled.IsZero() || d-c.sample >= steadyFor || c.sample-d >= steadyFor {
		c.sample, c.sampled = d, r.now
	}
	steady := r.now.Sub(c.sampled) >= steadyFor
	switch {
	case c.turned.IsZero() || steady:
		c.recent, c.turned = [2]time.Duration{d, d}, r.now
	case r.now.Sub(c.turned) > clockBound:
		c.recent, c.turned = [2]time.Duration{d, c.recent[0]}, r.now
	default:
		c.recent[0] = max(c.recent[0], d)
	}
}

// age is how old something with this timestamp is, at least; no station is known well enough for more.
func (r *Relay) age(ts time.Time) time.Duration {
	c := &r.clock
	if c.turned.IsZero() {
		return 0
	}
	return max(max(c.recent[0], c.recent[1])-ts.Sub(c.ours(r.now)), 0)
}

// askClock has the station say something with a timestamp.
func (r *Relay) askClock() {
	c := &r.clock
	if c.known || !c.asked.IsZero() && r.now.Sub(c.asked) < askClockEvery {
		return
	}
	c.asked = r.now
	payload := `{"requestedMessage":"StatusNotification","evse":{"id":1,"connectorId":1}}`
	if r.cfg.Version == rpc.V16 {
		payload = `{"requestedMessage":"MeterValues","connectorId":1}`
	}
	r.ask(&r.station, "", false, "TriggerMessage", []byte(payload), nil)
}

// forgetClock is when the station comes or goes: it may begin with another clock.
func (r *Relay) forgetClock() {
	c := &r.clock
	c.known, c.far, c.farFrom, c.asked = false, false, time.Time{}, time.Time{}
}

func (r *Relay) restoreValidTo(b []byte) (err error) {
	if r.clock.latest, err = time.Parse(time.RFC3339Nano, string(b)); err != nil {
		return fmt.Errorf("end of a limit: %w", err)
	}
	return nil
}

// tellsTime reads the time in an answer to BootNotification or Heartbeat.
func (r *Relay) tellsTime(payload []byte) {
	var res struct{ CurrentTime time.Time }
	if json.Unmarshal(payload, &res) == nil {
		r.tells(res.CurrentTime)
	}
}
