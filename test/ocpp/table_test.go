package ocpp

import (
	"encoding/csv"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write CASES.md anew")

// results has, for each case that ran in this process, whether it passed.
var results = map[string]bool{}

// notApplicable says why a test case is not for this station.
var notApplicable = map[string]string{
	"TC_B_15_CS": "every report base of the standard is supported",
	"TC_B_19_CS": "every component criterion of the standard is supported",
	"TC_B_28_CS": "an EVSE can be reset",
	"TC_B_29_CS": "an EVSE can be reset",
	"TC_C_47_CS": "the station has no user interface for a master pass",
	"TC_C_48_CS": "the station has no user interface for a master pass",
	"TC_E_11_CS": "DataSigned is not among the supported start points",
	"TC_E_12_CS": "there is no detector of parking bays",
	"TC_E_19_CS": "there is no detector of parking bays",
	"TC_J_08_CS": "a token is always shown at an EVSE, so that the EVSE is known when a transaction starts",
	"TC_K_12_CS": "both charging rate units are supported",
	"TC_K_42_CS": "both charging rate units are supported",
	"TC_L_16_CS": "new firmware is activated by a restart, which waits for transactions",
	"TC_N_04_CS": "every monitoring criterion of the standard is supported",
	"TC_N_07_CS": "every monitoring base of the standard is supported",
	"TC_N_63_CS": "nothing about customers is stored by certificate",
	"TC_0_17_CS": "every priority of the standard is supported",
	"TC_0_18_CS": "every state of the standard is supported",
}

var caseID = regexp.MustCompile(`^TC_[A-Z0]_\d+_CS$`)

// written counts the tests of each id in this package's sources; the list has two ids twice.
func written(t *testing.T) map[string]int {
	files, err := filepath.Glob("cases_*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test cases here: %v", err)
	}
	ids := map[string]int{}
	for _, name := range files {
		f, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			c, ok := n.(*ast.CompositeLit)
			if !ok || len(c.Elts) != 2 {
				return true
			}
			if l, ok := c.Elts[0].(*ast.BasicLit); ok {
				if text, err := strconv.Unquote(l.Value); err == nil {
					if id, _, _ := strings.Cut(text, "/"); caseID.MatchString(id) { // what follows tells apart the two cases of one id
						ids[id]++
					}
				}
			}
			return true
		})
	}
	return ids
}

// TestTable prints every test case of the Open Charge Alliance for charging stations: passed, not applicable with the
// reason, or open. Passed are those that have a subtest here, unless it ran in this process and failed. CASES.md must not claim more.
func TestTable(t *testing.T) {
	if *sutFlag == "mute" {
		t.Fatal("a mute station passes nothing")
	}
	ids := written(t)
	if b, err := os.ReadFile("CASES.md"); err == nil && !*update {
		for line := range strings.Lines(string(b)) {
			if f := strings.Split(line, "|"); len(f) > 2 && strings.TrimSpace(f[2]) == "passed" && ids[strings.TrimSpace(f[1])] == 0 {
				t.Errorf("CASES.md says passed of %s, which has no test: go test ./test/ocpp -run Table -update", f[1])
			}
		}
	}
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(dir, "data", "ocpp", "testcases-2.0.1-ed3.csv"))
	if err != nil {
		t.Skipf("the list of test cases is not here: %v", err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	var table strings.Builder
	seen := map[string]int{}
	for _, r := range rows[1:] {
		if !strings.HasPrefix(r[4], "Charging") {
			continue
		}
		id, state, why := r[0], "open", ""
		ok, ran := results[id]
		switch {
		case ids[id] > seen[id] && (ok || !ran):
			state = "passed"
		case notApplicable[id] != "":
			state, why = "not applicable", notApplicable[id]
		}
		seen[id]++
		count[state]++
		fmt.Fprintf(&table, "| %s | %s | %s |\n", id, state, why)
	}
	for id := range ids {
		if seen[id] == 0 {
			t.Errorf("%s is not in the list", id)
		}
	}
	head := fmt.Sprintf("# Test cases of OCPP 2.0.1 edition 3 for charging stations\n\nMade by `go test ./test/ocpp -run Table -update`: %d passed, %d not applicable, %d open.\n\n| test case | state | reason |\n|---|---|---|\n",
		count["passed"], count["not applicable"], count["open"])
	t.Log("\n" + head + table.String())
	if *update {
		if err := os.WriteFile("CASES.md", []byte(head+table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
