package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/voltyard/voltyard/configs"
)

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check a site file and say what is wrong where",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := configs.Load(args[0])
			if err != nil {
				return err
			}
			if _, _, err := openMeters(s); err != nil { // reads the register maps, and opens nothing yet
				return err
			}
			stations := 0
			if s.Stations != nil {
				stations = len(s.Stations.List)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is good: site %s with %d nodes, %d EVSEs, %d listed stations\n",
				args[0], s.Site.ID, len(s.Nodes), len(s.EVSEs), stations)
			return nil
		},
	}
}
