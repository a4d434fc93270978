package exificient

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSampleVectors checks that the streams with which the generator is tested
// are what EXIficient makes of the documents beside them. It needs no schemas
// but the generator's own.
func TestSampleVectors(t *testing.T) {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here; the sample vectors cannot be made again", tool)
		}
	}
	cp, err := classPath(t.TempDir())
	if err != nil {
		t.Skipf("EXIficient cannot be had: %v", err)
	}
	dir, err := filepath.Abs(filepath.Join("..", "..", "..", "protocols", "exi", "internal", "xsdgen", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "sample.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var jobs []job
	var want []string
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		jobs = append(jobs, job{"sample", false, f[3]})
		want = append(want, f[2])
	}
	got, err := encode(cp, dir, jobs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s:\n got %s\nwant %s", jobs[i].xml, got[i], want[i])
		}
	}
}
