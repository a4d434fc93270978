package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// schema is the part of JSON Schema (drafts 4 and 6) that the OCPP schemas use.
type schema struct {
	Ref         string             `json:"$ref"`
	Type        string             `json:"type"`
	Format      string             `json:"format"`
	Properties  properties         `json:"properties"`
	Definitions map[string]*schema `json:"definitions"`
	Items       *schema            `json:"items"`
	Required    []string           `json:"required"`
	Enum        []string           `json:"enum"`
	MaxLength   *int               `json:"maxLength"`
	MinItems    *int               `json:"minItems"`
	MaxItems    *int               `json:"maxItems"`
	Minimum     *float64           `json:"minimum"`
	Maximum     *float64           `json:"maximum"`
	MultipleOf  float64            `json:"multipleOf"`
	Additional  *bool              `json:"additionalProperties"`
}

func (s *schema) requires(name string) bool { return slices.Contains(s.Required, name) }

type property struct {
	name string
	*schema
}

// properties keeps the order of the schema, so that the output does not depend on a map.
type properties []property

func (p *properties) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return fmt.Errorf("property name %v", t)
		}
		s := new(schema)
		if err := d.Decode(s); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		*p = append(*p, property{name, s})
	}
	return nil
}

func readSchema(path string) (*schema, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := new(schema)
	return s, json.Unmarshal(data, s)
}
