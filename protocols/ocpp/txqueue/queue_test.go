package txqueue

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var t0 = time.Unix(1700000000, 0)

func TestInOrderAfterTheCommit(t *testing.T) {
	q := New(Config{}, nil)
	out := q.Step(t0, Online{}, nil)
	out = q.Step(t0, Put{Kind: Start, Action: "A", Tx: "t", Payload: []byte("1"), Token: 7}, out)
	if len(out) != 1 {
		t.Fatalf("%+v: nothing may happen before the commit but the Store", out)
	}
	out = q.Step(t0, Stored{1}, nil)
	if d, ok := out[0].(Durable); !ok || d.Token != 7 {
		t.Fatalf("%+v", out)
	}
	if s, ok := out[1].(Send); !ok || string(s.Item.Payload) != "1" {
		t.Fatalf("%+v", out)
	}
	if !q.Has("t") || !q.Has("") || q.Has("u") {
		t.Error("Has is wrong")
	}
	out = q.Step(t0, Accepted{1, []byte("{}")}, nil)
	if len(out) != 2 || q.Len() != 0 {
		t.Errorf("%+v", out)
	}
}

func TestRefusalsWaitLongerEachTimeAndEnd(t *testing.T) {
	q := New(Config{Attempts: 3, Interval: 10 * time.Second}, []Item{{Seq: 4, Kind: Start, Payload: []byte("a")}, {Seq: 5, Kind: End, Payload: []byte("b")}})
	now, sends, canceled := t0, 0, 0
	var dropped, waits []string
	out := q.Step(now, Online{}, nil)
	for len(out) > 0 {
		var next []Effect
		for _, e := range out {
			switch e := e.(type) {
			case Send:
				sends++
				if e.Item.Seq == 4 {
					next = q.Step(now, Refused{4, "InternalError"}, next)
				} else {
					next = q.Step(now, Accepted{e.Item.Seq, nil}, next)
				}
			case Deadline:
				if e.At.IsZero() {
					canceled++
					continue
				}
				waits = append(waits, e.At.Sub(now).String())
				if got := q.Step(e.At.Add(-time.Millisecond), Tick{}, nil); len(got) > 0 {
					t.Errorf("sent too early: %+v", got)
				}
				now = e.At
				next = q.Step(now, Tick{}, next)
			case Dropped:
				dropped = append(dropped, string(e.Item.Payload))
			}
		}
		out = next
	}
	if canceled != 2 { // or it would be woken for a time that has come, again and again
		t.Errorf("%d deadlines were taken back", canceled)
	}
	if sends != 4 || fmt.Sprint(waits) != "[10s 20s]" || fmt.Sprint(dropped) != "[a]" {
		t.Errorf("%d sends, waits %v, dropped %v", sends, waits, dropped)
	}
}

func TestOnlyUpdatesAreDropped(t *testing.T) {
	q := New(Config{MaxItems: 8}, nil)
	put := func(k Kind) { q.Step(t0, Put{Kind: k, Tx: "t", Payload: []byte{byte(q.next)}}, nil) }
	put(Start)
	for range 7 {
		put(Update)
	}
	put(End)
	put(Start)
	var kept []byte
	for _, e := range q.list {
		kept = append(kept, e.Payload[0])
	}
	if want := []byte{1, 3, 5, 7, 9, 10}; !bytes.Equal(kept, want) {
		t.Errorf("kept %v, want %v", kept, want)
	}
}

// A process that dies at any instant, a link that breaks at any instant and a database that commits late: the CSMS gets
// every message that was acknowledged as durable, in order, and every repeat is the same.
func TestNothingLostDoubledOrReordered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		disk := map[uint64][]byte{}
		type write struct{ Item }
		var uncommitted []write
		seen := map[string][]byte{} // by message, as the CSMS has it
		var order []string
		var flying *Item
		durable := map[uint64]bool{}
		put := uint64(0)
		q := New(Config{}, nil)
		online := false
		act := func(effects []Effect) {
			for _, e := range effects {
				switch e := e.(type) {
				case Store:
					uncommitted = append(uncommitted, write{e.Item})
				case Remove:
					delete(disk, e.Seq)
				case Durable:
					durable[e.Token] = true
				case Send:
					if !online {
						t.Fatal("sent while offline")
					}
					it := e.Item
					flying = &it
				}
			}
		}
		commit := func() {
			if len(uncommitted) > 0 {
				w := uncommitted[0]
				uncommitted = uncommitted[1:]
				disk[w.Seq] = w.Marshal()
				act(q.Step(t0, Stored{w.Seq}, nil))
			}
		}
		arrives := func() { // at the CSMS
			id := fmt.Sprint(flying.Tx)
			if old, ok := seen[id]; ok && !bytes.Equal(old, flying.Payload) {
				t.Fatalf("repeat of %s: %q, then %q", id, old, flying.Payload)
			} else if !ok {
				seen[id] = flying.Payload
				order = append(order, id)
			}
		}
		restart := func() {
			var items []Item
			for seq, b := range disk {
				it, err := Unmarshal(seq, b)
				if err != nil {
					t.Fatal(err)
				}
				items = append(items, it)
			}
			uncommitted, flying, online = nil, nil, false
			n := q.next
			q = New(Config{}, items)
			q.Reserve(n)
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 7).Draw(t, "what") {
			case 0, 1:
				put++
				s := fmt.Sprint(put)
				act(q.Step(t0, Put{Kind: Update, Tx: s, Payload: []byte("online " + s), Offline: []byte("offline " + s), Token: put}, nil))
			case 2, 3:
				commit()
			case 4:
				online = true
				act(q.Step(t0, Online{}, nil))
			case 5:
				online, flying = false, nil
				act(q.Step(t0, Offline{}, nil))
			case 6:
				if flying != nil {
					arrives()
					if rapid.Bool().Draw(t, "answered") {
						seq := flying.Seq
						flying = nil
						act(q.Step(t0, Accepted{seq, nil}, nil))
					}
				}
			case 7:
				restart()
			}
		}
		for len(uncommitted) > 0 {
			commit()
		}
		online = true
		act(q.Step(t0, Online{}, nil))
		for flying != nil {
			arrives()
			seq := flying.Seq
			flying = nil
			act(q.Step(t0, Accepted{seq, nil}, nil))
		}
		last := 0
		for _, id := range order {
			var n int
			fmt.Sscan(id, &n)
			if n <= last {
				t.Fatalf("out of order: %v", order)
			}
			last = n
		}
		for token := range durable {
			if _, ok := seen[fmt.Sprint(token)]; !ok {
				t.Fatalf("message %d was durable and never arrived: %v", token, order)
			}
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	it := Item{Kind: Start, Action: "TransactionEvent", Tx: "x", Payload: []byte("{}")}
	f.Add(it.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		it, err := Unmarshal(1, b)
		if err != nil {
			return
		}
		back, err := Unmarshal(1, it.Marshal())
		if err != nil || back.Action != it.Action || back.Tx != it.Tx || !bytes.Equal(back.Payload, it.Payload) {
			t.Fatalf("%+v became %+v: %v", it, back, err)
		}
	})
}
