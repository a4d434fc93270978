// Command bench measures parts of Voltyard: go run ./test/bench <name> [flags]. Every bench prints one JSON object on one
// line at the end, the best of three runs, with lateness_p99_ms: how late an idle 10 ms ticker was meanwhile, so that a busy
// machine can be told from a slow program.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/voltyard/voltyard/test/bench/allocatebench"
	"github.com/voltyard/voltyard/test/bench/ocppbench"
	"github.com/voltyard/voltyard/test/bench/planbench"
	"github.com/voltyard/voltyard/test/bench/reactionbench"
	"github.com/voltyard/voltyard/test/bench/seccbench"
	"github.com/voltyard/voltyard/test/bench/tlsbench"
)

// benches are all benches by name; each takes its own flags and returns what is printed.
var benches = map[string]func(args []string) (any, error){
	"allocate": allocatebench.Run,
	"ocpp":     ocppbench.Run,
	"plan":     planbench.Run,
	"reaction": reactionbench.Run,
	"secc":     seccbench.Run,
	"tls":      tlsbench.Run,
}

func main() {
	names := strings.Join(slices.Sorted(maps.Keys(benches)), ", ")
	if len(os.Args) < 2 || benches[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "usage: go run ./test/bench <name> [flags]; names: %s\n", names)
		os.Exit(2)
	}
	result, err := benches[os.Args[1]](os.Args[2:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	line, err := json.Marshal(result)
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	fmt.Println(string(line))
}
