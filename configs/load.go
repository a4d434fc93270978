package configs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
)

// Problem is one mistake in a site file. Its text shows the line with a caret.
type Problem struct {
	Path   string // of the value, in the notation $.evses[0].node
	Text   string // what is wrong
	Advice string // what to do
	Source string // the lines around it
}

// Error returns what is wrong, what to do, and where.
func (p *Problem) Error() string {
	s := p.Text
	if p.Advice != "" {
		s += "; " + p.Advice
	}
	if p.Source != "" {
		s += "\n" + strings.TrimRight(p.Source, "\n")
	}
	return s
}

// Load reads, completes and checks a site file. The error, when it is about the content, joins one *Problem for each
// mistake. Relative names of files and folders in the site file count from its own directory, whatever the working directory is.
func Load(path string) (*Site, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read site file: %w", err)
	}
	s, err := Parse(src, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("site file %s:\n%w", path, err)
	}
	return s, nil
}

// Parse reads, completes and checks the text of a site file. dir is where relative file names count from.
func Parse(src []byte, dir string) (*Site, error) {
	var s Site
	dec := yaml.NewDecoder(bytes.NewReader(src), yaml.Strict())
	if err := dec.Decode(&s); err != nil {
		return nil, decodeProblem(err)
	}
	s.complete(dir)
	if problems := s.validate(); len(problems) > 0 {
		errs := make([]error, len(problems))
		for i, p := range problems {
			p.Source = annotate(src, p.Path)
			errs[i] = p
		}
		return nil, errors.Join(errs...)
	}
	return &s, nil
}

func decodeProblem(err error) error {
	var ye yaml.Error
	if !errors.As(err, &ye) {
		return &Problem{Text: err.Error(), Advice: "a site file begins with site: and nodes:; see the examples"}
	}
	p := &Problem{Text: ye.GetMessage(), Source: yaml.FormatError(err, false, true)}
	if strings.Contains(p.Text, "unknown field") {
		p.Advice = "remove it, or look for a spelling mistake"
	}
	// FormatError repeats the message before the source lines.
	if _, lines, ok := strings.Cut(p.Source, "\n"); ok {
		p.Source = lines
	}
	return p
}

// annotate shows the lines around a path, or around the nearest thing above it that stands in the file.
func annotate(src []byte, path string) string {
	for path != "" && path != "$" {
		if p, err := yaml.PathString(path); err == nil {
			if out, err := p.AnnotateSource(src, false); err == nil {
				return string(out)
			}
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return ""
}

// complete fills in the defaults.
func (s *Site) complete(dir string) {
	def(&s.Site.TimeZone, "UTC")
	def(&s.Site.VoltageV, 230)
	def(&s.Site.Phases, 3)
	def(&s.Storage.Dir, "/var/lib/voltyard")
	resolve(dir, &s.Storage.Dir)
	def(&s.HTTP.Listen, "127.0.0.1:8080")
	def(&s.Log.Level, "info")
	def(&s.Log.Format, "json")
	s.completeMeters(dir)
	for i := range s.EVSEs {
		e := &s.EVSEs[i]
		def(&e.Phases, min(3, s.Site.Phases))
		def(&e.Auth, "free")
		def(&e.Cable, "attached")
		def(&e.Weight, 1)
		def(&e.Station, s.Site.ID+"-"+e.ID)
		if e.Port != nil {
			e.Port.complete(dir)
		}
	}
	if st := s.Stations; st != nil {
		def(&st.Path, "/ocpp")
		def(&st.Accept, "listed")
		def(&st.MaxA, 32)
		def(&st.FallbackA, 6)
		def(&st.Offline, "answer")
		def(&st.AnswerS, 30)
		if st.Accept == "any" {
			def(&st.MaxOthers, 4)
		}
		def(&st.Bounds.FrameBytes, 256<<10)
		def(&st.Bounds.FramesPerS, 20)
		def(&st.Bounds.Connections, 500)
		def(&st.Bounds.HandshakesPer, 20)
		def(&st.Bounds.QueueBytes, 4<<20)
		for i := range st.Listeners {
			st.Listeners[i].complete(dir)
		}
		for i := range st.List {
			def(&st.List[i].Phases, 3)
			def(&st.List[i].Weight, 1)
			def(&st.List[i].Levels, 2)
			def(&st.List[i].LimitBy, "station")
			def(&st.List[i].EVSEs, 1)
			if st.List[i].FallbackA == nil {
				st.List[i].FallbackA = &st.FallbackA
			}
			resolve(dir, &st.List[i].PasswordFile)
		}
	}
	if s.CSMS != nil {
		def(&s.CSMS.Identity, s.Site.ID)
		resolve(dir, &s.CSMS.PasswordFile, &s.CSMS.CAFile, &s.CSMS.CertFile, &s.CSMS.KeyFile)
		if keys, ok := strings.CutPrefix(s.CSMS.KeyRing, "file:"); ok {
			resolve(dir, &keys)
			s.CSMS.KeyRing = "file:" + keys
		}
	}
	s.completeFirmware(dir)
	if s.MQTT != nil {
		def(&s.MQTT.ClientID, "voltyard-"+s.Site.ID)
		resolve(dir, &s.MQTT.PasswordFile, &s.MQTT.CAFile, &s.MQTT.CertFile, &s.MQTT.KeyFile)
	}
	if s.Limits == nil {
		s.Limits = []LimitSource{{Source: "dso", Priority: 3}, {Source: "bems", Priority: 2}, {Source: "operator", Priority: 1}}
	}
	for i := range s.Limits {
		def(&s.Limits[i].ReactS, 5)
	}
	def(&s.Plan.ReserveSoC, 30)
	if s.Tariff != nil {
		def(&s.Tariff.Currency, "EUR")
	}
	resolve(dir, &s.HTTP.TokenFile)
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func resolve(dir string, names ...*string) {
	for _, n := range names {
		if *n != "" && !filepath.IsAbs(*n) {
			*n = filepath.Join(dir, *n)
		}
	}
}

// Secret reads the one line of a file that holds a secret; "" for no file. The error never shows what is in it.
func Secret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	s := strings.TrimSpace(string(b))
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return "", fmt.Errorf("read secret %s: want exactly one line", path)
	}
	return s, nil
}
