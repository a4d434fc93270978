package schemasets

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// shared returns a file of the folder with published vectors, or skips.
func shared(t testing.TB, name string) string {
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("published vectors are not here (%s); set VOLTYARD_SHARED to the folder that has them", name)
	}
	return path
}

type row struct {
	Protocol, Message, Hex string
	Fragment               bool
	FragmentHex            string `json:"fragment_hex"`
	SchemaValid            bool   `json:"schema_valid"`
	Variant                string
	Check                  struct {
		Canonical string `json:"exificient_canonical_hex"`
	}
}

func rows(t testing.TB, name string) []row {
	f, err := os.Open(shared(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []row
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<24)
	for s.Scan() {
		var r row
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestPublishedFragments(t *testing.T) {
	done := 0
	for _, file := range []string{"vectors/exi.jsonl.gz", "vectors/exi_generated.jsonl.gz"} {
		for _, r := range rows(t, file) {
			name, in := r.Protocol, r.FragmentHex
			if name == "iso2-fragment" {
				name, in = "iso2", r.Hex
			}
			if in == "" {
				continue
			}
			b, _ := hex.DecodeString(in)
			f, err := ByName(name).DecodeFragment(b)
			if err != nil {
				t.Errorf("%s %s: %v", r.Protocol, r.Message, err)
				continue
			}
			if out, err := f.AppendEXI(nil); err != nil || !bytes.Equal(out, b) {
				t.Errorf("%s %s:\n got %x\nwant %x (%v)", r.Protocol, r.Message, out, b, err)
			}
			done++
		}
	}
	t.Log(done, "fragments")
}

func TestPublishedStreams(t *testing.T) {
	for _, file := range []string{"vectors/exi.jsonl.gz", "vectors/exi_generated.jsonl.gz"} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			bad := map[string]int{}
			for _, r := range rows(t, file) {
				set := ByName(r.Protocol)
				if set == nil {
					continue
				}
				in, _ := hex.DecodeString(r.Hex)
				m, _, err := set.Decode(in)
				if err != nil {
					if bad[r.Protocol+r.Message]++; bad[r.Protocol+r.Message] < 3 {
						t.Errorf("%s %s %s: %v", r.Protocol, r.Message, r.Hex, err)
					}
					continue
				}
				out, err := m.AppendEXI(nil)
				want := in
				if r.Check.Canonical != "" {
					want, _ = hex.DecodeString(r.Check.Canonical)
				}
				if err != nil || !bytes.Equal(out, want) {
					if bad[r.Protocol+r.Message]++; bad[r.Protocol+r.Message] < 3 {
						t.Errorf("%s %s:\n got %x\nwant %x (%v)", r.Protocol, r.Message, out, want, err)
					}
				}
			}
		})
	}
}

// TestValidateAgreesWithSchema compares Validate with the verdict a schema
// processor gave for each generated stream. DIN 70121 declares its identifiers
// as references to identifiers, of which its messages have none; Validate does
// not look for their targets.
func TestValidateAgreesWithSchema(t *testing.T) {
	for _, r := range rows(t, "vectors/exi_generated.jsonl.gz") {
		b, _ := hex.DecodeString(r.Hex)
		m, _, err := ByName(r.Protocol).Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		dangling := r.Protocol == "din" && !r.SchemaValid
		if err := m.Validate(); (err == nil) != (r.SchemaValid || dangling) {
			t.Errorf("%s %s %s: schema says %v, Validate says %v", r.Protocol, r.Message, r.Variant, r.SchemaValid, err)
		}
	}
}
