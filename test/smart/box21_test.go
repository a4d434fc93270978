package smart

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	v21 "github.com/voltyard/voltyard/protocols/ocpp/v21"
)

// What a station of OCPP 2.1 has that one of 2.0.1 has not (part 2, block K): profiles that move, that end when it is offline, that
// begin late by chance, that go before others at the driver's wish, and that add what is generated at the site; ids that it keeps to
// itself, and a pace at which profiles may be set.

// new21 is what a kind of OCPP 2.1 has of that.
type new21 struct {
	most     *int          // MaxExternalConstraintsId
	rate     time.Duration // ChargingProfileUpdateRateLimit
	before   bool          // a PriorityCharging profile was there before the controller
	priority bool          // drivers press the button
}

// more21 is what a box of OCPP 2.1 holds beside its store.
type more21 struct {
	priority profile.Store         // PriorityCharging, as TxDefault
	local    profile.Store         // LocalGeneration, as StationMax
	dynamic  map[int]bool          // ids
	offline  map[int]time.Duration // maxOfflineDuration, by id
	gone     time.Time             // since when it is offline; zero: it is not
	set      time.Time             // when a profile was last set that counts for the pace
}

// press is the driver's button for priority charging.
type press struct{ evse int }

// from21 reads a profile of OCPP 2.1. Delays by chance and times of day of elsewhere are taken as they come.
func (b *box) from21(evse int, c *v21.ChargingProfile) (p profile.Profile, ok bool) {
	p = profile.Profile{ID: c.Id, EVSE: evse, Stack: c.StackLevel, ValidFrom: c.ValidFrom, ValidTo: c.ValidTo, TxID: c.TransactionId}
	switch c.ChargingProfilePurpose {
	case v21.ChargingProfilePurposeTxProfile:
		p.Purpose = profile.Tx
	case v21.ChargingProfilePurposeTxDefaultProfile, v21.ChargingProfilePurposePriorityCharging:
		p.Purpose = profile.TxDefault
	case v21.ChargingProfilePurposeChargingStationMaxProfile, v21.ChargingProfilePurposeLocalGeneration:
		p.Purpose = profile.StationMax
	default:
		return p, false
	}
	switch c.ChargingProfileKind {
	case v21.ChargingProfileKindRelative:
		p.Kind = profile.Relative
	case v21.ChargingProfileKindRecurring:
		p.Kind, p.Recurrence = profile.Recurring, profile.Day
	}
	for i := range c.ChargingSchedule {
		cs := &c.ChargingSchedule[i]
		s := profile.Schedule{ID: cs.Id, Start: cs.StartSchedule}
		if cs.Duration != nil {
			s.Duration = time.Duration(*cs.Duration) * time.Second
		}
		if c.ChargingProfileKind == v21.ChargingProfileKindDynamic {
			s.Start = time.Now().Add(b.skew).Add(-time.Second)
		}
		if cs.UseLocalTime != nil && *cs.UseLocalTime {
			s.Start = s.Start.Add(-2 * time.Hour) // K01.FR.90
		}
		if cs.ChargingRateUnit == v21.ChargingRateUnitW {
			s.Unit = profile.Watts
		}
		for k, q := range cs.ChargingSchedulePeriod {
			per := profile.Period{Start: time.Duration(q.StartPeriod) * time.Second, Limit: float64(b.kind.max)}
			if q.Limit != nil {
				per.Limit = *q.Limit
			}
			if k > 0 && cs.RandomizedDelay != nil && *cs.RandomizedDelay > 0 { // K01.FR.92
				per.Start += time.Duration(b.rng.IntN(*cs.RandomizedDelay)) * time.Second
				per.Start = max(per.Start, s.Periods[k-1].Start+time.Second)
			}
			s.Periods = append(s.Periods, per)
		}
		p.Schedules = append(p.Schedules, s)
	}
	return p, true
}

// set21 takes a profile of OCPP 2.1.
func (b *box) set21(payload []byte) string {
	var q v21.SetChargingProfileRequest
	if q.UnmarshalJSON(payload) != nil {
		return "!"
	}
	c := &q.ChargingProfile
	no := func(why string) string { return `{"status":"Rejected","statusInfo":{"reasonCode":"` + why + `"}}` }
	p, ok := b.from21(q.EvseId, c)
	switch {
	case !ok:
		return no("UnsupportedPurpose")
	case b.kind.most != nil && c.Id <= *b.kind.most:
		return no("InvalidProfileId") // K01.FR.81
	case b.kind.perTx && c.ChargingProfilePurpose == v21.ChargingProfilePurposeChargingStationMaxProfile:
		return no("UnsupportedPurpose")
	}
	if p.Purpose != profile.Tx {
		early := time.Since(b.more.set) < b.kind.rate
		b.more.set = time.Now()
		if early {
			return no("RateLimitExceeded") // K01.FR.56
		}
	}
	var why profile.Reason
	b.changing(func() {
		store := &b.store
		switch c.ChargingProfilePurpose {
		case v21.ChargingProfilePurposePriorityCharging:
			store = &b.more.priority
		case v21.ChargingProfilePurposeLocalGeneration:
			store = &b.more.local
		}
		if _, why = store.Set(p, b.rules(), b.txOf); why != profile.None {
			return
		}
		b.more.dynamic[c.Id] = c.ChargingProfileKind == v21.ChargingProfileKindDynamic
		delete(b.more.offline, c.Id)
		if c.MaxOfflineDuration != nil {
			b.more.offline[c.Id] = time.Duration(*c.MaxOfflineDuration) * time.Second
		}
		b.ups++
	})
	if why != profile.None {
		return no(string(why))
	}
	return `{"status":"Accepted"}`
}

// handle21 answers what only OCPP 2.1 has.
func (b *box) handle21(f rpc.Frame) string {
	switch f.Action {
	case "UpdateDynamicSchedule":
		var q v21.UpdateDynamicScheduleRequest
		if q.UnmarshalJSON(f.Payload) != nil || !b.more.dynamic[q.ChargingProfileId] || q.ScheduleUpdate.Limit == nil {
			return `{"status":"Rejected"}` // K28.FR.11
		}
		b.changing(func() {
			for _, s := range []*profile.Store{&b.store, &b.more.priority, &b.more.local} {
				if p, ok := s.Find(q.ChargingProfileId); ok {
					p.Schedules[0].Periods[0].Limit = *q.ScheduleUpdate.Limit
				}
			}
		})
		return `{"status":"Accepted"}`
	case "UsePriorityCharging":
		var q v21.UsePriorityChargingRequest
		if q.UnmarshalJSON(f.Payload) != nil {
			return "!"
		}
		for i := range b.outlets {
			if b.outlets[i].tx == q.TransactionId && b.outlets[i].tx != "" {
				b.prefer(i+1, q.Activate)
				return `{"status":"Accepted"}`
			}
		}
		return `{"status":"Rejected"}`
	}
	return "!"
}

// prefer has the PriorityCharging profile hold in place of the others of a transaction (K21.FR.04, K22.FR.02).
func (b *box) prefer(evse int, on bool) {
	b.changing(func() { b.outlets[evse-1].priority = on })
}

// allows is what the profiles of outlets allow one of them at t.
func (b *box) allows(evse int, t time.Time) si.Amps {
	o := &b.outlets[evse-1]
	tx := profile.Transaction{ID: o.tx, Began: o.began}
	if o.priority && len(b.more.priority.All()) > 0 {
		l, _ := b.more.priority.At(evse, tx, b.rating(), t)
		return l.Amps
	}
	l, _ := b.own().At(evse, tx, b.rating(), t)
	return l.Amps
}

// generated is what LocalGeneration adds to the limit of the station (K04.FR.05).
func (b *box) generated(t time.Time) si.Amps {
	if len(b.more.local.All()) == 0 {
		return 0
	}
	l, _ := b.more.local.StationAt(b.rating(), t)
	return l.Amps
}

// holding are the profiles that count: some do not while the station is offline (K01.FR.101).
func (b *box) holding() *profile.Store {
	var s profile.Store
	for _, p := range b.store.All() {
		most, has := b.more.offline[p.ID]
		if !has || b.more.gone.IsZero() || time.Since(b.more.gone) <= most {
			s.Restore(p)
		}
	}
	return &s
}

// strange makes a SetChargingProfile of 2.0.1 one that only OCPP 2.1 has.
func strange(rng *rand.Rand, payload []byte) []byte {
	var q map[string]any
	if json.Unmarshal(payload, &q) != nil {
		return payload
	}
	c := q["chargingProfile"].(map[string]any)
	s := c["chargingSchedule"].([]any)[0].(map[string]any)
	switch rng.IntN(7) {
	case 0:
		c["chargingProfileKind"] = "Dynamic"
		delete(c, "recurrencyKind")
		delete(s, "startSchedule")
		s["chargingSchedulePeriod"] = s["chargingSchedulePeriod"].([]any)[:1]
	case 1:
		c["chargingProfilePurpose"] = "PriorityCharging"
		delete(c, "transactionId")
		delete(s, "duration")
	case 2:
		c["chargingProfilePurpose"], q["evseId"] = "LocalGeneration", 0
		delete(c, "transactionId")
	case 3:
		c["maxOfflineDuration"] = rng.IntN(300)
	case 4:
		s["randomizedDelay"] = 1 + rng.IntN(300)
	case 5:
		s["useLocalTime"] = true
	}
	b, err := json.Marshal(q)
	if err != nil {
		return payload
	}
	return b
}

// variables answers what the controller asks for.
func (b *box) variables(payload []byte) string {
	var q v21.GetVariablesRequest
	if q.UnmarshalJSON(payload) != nil {
		return "!"
	}
	var res v21.GetVariablesResponse
	for _, d := range q.GetVariableData {
		r := v21.GetVariableResult{Component: d.Component, Variable: d.Variable, AttributeStatus: v21.GetVariableStatusUnknownVariable}
		value := ""
		switch d.Variable.Name {
		case "ProfileStackLevel":
			if b.kind.tells {
				value = strconv.Itoa(b.kind.levels - 1)
			}
		case "MaxExternalConstraintsId":
			if b.kind.most != nil {
				value = strconv.Itoa(*b.kind.most)
			}
		case "ChargingProfileUpdateRateLimit":
			if b.kind.rate > 0 {
				value = strconv.Itoa(int(b.kind.rate / time.Second))
			}
		}
		if value != "" {
			r.AttributeStatus, r.AttributeValue = v21.GetVariableStatusAccepted, value
		}
		res.GetVariableResult = append(res.GetVariableResult, r)
	}
	return string(res.AppendJSON(nil))
}
