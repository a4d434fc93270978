package profile

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var t0 = time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC)

var rules = Rules{EVSEs: 2, MaxStack: 10, PhaseSwitch: true}

func noTx(int) string { return "" }

func flat(id, evse, stack int, purpose Purpose, limit float64) Profile {
	return Profile{ID: id, EVSE: evse, Stack: stack, Purpose: purpose,
		Schedules: []Schedule{{ID: id, Start: t0.Add(-time.Hour), Periods: []Period{{Limit: limit}}}}}
}

func set(t *testing.T, s *Store, p Profile, want Reason) {
	t.Helper()
	if _, got := s.Set(p, rules, func(evse int) string { return map[int]string{1: "tx1"}[evse] }); got != want {
		t.Fatalf("profile %d: %q, want %q", p.ID, got, want)
	}
}

func TestRulesForSetting(t *testing.T) {
	var s Store
	set(t, &s, flat(1, 0, 0, TxDefault, 16), None)
	set(t, &s, flat(1, 0, 0, TxDefault, 10), None)             // same id replaces, K01.FR.05
	set(t, &s, flat(2, 1, 0, TxDefault, 10), DuplicateProfile) // K01.FR.53
	set(t, &s, flat(2, 1, 1, TxDefault, 10), None)
	set(t, &s, flat(3, 0, 1, TxDefault, 10), DuplicateProfile) // K01.FR.52
	set(t, &s, flat(3, 3, 0, TxDefault, 10), UnknownEVSE)      // K01.FR.28
	set(t, &s, flat(3, 1, 0, StationMax, 10), InvalidProfile)  // K04.FR.03
	set(t, &s, flat(3, 0, 11, StationMax, 10), InvalidStackLevel)
	set(t, &s, flat(3, 0, 0, External, 10), InvalidProfile) // K01.FR.22
	tx := flat(4, 1, 0, Tx, 9)
	set(t, &s, tx, InvalidProfile) // no transaction named
	tx.TxID = "other"
	set(t, &s, tx, UnknownTransaction) // K01.FR.33
	tx.TxID = "tx1"
	set(t, &s, tx, None)
	other := tx
	other.ID = 5
	set(t, &s, other, DuplicateProfile) // K01.FR.39
	tx.EVSE = 0
	set(t, &s, tx, InvalidProfile) // K01.FR.16
	a, b := flat(6, 0, 5, StationMax, 9), flat(7, 0, 5, StationMax, 9)
	a.ValidTo, b.ValidFrom = t0, t0
	set(t, &s, a, None)
	set(t, &s, b, None) // not at the same time, K01.FR.06
	b.ID, b.ValidFrom = 8, t0.Add(-time.Second)
	set(t, &s, b, DuplicateProfile)
	rel := flat(9, 1, 3, TxDefault, 9)
	rel.Kind = Relative
	set(t, &s, rel, InvalidSchedule) // has a start, K01.FR.41
	rel.Schedules[0].Start = time.Time{}
	set(t, &s, rel, None)
	bad := flat(10, 1, 4, TxDefault, 9)
	bad.Schedules[0].Periods = []Period{{Start: time.Second, Limit: 1}}
	set(t, &s, bad, InvalidSchedule) // K01.FR.31
	bad.Schedules[0].Periods = []Period{{Limit: 1, Phases: 3, PhaseToUse: 1}}
	set(t, &s, bad, InvalidSchedule) // K01.FR.19
	if ids := s.EndTransaction(1); !slices.Equal(ids, []int{4}) {
		t.Errorf("the end of the transaction removed %v", ids)
	}
	purpose := StationMax
	if ids := s.Clear(Filter{Purpose: &purpose}); len(ids) != 2 {
		t.Errorf("cleared %v", ids)
	}
	if ids := s.Clear(Filter{IDs: []int{77}}); ids != nil {
		t.Errorf("cleared %v, want none", ids)
	}
}

func TestExternalProfilesSurviveClear(t *testing.T) {
	var s Store
	r := rules
	r.External = true
	if _, reason := s.Set(flat(-1, 0, 0, External, 10), r, noTx); reason != None {
		t.Fatal(reason)
	}
	if ids := s.Clear(Filter{}); ids != nil {
		t.Errorf("cleared %v", ids) // K10.FR.08
	}
	set(t, &s, flat(-1, 0, 0, StationMax, 10), InvalidProfile) // K01.FR.05
	if ids := s.ClearExternal(-1); len(ids) != 1 {
		t.Errorf("cleared %v", ids)
	}
}

func TestCompositeByHand(t *testing.T) {
	var s Store
	r := Rating{Phases: 3, Volts: 230, Max: 32}
	max := flat(1, 0, 9, StationMax, 25)
	max.ValidTo = t0.Add(15 * time.Minute)
	set(t, &s, max, None)
	set(t, &s, flat(2, 0, 8, StationMax, 6), None) // the fallback a level lower
	daily := flat(3, 0, 1, TxDefault, 20)
	daily.Kind, daily.Recurrence = Recurring, Day
	daily.Schedules[0].Start = t0.Add(-3 * Day)
	daily.Schedules[0].Duration = time.Hour // at 10:00 each day, else nothing
	daily.Schedules[0].Periods = []Period{{Limit: 20}, {Start: 10 * time.Minute, Limit: 13.8e3 / 230, Phases: 1}}
	set(t, &s, daily, None)
	watts := flat(4, 1, 2, TxDefault, 6900) // 10 A on three phases
	watts.Schedules[0].Unit = Watts
	watts.Schedules[0].Start = t0.Add(5 * time.Minute)
	watts.Schedules[0].Duration = 2 * time.Minute
	set(t, &s, watts, None)
	got := s.Composite(EVSE{Number: 1, Rating: r}, t0, time.Hour)
	type piece struct {
		at     time.Duration
		amps   float64
		phases int
	}
	want := []piece{{0, 20, 3}, {5 * time.Minute, 10, 3}, {7 * time.Minute, 20, 3}, {10 * time.Minute, 25, 1}, {15 * time.Minute, 6, 1}}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i, w := range want {
		if g := got[i]; g.Start != w.at || float64(g.Limit.Amps) != w.amps || g.Limit.Phases != w.phases {
			t.Errorf("piece %d: %+v, want %+v", i, g, w)
		}
	}
	all := s.StationComposite(Rating{Volts: 230, Max: 63}, []EVSE{{1, r, Transaction{}}, {2, r, Transaction{}}}, t0, time.Second)
	if len(all) != 1 || all[0].Limit.Amps != 25 || all[0].Limit.Watts != 25*230*3 {
		t.Errorf("station: %+v", all)
	}
}

func TestTransactionProfileReplacesTheDefaultWhileItLasts(t *testing.T) {
	var s Store
	set(t, &s, flat(1, 0, 0, TxDefault, 6), None)
	p := flat(2, 1, 0, Tx, 30)
	p.TxID, p.Kind = "tx1", Relative
	p.Schedules[0].Start, p.Schedules[0].Duration = time.Time{}, time.Minute
	set(t, &s, p, None)
	r := Rating{Max: 32}
	for off, want := range map[time.Duration]float64{0: 30, 59 * time.Second: 30, time.Minute: 6} {
		if l, _ := s.At(1, Transaction{"tx1", t0}, r, t0.Add(off)); float64(l.Amps) != want { // K02.FR.04, K02.FR.08
			t.Errorf("%v: %v, want %v", off, l.Amps, want)
		}
	}
	if l, _ := s.At(1, Transaction{"tx2", t0}, r, t0); l.Amps != 6 {
		t.Errorf("another transaction gets %v", l.Amps)
	}
}

// slow is the definition, second by second, without any notion of change.
func slow(list []Profile, evse int, tx Transaction, max float64, t time.Time) float64 {
	out := max
	top := func(purpose Purpose, evses ...int) (float64, bool) {
		best, limit := -1, 0.0
		for _, p := range list {
			if p.Purpose != purpose || !slices.Contains(evses, p.EVSE) || p.Stack <= best || purpose == Tx && p.TxID != tx.ID {
				continue
			}
			if !p.ValidFrom.IsZero() && t.Before(p.ValidFrom) || !p.ValidTo.IsZero() && !t.Before(p.ValidTo) {
				continue
			}
			sch := p.Schedules[0]
			from := sch.Start
			if p.Kind == Relative {
				from = tx.Began
			}
			off := t.Sub(from)
			if off < 0 {
				continue
			}
			if p.Kind == Recurring {
				off %= p.Recurrence
			}
			if sch.Duration > 0 && off >= sch.Duration {
				continue
			}
			for _, q := range sch.Periods {
				if off >= q.Start {
					limit = q.Limit
				}
			}
			best = p.Stack
		}
		return limit, best >= 0
	}
	if l, ok := top(Tx, evse); ok && tx.ID != "" {
		out = min(out, l)
	} else if l, ok := top(TxDefault, 0, evse); ok {
		out = min(out, l)
	}
	for _, x := range []struct { // K08.FR.04: of each purpose the leading one, and of those the lowest
		purpose Purpose
		evse    int
	}{{StationMax, 0}, {External, 0}, {External, evse}} {
		if l, ok := top(x.purpose, x.evse); ok {
			out = min(out, l)
		}
	}
	return out
}

func TestCompositeAgreesWithTheDefinition(t *testing.T) {
	const span = 3 * time.Hour
	rapid.Check(t, func(t *rapid.T) {
		var s Store
		mins := func(name string, lo, hi int) time.Duration {
			return time.Duration(rapid.IntRange(lo, hi).Draw(t, name)) * 7 * time.Minute
		}
		for id := range rapid.IntRange(0, 8).Draw(t, "n") {
			p := Profile{ID: id, Stack: rapid.IntRange(0, 3).Draw(t, "stack"),
				Purpose: rapid.SampledFrom([]Purpose{StationMax, TxDefault, Tx, External}).Draw(t, "purpose"),
				Kind:    rapid.SampledFrom([]Kind{Absolute, Recurring, Relative}).Draw(t, "kind")}
			switch p.Purpose {
			case TxDefault:
				p.EVSE = rapid.IntRange(0, 2).Draw(t, "evse")
			case External: // what comes from outside knows no transactions
				p.EVSE, p.Kind = rapid.IntRange(0, 2).Draw(t, "evse"), Absolute
			case Tx:
				p.EVSE, p.TxID = 1, "tx1"
			}
			if rapid.Bool().Draw(t, "from") {
				p.ValidFrom = t0.Add(mins("validFrom", -9, 20))
			}
			if rapid.Bool().Draw(t, "to") {
				p.ValidTo = t0.Add(mins("validTo", -9, 30))
			}
			sch := Schedule{Periods: []Period{{Limit: float64(rapid.IntRange(0, 40).Draw(t, "limit"))}}}
			for range rapid.IntRange(0, 3).Draw(t, "periods") {
				last := sch.Periods[len(sch.Periods)-1].Start
				sch.Periods = append(sch.Periods, Period{Start: last + mins("start", 1, 5), Limit: float64(rapid.IntRange(0, 40).Draw(t, "limit"))})
			}
			if rapid.Bool().Draw(t, "ends") {
				sch.Duration = mins("duration", 1, 12)
			}
			if p.Kind != Relative {
				sch.Start = t0.Add(mins("begin", -300, 20))
			}
			if p.Kind == Recurring {
				p.Recurrence = Day
			}
			p.Schedules = []Schedule{sch}
			all := rules
			all.External = true
			s.Set(p, all, func(int) string { return "tx1" })
		}
		tx := Transaction{ID: "tx1", Began: t0.Add(mins("began", -10, 0))}
		if rapid.Bool().Draw(t, "no transaction") {
			tx.ID = ""
		}
		pieces := s.Composite(EVSE{1, Rating{Max: 32}, tx}, t0, span)
		i := 0
		for off := time.Duration(0); off < span; off += 30 * time.Second {
			for i+1 < len(pieces) && pieces[i+1].Start <= off {
				i++
			}
			want := slow(s.list, 1, tx, 32, t0.Add(off))
			if got := float64(pieces[i].Limit.Amps); got != want {
				t.Fatalf("after %v: %v A, want %v A; %+v", off, got, want, s.list)
			}
		}
	})
}

func TestConversionsKeepEverything(t *testing.T) {
	p := flat(1, 1, 2, Tx, 10.5)
	p.TxID, p.Kind, p.Recurrence, p.ValidFrom, p.ValidTo = "x", Recurring, Week, t0, t0.Add(time.Hour)
	p.Schedules[0].Duration, p.Schedules[0].Unit, p.Schedules[0].MinRate = time.Hour, Watts, 5
	p.Schedules[0].Periods = append(p.Schedules[0].Periods, Period{Start: time.Minute, Limit: 3, Phases: 1, PhaseToUse: 2})
	c := To201(&p)
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	back := From201(1, &c)
	c2 := To201(&back)
	if a, b := string(c.AppendJSON(nil)), string(c2.AppendJSON(nil)); a != b {
		t.Errorf("%s became %s", a, b)
	}
	old := To16(&p)
	if err := old.Check(); err != nil {
		t.Error(err)
	}
}
