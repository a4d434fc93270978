package firmware

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func script(t *testing.T, text string) Hook {
	t.Helper()
	name := filepath.Join(t.TempDir(), "installer")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return Hook{Command: []string{name, "first"}, Time: 2 * time.Second}
}

func TestTheInstallerIsCalledWithoutAShell(t *testing.T) {
	out := filepath.Join(t.TempDir(), "args")
	h := script(t, `printf '%s|' "$@" > `+out+"\nenv >> "+out+"\nexit 0\n")
	t.Setenv("VOLTYARD_SECRET", "hidden")
	if err := h.run(zerolog.Nop(), "install", "/a path/$(id)"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil || !strings.HasPrefix(string(b), "first|install|/a path/$(id)|") || strings.Contains(string(b), "hidden") {
		t.Errorf("%s, %v", b, err)
	}
}

func TestHowTheInstallerEnds(t *testing.T) {
	for text, bad := range map[string]bool{"exit 1": false, "exit 2": true, "kill -9 $$": false} {
		err := script(t, text).run(zerolog.Nop(), "install", "x")
		if err == nil || errors.Is(err, errBad) != bad {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := script(t, "exit 2").run(zerolog.Nop(), "activate", "x"); err == nil || errors.Is(err, errBad) {
		t.Errorf("only install judges an image: %v", err)
	}
	if err := (Hook{Command: []string{"/no/such/installer"}}).run(zerolog.Nop(), "install", "x"); err == nil {
		t.Error("an installer that is not there")
	}
	// One that hangs ends with its children, in time; what it writes is bounded.
	h := script(t, "sleep 1000 &\nyes\n")
	h.Time = 300 * time.Millisecond
	if err := h.run(zerolog.Nop(), "install", "x"); err == nil || !strings.Contains(err.Error(), "not done within") {
		t.Error(err)
	}
}

func TestTheTailIsBounded(t *testing.T) {
	w := &tail{most: 10}
	for range 1000 {
		if _, err := w.Write([]byte("abcdefg")); err != nil {
			t.Fatal(err)
		}
	}
	if string(w.kept) != "efgabcdefg" {
		t.Errorf("%q", w.kept)
	}
}

// A damaged state is none, and never leads out of the folder.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"Phase":"trial","Image":"image-00","Orders":{"CS-A":1},"Starts":1}`))
	f.Add([]byte(`{"Phase":"trial","Image":"../../etc/passwd"}`))
	f.Add([]byte(`{"Phase":"good","Image":".."}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, stateFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := load(dir)
		if err != nil {
			if s.Phase != phaseNone || s.Orders != nil {
				t.Errorf("%+v of a damaged state", s)
			}
			return
		}
		if filepath.Dir(filepath.Join(dir, s.Image)) != filepath.Clean(dir) && s.Image != "" {
			t.Errorf("the image is %q", s.Image)
		}
		if err := s.save(dir); err != nil {
			t.Fatal(err)
		}
		if again, err := load(dir); err != nil || again.Phase != s.Phase || again.Image != s.Image || again.Starts != s.Starts {
			t.Errorf("%+v, %+v, %v", s, again, err)
		}
	})
}
