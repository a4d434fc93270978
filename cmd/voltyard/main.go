// Voltyard is the energy controller of a site with many EV chargers. See README.md.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() { os.Exit(execute()) }

// execute runs the command line and returns the exit status: 0 good, 1 failed, 2 wrong use.
func execute() int {
	root := newRoot()
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "voltyard:", err)
		return 1
	}
	return 0
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "voltyard",
		Short:         "Energy controller of a site with many EV chargers",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(demoCommand(), runCommand(), checkCommand(), versionCommand(), replayCommand(), exiCommand(), verifyCommand(), evCommand(), traceCommand(), metersCommand(), csmsCommand(), stationCommand(), pkiCommand())
	return root
}
