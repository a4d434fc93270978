package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltyard/voltyard/actors/ems"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/metering"
	"github.com/voltyard/voltyard/hal/modbus"
	"github.com/voltyard/voltyard/hal/modbus/registermap"
	"github.com/voltyard/voltyard/hal/modbus/sunspec"
)

// openMeters returns the meters of nodes that hang on Modbus, and what is to be closed in the end. Nothing is sent yet: a bus
// opens with the first reading, so that a meter that is off keeps no site from starting.
func openMeters(s *configs.Site) (map[string]hal.Meter, []io.Closer, error) {
	buses, closers := map[string]*modbus.Bus{}, []io.Closer(nil)
	for _, b := range s.Buses {
		bus, err := openBus(b)
		if err != nil {
			return nil, nil, err
		}
		buses[b.ID] = bus
		closers = append(closers, bus)
	}
	out := map[string]hal.Meter{}
	for _, n := range s.Nodes {
		m, ok := s.Meter(n.Meter)
		if !ok || m.Driver != "modbus" && m.Driver != "sunspec" {
			continue
		}
		unit := buses[m.Bus].Client(byte(m.Unit))
		var r metering.Reader = sunspec.NewReader(unit)
		if m.Driver == "modbus" {
			described, err := registermap.Find(m.Map)
			if err != nil {
				return nil, nil, fmt.Errorf("meter %s: %w", m.ID, err)
			}
			r = described.Reader(unit)
		}
		out[n.ID] = metering.New(r, ems.Wiring(m))
	}
	return out, closers, nil
}

func openBus(b configs.Bus) (*modbus.Bus, error) {
	t := modbus.Timing{Answer: time.Duration(b.AnswerMs) * time.Millisecond}
	switch {
	case b.Serial != "":
		return modbus.RTU(modbus.Serial{Device: b.Serial, Baud: b.Baud, Parity: modbus.Parity(b.Parity), StopBits: b.StopBits}, t)
	case b.Framing == "rtu":
		return modbus.RTUOverTCP(b.TCP, nil, t), nil
	}
	return modbus.TCP(b.TCP, nil, t), nil
}

func metersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "meters",
		Short: "List the register maps of Modbus meters that are built in",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, name := range registermap.Names() {
				m, err := registermap.Find(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%-22s %s\n", name, m.Title)
			}
			return nil
		},
	}
}
