package configs

//go:generate go run ./internal/schemagen site.schema.json

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed demo.yaml
var demo []byte

//go:embed examples/*.yaml
var examples embed.FS

// Demo returns the text of the demo's site file.
func Demo() []byte { return demo }

// Examples returns the texts of the example sites by name.
func Examples() map[string][]byte {
	out := map[string][]byte{}
	entries, _ := fs.ReadDir(examples, "examples") // embedded: it cannot fail
	for _, e := range entries {
		b, _ := fs.ReadFile(examples, path.Join("examples", e.Name()))
		out[strings.TrimSuffix(e.Name(), ".yaml")] = b
	}
	return out
}
