package configs

import (
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/voltyard/voltyard/hal/si"
)

// PhaseAmps is a current per phase: in the file one number for all phases, or a list of three.
type PhaseAmps [3]float64

// UnmarshalYAML reads a number or a list of three.
func (p *PhaseAmps) UnmarshalYAML(node ast.Node) error {
	var one float64
	if yaml.NodeToValue(node, &one) == nil {
		*p = PhaseAmps{one, one, one}
		return nil
	}
	var list []float64
	if yaml.NodeToValue(node, &list) != nil || len(list) != 3 {
		return &yaml.SyntaxError{Message: "want a current in A: one number, or three as [L1, L2, L3]", Token: node.GetToken()}
	}
	*p = PhaseAmps(list)
	return nil
}

// Phases returns the currents.
func (p PhaseAmps) Phases() si.Phases {
	return si.Phases{si.Amps(p[0]), si.Amps(p[1]), si.Amps(p[2])}
}
