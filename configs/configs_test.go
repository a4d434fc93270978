package configs

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voltyard/voltyard/site/limits/lpc"
	"github.com/voltyard/voltyard/site/topology"
)

var update = flag.Bool("update", false, "rewrite the expected messages of testdata/*.bad.yaml")

func TestDemoAndExamplesAreGood(t *testing.T) {
	all := Examples()
	all["demo"] = Demo()
	if len(all) != 5 {
		t.Fatalf("%d sites, want the demo and four examples", len(all))
	}
	for name, src := range all {
		s, err := Parse(src, ".")
		if err != nil {
			t.Errorf("%s:\n%v", name, err)
			continue
		}
		desc, err := s.Topology()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if _, err := topology.New(desc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each testdata/NAME.bad.yaml is refused with exactly the text in NAME.txt.
func TestBadSitesAreRefusedWithLineCaretAndAdvice(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.bad.yaml")
	if len(files) < 10 {
		t.Fatalf("only %d bad sites", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(src, "testdata")
			if err == nil {
				t.Fatal("it was accepted")
			}
			golden := strings.TrimSuffix(file, ".bad.yaml") + ".txt"
			got := err.Error() + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestZeroIsALimitAndAbsenceIsNot(t *testing.T) {
	s, err := Parse([]byte("site: {id: x}\nnodes: [{id: root, max_export_w: 0}]\n"), ".")
	if err != nil {
		t.Fatal(err)
	}
	desc, _ := s.Topology()
	if n := desc.Nodes[0]; n.MaxExport == nil || *n.MaxExport != 0 || n.MaxImport != nil || n.Fuse != nil {
		t.Errorf("%+v", n)
	}
}

func TestSourcesOfLimitsBecomeGuards(t *testing.T) {
	s, err := Parse(Examples()["solar-office"], ".")
	if err != nil {
		t.Fatal(err)
	}
	guards, err := s.Guards()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range guards {
		names = append(names, g.Source+"@"+g.Node)
	}
	if d := cmp.Diff([]string{"dso@root", "dso-feed-in@root", "receiver@cars", "evening@cars"}, names); d != "" {
		t.Fatal(d)
	}
	if g := guards[0].LPC; g.Failsafe != 12600 || g.Direction != lpc.Consumption {
		t.Errorf("%+v", g)
	}
	// Section 14a EnWG with three EVSEs above 4.2 kW: 4.2 + 2 x 0.75 x 4.2 kW.
	if c := guards[2].Contacts; len(c) != 2 || *c[0].Values.ImportW != 10500 || !c[1].Opens || *c[1].Values.ImportW != 0 {
		t.Errorf("%+v", c)
	}
	if p := guards[3].Periods; guards[3].Delay != 10*time.Minute || len(p) != 1 || p[0].Days[time.Sunday] || !p[0].Days[time.Monday] || p[0].From != 17*time.Hour {
		t.Errorf("%+v", p)
	}
	if tariff, err := s.EnergyTariff(); err != nil || tariff.Price(time.Date(2026, 7, 1, 23, 0, 0, 0, time.UTC)) != 0.22 || tariff.FeedIn != 0.07 {
		t.Errorf("%+v, %v", tariff, err)
	}
	if r, err := s.FrequencyResponse(); err != nil || r.Range != 20000 || r.Nominal != 50 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestSecretIsOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	for content, ok := range map[string]bool{"abc\n": true, "abc": true, "": false, "a\nb\n": false} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Secret(file)
		if (err == nil) != ok || (ok && s != "abc") {
			t.Errorf("%q: %q, %v", content, s, err)
		}
		if err != nil && strings.Contains(err.Error(), "a\nb") {
			t.Error("the error shows the secret")
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(Demo()))
	for _, e := range Examples() {
		f.Add(string(e))
	}
	f.Fuzz(func(t *testing.T, src string) {
		if s, err := Parse([]byte(src), "."); err == nil {
			if _, err := s.Topology(); err != nil {
				t.Errorf("a valid site without a tree: %v", err)
			}
		}
	})
}

// Every relative name counts from the site file: the data of a site are found wherever the service is started.
func TestRelativeFoldersCountFromTheSiteFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "site.yaml")
	for _, name := range []string{"root.pem", "pw"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func(text string) *Site {
		t.Helper()
		if err := os.WriteFile(file, []byte("site: {id: x}\nnodes: [{id: root, fuse_a: 63}]\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := load("storage: {dir: data}\ncsms: {url: 'wss://csms.example/ocpp', password_file: pw, key_ring: 'file:keys'}\nfirmware: {root_file: root.pem}\n")
	if got := []string{s.Storage.Dir, s.CSMS.PasswordFile, s.CSMS.KeyRing, s.Firmware.Dir}; !slices.Equal(got, []string{filepath.Join(dir, "data"),
		filepath.Join(dir, "pw"), "file:" + filepath.Join(dir, "keys"), filepath.Join(dir, "data", "firmware")}) {
		t.Errorf("%q", got)
	}
	if s := load("csms: {url: 'wss://csms.example/ocpp'}\nfirmware: {root_file: root.pem, dir: images}\n"); s.Firmware.Dir != filepath.Join(dir, "images") || s.Storage.Dir != "/var/lib/voltyard" {
		t.Errorf("%q, %q", s.Firmware.Dir, s.Storage.Dir)
	}
	t.Chdir(filepath.Dir(dir)) // a site file named from another folder
	near, err := Load(filepath.Join(filepath.Base(dir), "site.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if near.Firmware.Dir != filepath.Join(filepath.Base(dir), "images") {
		t.Errorf("%q", near.Firmware.Dir)
	}
	if s := load("storage: {dir: data}\nfirmware: {root_file: root.pem}\ncsms: {url: 'wss://csms.example/ocpp'}\n"); s.Firmware.Dir != filepath.Join(dir, "data", "firmware") {
		t.Errorf("%q", s.Firmware.Dir)
	}
	near, err = Load(filepath.Join(filepath.Base(dir), "site.yaml"))
	if err != nil || near.Firmware.Dir != filepath.Join(filepath.Base(dir), "data", "firmware") {
		t.Errorf("%v, %+v", err, near)
	}
	if s := load("storage: {dir: /srv/v}\ncsms: {url: 'wss://csms.example/ocpp', key_ring: 'file:/srv/k'}\n"); s.Storage.Dir != "/srv/v" || s.CSMS.KeyRing != "file:/srv/k" {
		t.Errorf("%q, %q", s.Storage.Dir, s.CSMS.KeyRing)
	}
}
