package ems

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/voltyard/voltyard/actors/firmware"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/transfer"
	"github.com/voltyard/voltyard/actors/logbook"
	"github.com/voltyard/voltyard/actors/publisher"
	"github.com/voltyard/voltyard/actors/station"
	"github.com/voltyard/voltyard/configs"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
)

// services are the actors that carry out what stations are asked for beside charging: updates of this controller, firmware for
// stations, logs.
type services struct {
	children []Child
	updates  *role.Updates
	publish  bool
	roots    *transfer.Roots
}

// serve makes the services for the site's own stations with these identities.
func serve(env *kit.Env, s *configs.Site, p Parts, ids []string) (*services, error) {
	out := &services{}
	if s.CSMS == nil {
		return out, nil
	}
	roots, err := fileRoots(s)
	if err != nil {
		return nil, err
	}
	out.roots = transfer.NewSystemRoots(roots)
	wire := transfer.Config{Roots: out.roots, Dial: p.DialCSMS, Local: s.CSMS.LocalFiles}
	site, err := s.YAML()
	if err != nil {
		return nil, err
	}
	out.children = append(out.children, Child{"logbook", "logbook", logbook.New(env, logbook.Config{Stations: ids, Version: p.Firmware, Ring: p.Log, Site: site,
		Secrets: secrets(s), View: p.View, Records: p.Store, Transfer: wire})})
	f := s.Firmware
	if f == nil {
		return out, nil
	}
	if len(f.Hook) > 0 && p.Restart != nil {
		makers, err := certificates(f.RootFile)
		if err != nil {
			return nil, fmt.Errorf("firmware: %w", err)
		}
		out.updates = &role.Updates{Roots: makers, Idle: f.Download == "idle"}
		tc := wire
		tc.Max = int64(f.MaxMB * 1e6)
		out.children = append(out.children, Child{"firmware", "firmware", firmware.New(env, firmware.Config{Dir: f.Dir, Hook: Hook(f), Confirm: seconds(f.ConfirmS),
			Transfer: tc, Stations: ids, Version: p.Firmware, Restart: p.Restart})})
	}
	if f.Publish != nil {
		out.publish = true
		out.children = append(out.children, Child{"publisher", "publisher", publisher.New(env, publisher.Config{Dir: filepath.Join(f.Dir, "published"), Listen: f.Publish.Listen,
			URL: f.Publish.URL, Max: int64(f.Publish.MaxMB * 1e6), Transfer: wire, Station: s.CSMS.Identity, Opened: p.Publishing})})
	}
	return out, nil
}

// Hook is the installer of a site file.
func Hook(f *configs.Firmware) firmware.Hook {
	return firmware.Hook{Command: f.Hook, Time: seconds(f.HookS)}
}

// into gives a station role its services.
func (v *services) into(c *station.Config) {
	c.Role.Logs = v.children != nil
	c.Role.Updates = v.updates
	c.Role.Publishes = v.publish && c.Role.Control
	c.Trusted = v.roots
}

// fileRoots are the roots that the site file names, in PEM form.
func fileRoots(s *configs.Site) (roots []byte, err error) {
	files := []string{s.CSMS.CAFile}
	if s.Firmware != nil {
		files = append(files, s.Firmware.CAFile)
	}
	for _, name := range files {
		if name == "" {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read roots: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("read roots %s: no certificate in PEM form", name)
		}
		roots = append(append(roots, b...), '\n')
	}
	return roots, nil
}

// secrets are the words in the files of the site file that must not leave the controller. What cannot be read stops the site
// elsewhere.
func secrets(s *configs.Site) []string {
	files := []string{s.HTTP.TokenFile, s.CSMS.PasswordFile}
	if s.MQTT != nil {
		files = append(files, s.MQTT.PasswordFile)
	}
	if s.Stations != nil {
		for _, x := range s.Stations.List {
			files = append(files, x.PasswordFile)
		}
	}
	var out []string
	for _, name := range files {
		if word, err := configs.Secret(name); err == nil && word != "" && !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}
