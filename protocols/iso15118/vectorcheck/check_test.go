package vectorcheck

import (
	"os"
	"path/filepath"
	"testing"
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
