package main

import (
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/fileinput"
	"github.com/voltyard/voltyard/hal/sim"
)

// openInputs returns the digital inputs of a site. Nothing is read yet: a line that is not there is an error of each reading,
// with its failsafe, and keeps no site from starting.
func openInputs(s *configs.Site) map[string]hal.DigitalInput {
	out := map[string]hal.DigitalInput{}
	for _, in := range s.Inputs {
		if in.Driver == "file" {
			out[in.ID] = fileinput.New(in.Path, in.Invert)
		} else {
			out[in.ID] = &sim.Input{}
		}
	}
	return out
}
