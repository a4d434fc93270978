package vectorcheck

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/voltyard/voltyard/protocols/iso15118/schemasets"
)

// open opens a file of the folder with published vectors, or skips.
func open(t *testing.T, name string) *os.File {
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(dir, "vectors", name))
	if err != nil {
		t.Skipf("published vectors are not here (%s); set VOLTYARD_SHARED to the folder that has them", name)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestGoldenVectors checks the project's own vectors, which the reference codec
// made of documents invented here, and that each message and fragment has at
// least two.
func TestGoldenVectors(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "golden.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	passed, failed, err := File(f, func(f Failure) { t.Error(f) })
	if err != nil || failed > 0 {
		t.Fatalf("%d failed, %v", failed, err)
	}
	t.Logf("%d passed", passed)
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	documents, fragments := count(t, f)
	for _, set := range schemasets.All {
		for _, p := range set.Schema.Partitions {
			for _, local := range p.Local {
				if _, ok := set.NewFragment(local); ok && fragments[set.Name+" "+local] < 2 {
					t.Errorf("%s: %d vectors for the fragment %s", set.Name, fragments[set.Name+" "+local], local)
				}
				if set.New != nil && local != "V2G_Message" && set.New(local) != nil && documents[set.Name+" "+local] < 2 {
					t.Errorf("%s: %d vectors for the document %s", set.Name, documents[set.Name+" "+local], local)
				}
			}
		}
	}
}

// count returns the number of vectors of each document and fragment.
func count(t *testing.T, f *os.File) (documents, fragments map[string]int) {
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	documents, fragments = map[string]int{}, map[string]int{}
	d := json.NewDecoder(z)
	for d.More() {
		var r Row
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		key := r.Protocol + " " + r.Message
		if r.Fragment || r.FragmentHex != "" {
			fragments[key]++
		}
		if !r.Fragment {
			documents[key]++
		}
	}
	return documents, fragments
}

func TestPublishedFiles(t *testing.T) {
	for _, name := range []string{
		"exi.jsonl.gz", "exi_generated.jsonl.gz", "exi_invalid.jsonl", "signature_kat_iso2.jsonl", "pnc_signed_fragments.jsonl",
	} {
		t.Run(name, func(t *testing.T) {
			passed, failed, err := File(open(t, name), func(f Failure) { t.Error(f) })
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d passed, %d failed", passed, failed)
		})
	}
}
