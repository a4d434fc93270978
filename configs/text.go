package configs

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// YAML is the site file as it is in force, with the defaults filled in. Secrets are in files of their own; addresses may still hold
// passwords.
func (s *Site) YAML() ([]byte, error) {
	b, err := yaml.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write the site file: %w", err)
	}
	return b, nil
}
