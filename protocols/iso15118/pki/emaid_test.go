package pki_test

import (
	"testing"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"pgregory.net/rapid"
)

func TestEMAID(t *testing.T) {
	for in, want := range map[string]string{
		"DE-8AA-CA1B2C3D4-N": "DE8AACA1B2C3D4N",
		"de8aaca1b2c3d4":     "DE8AACA1B2C3D4",
		"DE8AACA1B2C3D4N":    "DE8AACA1B2C3D4N",
		"DE8AACA1B2C3D":      "", // too short
		"DE8AACA1B2C3D4NN":   "", // too long
		"128AACA1B2C3D4":     "", // the country is letters
		"DE8AACA1B2C3 4":     "",
		"DE8AACA1B2C3Ö":      "",
		"":                   "",
		"------------------------------------DE8AACA1B2C3D4": "",
	} {
		if got := pki.NormalEMAID(in); got != want {
			t.Errorf("NormalEMAID(%q) = %q, want %q", in, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"DE-8AA-CA1B2C3D4", "de8aaca1b2c3d4", true},
		{"DE8AACA1B2C3D4N", "DE8AACA1B2C3D4", true},
		{"DE8AACA1B2C3D4N", "DE8AACA1B2C3D4M", false},
		{"DE8AACA1B2C3D4", "DE8AACA1B2C3D5", false},
		{"", "", false},
		{"x", "x", false},
	} {
		if got := pki.SameEMAID(c.a, c.b); got != c.want {
			t.Errorf("SameEMAID(%q, %q) = %t", c.a, c.b, got)
		}
	}
	if got := pki.FormatEMAID("de8aaca1b2c3d4n"); got != "DE-8AA-CA1B2C3D4-N" {
		t.Error(got)
	}
	if got := pki.FormatEMAID("DE8AACA1B2C3D4"); got != "DE-8AA-CA1B2C3D4" {
		t.Error(got)
	}
	if got := pki.FormatEMAID("x"); got != "x" {
		t.Error(got)
	}
}

// Published pairs of identifier and check character.
func TestCheckCharacter(t *testing.T) {
	for id, want := range map[string]byte{
		"NN123ABCDEFGHI": 'T',
		"FRXYZ123456789": '2',
		"ITA1B2C3E4F5G6": '4',
		"ESZU8WOX834H1D": 'R',
		"PT73902837ABCZ": 'Z',
		"DE83DUIEN83QGZ": 'D',
		"DE83DUIEN83ZGQ": 'M',
		"DE8AA001234567": '0',
		"NLTNM000122045": 'U',
		"NLTNMC00122045": 'K',
	} {
		if got := pki.CheckCharacter(id); got != want {
			t.Errorf("CheckCharacter(%s) = %c, want %c", id, got, want)
		}
		if !pki.ValidEMAID(id+string(want)) || !pki.ValidEMAID(id) {
			t.Errorf("%s%c is not valid", id, want)
		}
	}
	if pki.CheckCharacter("short") != 0 {
		t.Error("a check character for something that is no identifier")
	}
}

// Every single wrong character and every swap of neighbours shows.
func TestCheckCharacterFindsMistakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[A-Z]{2}[0-9A-Z]{12}`).Draw(t, "id")
		whole := []byte(id + string(pki.CheckCharacter(id)))
		if !pki.ValidEMAID(string(whole)) {
			t.Fatalf("%s is not valid", whole)
		}
		i := rapid.IntRange(2, 14).Draw(t, "at")
		c := rapid.StringMatching(`[0-9A-Z]`).Draw(t, "to")[0]
		if wrong := append([]byte{}, whole...); c != wrong[i] {
			wrong[i] = c
			if pki.ValidEMAID(string(wrong)) {
				t.Fatalf("%s passes for %s", wrong, whole)
			}
		}
		if j := rapid.IntRange(2, 13).Draw(t, "swap"); whole[j] != whole[j+1] {
			wrong := append([]byte{}, whole...)
			wrong[j], wrong[j+1] = wrong[j+1], wrong[j]
			if pki.ValidEMAID(string(wrong)) {
				t.Fatalf("%s passes for %s", wrong, whole)
			}
		}
	})
}

func FuzzEMAID(f *testing.F) {
	f.Add("DE-8AA-CA1B2C3D4-N")
	f.Fuzz(func(t *testing.T, s string) {
		n := pki.NormalEMAID(s)
		if n != "" && pki.NormalEMAID(n) != n {
			t.Errorf("%q is not stable: %q", s, n)
		}
		_ = pki.FormatEMAID(s)
		_ = pki.ValidEMAID(s)
	})
}
