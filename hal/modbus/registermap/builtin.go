package registermap

import (
	"embed"
	"fmt"
	"os"
	"strings"
)

//go:embed maps/*.yaml
var maps embed.FS

// Names lists the built-in maps.
func Names() []string {
	entries, err := maps.ReadDir("maps")
	if err != nil {
		panic(err) // embedded: it is there
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return out
}

// Find returns a built-in map by its name, or reads a file when the name ends in .yaml.
func Find(name string) (*Map, error) {
	if strings.HasSuffix(name, ".yaml") {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("register map: %w", err)
		}
		return Parse(text)
	}
	text, err := maps.ReadFile("maps/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("register map %q is not built in; want one of %s, or a file that ends in .yaml", name, strings.Join(Names(), ", "))
	}
	return Parse(text)
}
