// Command cmd writes the generated packages below protocols/iso15118 anew.
//
//	go run ./protocols/exi/internal/xsdgen/cmd -schemas DIR [-out DIR]
//
// DIR is a folder with the schema sets sap, din, iso2, iso20, iso20-amd1 and
// xmldsig. All files named *_gen.go below the output folder are replaced.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/voltyard/voltyard/protocols/exi/internal/xsdgen"
)

func main() {
	schemas := flag.String("schemas", "", "folder with the schema sets")
	out := flag.String("out", "protocols/iso15118", "folder for the packages")
	flag.Parse()
	if err := run(*schemas, *out); err != nil {
		fmt.Fprintln(os.Stderr, "xsdgen:", err)
		os.Exit(1)
	}
}

func run(schemas, out string) error {
	if schemas == "" {
		return fmt.Errorf("name the folder with the schemas: -schemas DIR")
	}
	files, err := xsdgen.Generate(schemas)
	if err != nil {
		return err
	}
	err = filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && xsdgen.Owned(path) {
			err = os.Remove(path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, f := range files {
		path := filepath.Join(out, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
