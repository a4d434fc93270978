package v16

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/voltyard/voltyard/protocols/ocpp/internal/randmsg"
	"github.com/voltyard/voltyard/protocols/ocpp/internal/wire"
)

// Every message of every action survives encode, decode, encode.
func TestRoundTripOfEveryMessage(t *testing.T) {
	if len(Actions) != 39 {
		t.Errorf("%d actions, want 39", len(Actions))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for name, a := range Actions {
		for _, make := range []func() wire.Message{a.Request, a.Response} {
			if make == nil {
				continue
			}
			for range 20 {
				m, back := make(), make()
				randmsg.Fill(r, m)
				text := m.AppendJSON(nil)
				if err := back.UnmarshalJSON(text); err != nil {
					t.Fatalf("%s: %v in %s", name, err, text)
				}
				if again := back.AppendJSON(nil); !bytes.Equal(text, again) {
					t.Fatalf("%s: %s became %s", name, text, again)
				}
			}
		}
	}
}

// Whatever arrives: no panic, and what is accepted is written so that it is accepted again.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, a := range Actions {
		m := a.Request()
		randmsg.Fill(r, m)
		f.Add(name, m.AppendJSON(nil))
	}
	f.Fuzz(func(t *testing.T, action string, data []byte) {
		a, ok := Actions[action]
		if !ok {
			return
		}
		m, back := a.Request(), a.Request()
		if m.UnmarshalJSON(data) != nil {
			return
		}
		text := m.AppendJSON(nil)
		if err := back.UnmarshalJSON(text); err != nil {
			t.Fatalf("%s was accepted, %s was not: %v", data, text, err)
		}
	})
}
