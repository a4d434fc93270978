// Command jsongen writes the Go types of one OCPP version from the JSON schemas of the Open Charge Alliance: structs,
// typed enumerations, a strict decoder, an encoder and the checks of every limit, plus the table of all actions. Only
// go generate in the packages v16, v201 and v21 runs it. Descriptions are left out: the schemas' licences do not allow
// to pass them on.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	version := flag.String("version", "", "OCPP version: 1.6, 2.0.1 or 2.1")
	pkg := flag.String("pkg", "", "package name of the output")
	root := flag.String("schemas", "", "directory that holds ocpp/<version>/*.json")
	out := flag.String("out", ".", "output directory")
	flag.Parse()
	if err := run(*version, *pkg, *root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "jsongen:", err)
		os.Exit(1)
	}
}

func run(version, pkg, root, out string) error {
	if root == "" {
		return fmt.Errorf("no schemas: run make generate SCHEMAS=<directory that holds ocpp/%s>", version)
	}
	dirs := []string{filepath.Join(root, "ocpp", version)}
	if version == "1.6" {
		dirs = append(dirs, filepath.Join(root, "ocpp", "1.6-security"))
	}
	m := newModel(version)
	for _, d := range dirs {
		files, err := filepath.Glob(filepath.Join(d, "*.json"))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("no schemas in %s", d)
		}
		for _, f := range files {
			if err := m.load(f); err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
		}
	}
	m.place()
	old, err := filepath.Glob(filepath.Join(out, "*_gen.go"))
	if err != nil {
		return err
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	files, err := m.emit(pkg)
	if err != nil {
		return err
	}
	for name, text := range files {
		if strings.ContainsAny(name, `/\`) {
			return fmt.Errorf("file name %q", name)
		}
		if err := os.WriteFile(filepath.Join(out, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
