package fileinput

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/voltyard/voltyard/hal/haltest"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "value")
	for _, c := range []struct {
		text         string
		invert, want bool
		bad          bool
	}{{"1\n", false, true, false}, {"0\n", false, false, false}, {"1", true, false, false}, {"0\n", true, true, false}, {"", false, false, true}, {"on", false, false, true}} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := New(path, c.invert).Read(t.Context())
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
	}
	if _, err := New(path+"x", false).Read(t.Context()); err == nil {
		t.Error("a missing file was read")
	}
}

func TestConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "value")
	haltest.Input(t, New(path, false), func(closed bool) {
		text := "0\n"
		if closed {
			text = "1\n"
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}, func() { _ = os.Remove(path) })
}
