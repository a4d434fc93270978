package journal

import (
	"bytes"
	"testing"
	"time"
)

func TestKeysSortByTime(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	a, b, c := Key(at, 0), Key(at, 1), Key(at.Add(time.Nanosecond), 0)
	if bytes.Compare(a, b) >= 0 || bytes.Compare(b, c) >= 0 {
		t.Errorf("out of order: %x %x %x", a, b, c)
	}
	if got, ok := Time(b); !ok || !got.Equal(at) {
		t.Errorf("%v, %v", got, ok)
	}
	if _, ok := Time([]byte("x")); ok {
		t.Error("a foreign key was read")
	}
	if ex := Excess([][]byte{a, b, c}, 2); len(ex) != 1 || !bytes.Equal(ex[0], a) {
		t.Errorf("excess %x", ex)
	}
}
