package xsdgen

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the sample package anew")

// sample is the package generated from the schema in testdata.
var sample = Spec{
	Package: "sample", Dir: "sample", Set: "sample", Root: "sample.xsd", Title: "the sample schema",
	Message: func(e *Element) bool { return e.Name.Local == "Sample" },
}

// TestSamplePackage compares the committed sample package with what the
// generator makes of its schema.
func TestSamplePackage(t *testing.T) {
	files, err := GenerateSpecs([]Spec{sample}, "testdata")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		for _, f := range files {
			if err := os.WriteFile(f.Name, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	compare(t, files, ".", "sample")
}

// TestGeneratedPackages compares the committed message packages with what the
// generator makes of the schemas.
func TestGeneratedPackages(t *testing.T) {
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "schemas", "iso15118")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the schemas are not here; set VOLTYARD_SHARED to the folder that has them")
	}
	files, err := Generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, files, filepath.Join("..", "..", "..", "iso15118"), "")
}

// compare checks that the tree holds exactly the given generated files.
func compare(t *testing.T, files []File, root, below string) {
	t.Helper()
	want := map[string]bool{}
	for _, f := range files {
		path := filepath.Join(root, filepath.FromSlash(f.Name))
		want[path] = true
		got, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, f.Data) {
			t.Errorf("%s is not what the generator makes; run make generate", path)
		}
	}
	err := filepath.WalkDir(filepath.Join(root, below), func(path string, d fs.DirEntry, err error) error {
		if err == nil && Owned(path) && !want[path] {
			t.Errorf("%s is no longer generated; run make generate", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
