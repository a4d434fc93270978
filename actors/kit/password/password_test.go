package password

import (
	"context"
	"strings"
	"testing"
)

const secret = "sixteen-letters!"

func TestHashes(t *testing.T) {
	h, err := Hash(secret)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Hash(secret)
	if err != nil || h == again || strings.Contains(h, secret) {
		t.Errorf("%s and %s, %v: not salted", h, again, err)
	}
	if !IsHash(h) || IsHash(secret) || Check(h) != nil || Check(secret) != nil {
		t.Error("a hash is not told from a password")
	}
	if Check("$2a$10$short") == nil {
		t.Error("a damaged hash passes")
	}
	for _, bad := range []string{"", "short", strings.Repeat("x", 41)} {
		if _, err := Hash(bad); err == nil {
			t.Errorf("hashed %q", bad)
		}
	}
}

func TestVerifier(t *testing.T) {
	h, err := Hash(secret)
	if err != nil {
		t.Fatal(err)
	}
	v := NewVerifier()
	ctx := context.Background()
	for range 2 { // the second time it is remembered
		for _, c := range []struct {
			station, stored, shown string
			want                   bool
		}{
			{"a", h, secret, true},
			{"b", h, secret + "x", false},
			{"a", h, "", false},
			{"a", h, strings.Repeat("x", 100), false},
			{"c", "plain-password-16", "plain-password-16", true},
			{"c", "plain-password-16", "plain-password-17", false},
		} {
			if got := v.Right(ctx, c.station, c.stored, c.shown); got != c.want {
				t.Errorf("%s shows %q: %t", c.station, c.shown, got)
			}
		}
	}
	if len(v.known) != 1 {
		t.Errorf("%d are remembered, want 1", len(v.known))
	}
	other, err := Hash("another-password")
	if err != nil {
		t.Fatal(err)
	}
	if v.Right(ctx, "a", other, secret) {
		t.Error("the old password passes for the new hash")
	}
	// What is remembered needs no slot; what is not, waits for one until it must give up.
	v.slots <- struct{}{}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if !v.Right(gone, "a", h, secret) {
		t.Error("what is remembered had to wait")
	}
	if v.Right(gone, "b", h, secret) {
		t.Error("it did not wait for a slot")
	}
}
