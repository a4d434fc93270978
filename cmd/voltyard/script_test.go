package main

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"voltyard": func() { os.Exit(execute()) }})
}

// The command line as its users type it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await}})
}

// await PATTERN COMMAND... runs a command until its output matches: what another process does takes its time.
func await(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[0])
	var last string
	for range 100 {
		_ = ts.Exec(args[1], args[2:]...)
		if last = ts.ReadFile("stdout"); want.MatchString(last) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("no %q in\n%s", args[0], last)
}
