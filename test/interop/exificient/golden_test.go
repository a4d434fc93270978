package exificient

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/voltyard/voltyard/protocols/iso15118/schemasets"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

// golden is the file of committed vectors.
var golden = filepath.Join("..", "..", "..", "protocols", "iso15118", "vectorcheck", "testdata", "golden.jsonl.gz")

// vector is one line of the file, in the form that vectorcheck reads.
type vector struct {
	Protocol    string `json:"protocol"`
	Message     string `json:"message"`
	Fragment    bool   `json:"fragment,omitempty"`
	Hex         string `json:"hex"`
	FragmentHex string `json:"fragment_hex,omitempty"`
	XML         string `json:"xml"`
}

// schemas returns the folder with the schemas, or skips.
func schemas(t *testing.T) string {
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "schemas", "iso15118")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the schemas are not here; set VOLTYARD_SHARED to the folder that has them")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestGoldenVectors(t *testing.T) {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here; the golden vectors cannot be made again", tool)
		}
	}
	dir := schemas(t)
	cp, err := classPath(t.TempDir())
	if err != nil {
		t.Skipf("EXIficient cannot be had: %v", err)
	}
	got := makeVectors(t, cp, dir)
	if *update {
		if err := os.WriteFile(golden, compress(t, got), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bytes of vectors written", len(got))
		return
	}
	want := readGolden(t)
	a, b := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	if len(a) != len(b) {
		t.Fatalf("%d vectors, the file has %d", len(a), len(b))
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			t.Fatalf("line %d differs:\n got %.300s\nwant %.300s", i+1, a[i], b[i])
		}
	}
	t.Logf("%d vectors are what EXIficient makes", len(a)-1)
}

// makeVectors invents the documents and has them encoded.
func makeVectors(t *testing.T, classPath, schemas string) []byte {
	var docs []document
	var jobs []job
	for _, set := range schemasets.All {
		d, err := documents(set)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, d...)
	}
	for _, d := range docs {
		if d.xml != "" {
			jobs = append(jobs, job{d.set.Name, false, d.xml})
		}
		if d.fragmentXML != "" {
			jobs = append(jobs, job{d.set.Name, true, d.fragmentXML})
		}
	}
	streams, err := encode(classPath, schemas, jobs)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	next := func() string {
		s := streams[0]
		streams = streams[1:]
		return s
	}
	for _, d := range docs {
		v := vector{Protocol: d.set.Name, Message: d.name, XML: d.xml}
		if d.xml != "" {
			v.Hex = next()
			if d.fragmentXML != "" {
				v.FragmentHex = next()
			}
		} else {
			v.Fragment, v.Hex, v.XML = true, next(), d.fragmentXML
		}
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func compress(t *testing.T, b []byte) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readGolden(t *testing.T) []byte {
	f, err := os.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
