// Package arch proves the rules of the house: who may import whom, that every package says what it is for, and that the
// top level holds what it should. The rules are those of ARCHITECTURE.md.
package arch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/voltyard/voltyard/"

type pkg struct {
	ImportPath string
	Name       string
	Doc        string
	Dir        string
	Imports    []string
	Standard   bool
	GoFiles    []string

	TestGoFiles, XTestGoFiles []string
}

// list is `go list -json` of the whole module.
func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Doc,Dir,Imports,Standard,GoFiles,TestGoFiles,XTestGoFiles"}, args...)...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []pkg
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// layer says what the packages of one part of the tree may import: the standard library less the forbidden, and what
// begins with one of the allowed paths. Generators, which are programs beneath an internal directory, are exempt.
type layer struct {
	prefix    string
	allowed   []string
	forbidden []string
}

// generator matches the packages that generate code; they read and write files.
var generator = regexp.MustCompile(`/internal/(xsdgen|jsongen|schemagen)(/|$)`)

var pure = []string{"net", "net/http", "os", "os/exec", "os/signal", "log", "log/slog", "syscall"}

var layers = []layer{
	{"protocols/", []string{module + "protocols/", module + "hal/si", "golang.org/x/crypto/ocsp"}, pure},
	{"site/", []string{module + "site/", module + "hal/si"}, pure},
	{"hal/si", nil, pure},
	{"hal/", []string{module + "hal", module + "test/virtual", "golang.org/x/sys", "go.bug.st/serial", "github.com/goccy/go-yaml", "github.com/mdlayher/packet"}, nil},
	{"storage/", []string{module + "storage/", "go.etcd.io/bbolt", "github.com/google/go-tpm", "github.com/ThalesGroup/crypto11"}, nil},
	{"configs", []string{module + "site/", module + "hal/si", "github.com/goccy/go-yaml"}, nil},
	{"actors/", []string{module + "protocols/", module + "site/", module + "hal", module + "storage/", module + "configs", module + "actors/", module + "test/virtual",
		"github.com/asynkron/protoactor-go/actor", "github.com/rs/zerolog", "github.com/prometheus/client_golang", "golang.org/x/net/ipv6", "golang.org/x/sys/unix", "golang.org/x/crypto/bcrypt"}, nil},
}

// wrapped libraries are imported by one package only.
var wrapped = map[string]string{
	"github.com/gorilla/websocket":            "actors/kit/ws",
	"github.com/eclipse/paho.mqtt.golang":     "actors/kit/mqtt",
	"golang.org/x/net/ipv6":                   "actors/kit/network",
	"golang.org/x/crypto/bcrypt":              "actors/kit/password",
	"golang.org/x/sys/unix":                   "",
	"go.etcd.io/bbolt":                        "storage/bolt",
	"github.com/coreos/go-systemd/v22/daemon": "cmd/voltyard",
}

// outside the wrapper, the demo's building is a client of its own at the broker.
var wrapExempt = map[string][]string{"github.com/eclipse/paho.mqtt.golang": {"cmd/voltyard"}}

func TestLayers(t *testing.T) {
	for _, p := range list(t, "./...") {
		path := strings.TrimPrefix(p.ImportPath, module)
		if p.Name == "main" || generator.MatchString(path) || strings.HasPrefix(path, "test/") || strings.HasPrefix(path, "cmd/") {
			continue
		}
		for _, l := range layers {
			if path != strings.TrimSuffix(l.prefix, "/") && !strings.HasPrefix(path, strings.TrimSuffix(l.prefix, "/")+"/") {
				continue
			}
			for _, imp := range p.Imports {
				checkImport(t, path, imp, l)
			}
			break
		}
	}
}

func checkImport(t *testing.T, path, imp string, l layer) {
	t.Helper()
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") { // the standard library
		if slices.Contains(l.forbidden, imp) {
			t.Errorf("%s imports %s: packages of %s do no I/O and have no log", path, imp, l.prefix)
		}
		return
	}
	if owner, ok := wrapped[imp]; ok && owner != "" && owner == path {
		return
	}
	for _, a := range l.allowed {
		if imp == strings.TrimSuffix(a, "/") || strings.HasPrefix(imp, strings.TrimSuffix(a, "/")+"/") {
			return
		}
	}
	t.Errorf("%s imports %s, which its layer %s does not allow", path, imp, l.prefix)
}

func TestLibrariesStandBehindOneWrapper(t *testing.T) {
	for _, p := range list(t, "./...") {
		path := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			if owner, ok := wrapped[imp]; ok && owner != "" && owner != path && !slices.Contains(wrapExempt[imp], path) && !strings.HasPrefix(path, "test/") {
				t.Errorf("%s imports %s, which only %s may", path, imp, owner)
			}
		}
	}
}

// Siblings among the actors meet in msg and kit; a parent may import its child, and sim actors are children of nobody.
func TestActorsDoNotImportTheirSiblings(t *testing.T) {
	parents := map[string][]string{
		"actors/ems": {"actors/recorder", "actors/balancer", "actors/planner", "actors/controller", "actors/station", "actors/evse", "actors/port", "actors/session", "actors/building", "actors/api", "actors/mqttmeter", "actors/firmware", "actors/publisher", "actors/logbook"},
	}
	for _, p := range list(t, "./actors/...") {
		path := strings.TrimPrefix(p.ImportPath, module)
		if p.Name == "main" {
			continue
		}
		for _, imp := range p.Imports {
			to, ok := strings.CutPrefix(imp, module)
			if !ok || !strings.HasPrefix(to, "actors/") || to == "actors/msg" || strings.HasPrefix(to, "actors/kit") || strings.HasPrefix(to, path+"/") {
				continue
			}
			if !slices.Contains(parents[path], to) {
				t.Errorf("%s imports its sibling %s", path, to)
			}
		}
	}
}

// Time comes to pure packages as a parameter.
func TestPureLayersHaveNoClock(t *testing.T) {
	clock := regexp.MustCompile(`\btime\.(Now|Since|Until|Sleep|After|AfterFunc|NewTimer|NewTicker|Tick)\(`)
	for _, p := range list(t, "./protocols/...", "./site/...") {
		if p.Name == "main" {
			continue
		}
		for _, f := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			s := bufio.NewScanner(bytes.NewReader(text))
			s.Buffer(nil, 1<<20)
			for n := 1; s.Scan(); n++ {
				line, _, _ := strings.Cut(s.Text(), "//")
				if m := clock.FindString(line); m != "" {
					t.Errorf("%s/%s:%d: %s: time is a parameter here", strings.TrimPrefix(p.ImportPath, module), f, n, m)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range list(t, "./...") {
		if len(p.Doc) < 20 && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", strings.TrimPrefix(p.ImportPath, module))
		}
	}
}

// What must never be in the binary.
func TestBinaryStaysSmall(t *testing.T) {
	bad := map[string]string{
		"google.golang.org/grpc":                        "only needed by remote actors",
		"github.com/asynkron/protoactor-go/remote":      "actors are local",
		"github.com/asynkron/protoactor-go/cluster":     "actors are local",
		"github.com/asynkron/protoactor-go/persistence": "the recorder writes",
		"github.com/asynkron/protoactor-go/scheduler":   "timers belong to their actor (kit.Timers)",
		"github.com/invopop/jsonschema":                 "only generators use it",
		"testing":                                       "no test code in the product",
	}
	for _, p := range list(t, "-deps", "./cmd/voltyard") {
		if why, ok := bad[p.ImportPath]; ok {
			t.Errorf("the binary contains %s: %s", p.ImportPath, why)
		}
	}
}

func TestNoReplaceInGoMod(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`(?m)^\s*(replace|exclude)\b`).Match(text) {
		t.Error("go.mod has a replace or exclude directive: others could not build on it")
	}
}

func TestTopLevel(t *testing.T) {
	want := []string{"cmd", "actors", "protocols", "site", "hal", "storage", "configs", "test",
		"go.mod", "go.sum", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "LICENSE", "Makefile"}
	cmd := exec.Command("git", "ls-files")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Skip("not a git checkout")
	}
	seen := map[string]bool{}
	for f := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		first, _, _ := strings.Cut(f, "/")
		if !seen[first] && !strings.HasPrefix(first, ".") && !slices.Contains(want, first) {
			t.Errorf("%s does not belong at the top level", first)
		}
		seen[first] = true
	}
}

// Virtual time goes through test/virtual, which keeps the race detector from crashing.
func TestBubblesAreMadeInOnePlace(t *testing.T) {
	for _, p := range list(t, "./...") {
		if p.ImportPath == module+"test/virtual" {
			continue
		}
		for _, f := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "synctest."+"Test(") {
				t.Errorf("%s/%s calls synctest.Test: call virtual.Test", p.ImportPath, f)
			}
		}
	}
}
