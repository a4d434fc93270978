package schemasets_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"testing"

	"github.com/voltyard/voltyard/protocols/iso15118/schemasets"
)

// The first byte of a fuzz input chooses the schema set, the rest is the
// stream.

// heapAllowance is what decoding may allocate beyond 64 times the input, in
// octets: the message structures themselves and the first steps of growing
// lists, whose length the schema bounds.
const heapAllowance = 64 << 10

func FuzzDocumentDecode(f *testing.F) {
	seed(f, false)
	f.Fuzz(func(t *testing.T, in []byte) {
		if set, b := choose(in); set != nil && set.Decode != nil {
			bounded(t, b, func() { _, _, _ = set.Decode(b) })
		}
	})
}

func FuzzFragmentDecode(f *testing.F) {
	seed(f, true)
	f.Fuzz(func(t *testing.T, in []byte) {
		if set, b := choose(in); set != nil {
			bounded(t, b, func() { _, _ = set.DecodeFragment(b) })
		}
	})
}

func FuzzDocumentRoundTrip(f *testing.F) {
	seed(f, false)
	f.Fuzz(func(t *testing.T, in []byte) {
		set, b := choose(in)
		if set == nil || set.Decode == nil {
			return
		}
		m, _, err := set.Decode(b)
		if err != nil {
			return
		}
		_ = m.Validate()
		once, err := m.AppendEXI(nil)
		if err != nil {
			t.Fatalf("%s: decoded but not encoded: %v", set.Name, err)
		}
		back, _, err := set.Decode(once)
		if err != nil {
			t.Fatalf("%s: encoded but not decoded: %v\n%x", set.Name, err, once)
		}
		if twice, err := back.AppendEXI(nil); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s: %x became %x (%v)", set.Name, once, twice, err)
		}
	})
}

func FuzzFragmentRoundTrip(f *testing.F) {
	seed(f, true)
	f.Fuzz(func(t *testing.T, in []byte) {
		set, b := choose(in)
		if set == nil {
			return
		}
		m, err := set.DecodeFragment(b)
		if err != nil {
			return
		}
		once, err := m.AppendEXI(nil)
		if err != nil {
			t.Fatalf("%s: decoded but not encoded: %v", set.Name, err)
		}
		back, err := set.DecodeFragment(once)
		if err != nil {
			t.Fatalf("%s: encoded but not decoded: %v\n%x", set.Name, err, once)
		}
		if twice, err := back.AppendEXI(nil); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s: %x became %x (%v)", set.Name, once, twice, err)
		}
	})
}

func choose(in []byte) (*schemasets.Set, []byte) {
	if len(in) == 0 {
		return nil, nil
	}
	return schemasets.All[int(in[0])%len(schemasets.All)], in[1:]
}

// bounded runs decode and fails when it allocates too much for its input. What
// other goroutines allocate meanwhile counts as well, so that a first excess is
// tried again.
func bounded(t *testing.T, b []byte, decode func()) {
	limit := uint64(64*len(b) + heapAllowance)
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	for range 3 {
		metrics.Read(sample)
		before := sample[0].Value.Uint64()
		decode()
		metrics.Read(sample)
		if sample[0].Value.Uint64()-before <= limit {
			return
		}
	}
	t.Errorf("decoding %d octets allocates more than %d", len(b), limit)
}

// seed adds the project's own vectors and, where they are, a selection of the
// published ones.
func seed(f *testing.F, fragments bool) {
	seen := map[string]int{}
	for _, path := range []string{
		filepath.Join("..", "vectorcheck", "testdata", "golden.jsonl.gz"),
		filepath.Join(sharedDir(), "vectors", "exi_generated.jsonl.gz"),
		filepath.Join(sharedDir(), "vectors", "exi_invalid.jsonl"),
		filepath.Join(sharedDir(), "vectors", "exi.jsonl.gz"),
	} {
		lines(path, func(line []byte) {
			var r struct {
				Protocol, Message, Hex string
				FragmentHex            string `json:"fragment_hex"`
			}
			if json.Unmarshal(line, &r) != nil {
				return
			}
			text := r.Hex
			if fragments {
				text = r.FragmentHex
			}
			b, err := hex.DecodeString(text)
			i := slices.IndexFunc(schemasets.All, func(s *schemasets.Set) bool { return s.Name == r.Protocol })
			if seen[r.Protocol+r.Message]++; err != nil || len(b) == 0 || i < 0 || seen[r.Protocol+r.Message] > 6 {
				return
			}
			f.Add(append([]byte{byte(i)}, b...))
		})
	}
}

func sharedDir() string {
	if dir := os.Getenv("VOLTYARD_SHARED"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "..", "shared")
}

// lines calls each for the lines of a file, which may be compressed and may be
// missing.
func lines(path string, each func([]byte)) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	r := io.Reader(f)
	if filepath.Ext(path) == ".gz" {
		z, err := gzip.NewReader(f)
		if err != nil {
			return
		}
		r = z
	}
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<24)
	for s.Scan() {
		each(s.Bytes())
	}
}
