package limits

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func watts(w si.Watts) *si.Watts { return &w }

func book(t *testing.T, sources ...Source) *Book {
	t.Helper()
	b, err := NewBook(t0, "root", func(n string) bool { return n == "root" || n == "hall" }, sources...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rootImport(b *Book) string {
	for _, e := range b.Effective() {
		if e.Node == "root" && e.ImportW != nil {
			return fmt.Sprintf("%.0f %s/%s", e.ImportW.Value, e.ImportW.Source, e.ImportW.ID)
		}
	}
	return "free"
}

func TestRefusals(t *testing.T) {
	phases := si.Phases{1, 2, si.Amps(math.NaN())}
	for _, c := range []struct {
		want Code
		l    Limit
	}{
		{Retained, Limit{Source: "dso", ID: "a", Retained: true, Values: Values{ImportW: watts(1)}}},
		{UnknownSource, Limit{Source: "who", ID: "a", Values: Values{ImportW: watts(1)}}},
		{NoID, Limit{Source: "dso", Values: Values{ImportW: watts(1)}}},
		{UnknownNode, Limit{Source: "dso", ID: "a", Node: "attic", Values: Values{ImportW: watts(1)}}},
		{NoValue, Limit{Source: "dso", ID: "a"}},
		{Negative, Limit{Source: "dso", ID: "a", Values: Values{ImportW: watts(-1)}}},
		{Negative, Limit{Source: "dso", ID: "a", Values: Values{ExportW: watts(-1)}}},
		{Negative, Limit{Source: "dso", ID: "a", Values: Values{CurrentA: &si.Phases{1, -1, 1}}}},
		{Negative, Limit{Source: "dso", ID: "a", Validity: -time.Second, Values: Values{ImportW: watts(1)}}},
		{NotFinite, Limit{Source: "dso", ID: "a", Values: Values{ImportW: watts(si.Watts(math.NaN()))}}},
		{NotFinite, Limit{Source: "dso", ID: "a", Values: Values{CurrentA: &phases}}},
		{Expired, Limit{Source: "dso", ID: "a", Issued: t0.Add(-time.Minute), Validity: time.Minute, Values: Values{ImportW: watts(1)}}},
		{FromFuture, Limit{Source: "dso", ID: "a", Issued: t0.Add(time.Hour), Values: Values{ImportW: watts(1)}}},
	} {
		b := book(t, Source{Name: "dso"})
		err := b.Apply(t0, c.l)
		var r *Refusal
		if !errors.As(err, &r) || r.Code != c.want {
			t.Errorf("want %s, got %v", c.want, err)
		}
		if got := rootImport(b); got != "free" {
			t.Errorf("%s: a refused limit is in force: %s", c.want, got)
		}
	}
}

func TestZeroIsALimitAndTheSmallestWins(t *testing.T) {
	b := book(t, Source{Name: "dso"}, Source{Name: "bems"})
	must(t, b.Apply(t0, Limit{Source: "dso", ID: "a", Values: Values{ImportW: watts(5000)}}))
	must(t, b.Apply(t0, Limit{Source: "bems", ID: "b", Values: Values{ImportW: watts(0)}}))
	if got := rootImport(b); got != "0 bems/b" {
		t.Fatal(got)
	}
	must(t, b.Release(t0.Add(time.Second), "bems", "b", time.Time{}, false))
	if got := rootImport(b); got != "5000 dso/a" {
		t.Fatal(got)
	}
}

func TestExpiryLeadsToTheFailsafe(t *testing.T) {
	b := book(t, Source{Name: "dso", Failsafe: Values{ImportW: watts(4200)}})
	must(t, b.Apply(t0, Limit{Source: "dso", ID: "a", Issued: t0, Validity: time.Minute, Values: Values{ImportW: watts(9000)}}))
	if _, next := b.Expire(t0); !next.Equal(t0.Add(time.Minute)) {
		t.Fatal("next", next)
	}
	if ch, _ := b.Expire(t0.Add(time.Minute)); !ch || rootImport(b) != "4200 dso/failsafe" {
		t.Fatal(ch, rootImport(b))
	}
	must(t, b.Apply(t0.Add(2*time.Minute), Limit{Source: "dso", ID: "a", Issued: t0.Add(2 * time.Minute), Values: Values{ImportW: watts(9000)}}))
	if rootImport(b) != "9000 dso/a" {
		t.Fatal(rootImport(b))
	}
	var r *Refusal
	if err := b.Release(t0.Add(3*time.Minute), "dso", "a", t0.Add(time.Minute), false); !errors.As(err, &r) || r.Code != OutOfOrder {
		t.Fatal(err)
	}
}

func TestSilenceLeadsToTheFailsafe(t *testing.T) {
	b := book(t, Source{Name: "dso", Failsafe: Values{ImportW: watts(4200)}, Silence: 2 * time.Minute})
	if b.Expire(t0.Add(time.Minute)); rootImport(b) != "free" {
		t.Fatal(rootImport(b))
	}
	if b.Expire(t0.Add(2 * time.Minute)); rootImport(b) != "4200 dso/failsafe" {
		t.Fatal(rootImport(b))
	}
	must(t, b.Heartbeat(t0.Add(3*time.Minute), "dso"))
	if rootImport(b) != "free" {
		t.Fatal(rootImport(b))
	}
}

func TestTheBookIsBounded(t *testing.T) {
	b := book(t, Source{Name: "dso"})
	for i := range 10 * MaxPerSource {
		at := t0.Add(time.Duration(i) * time.Second)
		_ = b.Apply(at, Limit{Source: "dso", ID: fmt.Sprint(i), Issued: at, Values: Values{ImportW: watts(1)}})
		_ = b.Release(at.Add(time.Millisecond), "dso", fmt.Sprint(i), at.Add(time.Millisecond), false)
	}
	if s := b.sources["dso"]; len(s.seen) > MaxPerSource || len(s.held) > MaxPerSource {
		t.Fatal(len(s.seen), len(s.held))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A grid operator dims the site to 4.2 kW for a minute; when nothing follows, its failsafe holds.
func ExampleBook() {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	failsafe, dim := si.Watts(10000), si.Watts(4200)
	b, _ := NewBook(now, "grid", func(n string) bool { return n == "grid" },
		Source{Name: "dso", Failsafe: Values{ImportW: &failsafe}})

	err := b.Apply(now, Limit{Source: "dso", ID: "7", Issued: now, Validity: time.Minute, Values: Values{ImportW: &dim}})
	_, next := b.Expire(now)
	fmt.Println(err, next.Sub(now), b.Effective()[0].ImportW.Value)

	changed, _ := b.Expire(next)
	fmt.Println(changed, b.Effective()[0].ImportW.Value, b.Effective()[0].ImportW.ID)

	err = b.Apply(next, Limit{Source: "dso", ID: "8", Retained: true, Values: Values{ImportW: &dim}})
	var refused *Refusal
	if errors.As(err, &refused) {
		fmt.Println(refused.Code)
	}
	// Output:
	// <nil> 1m0s 4200
	// true 10000 failsafe
	// retained
}
