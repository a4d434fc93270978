package firmware

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
)

// plant is the actor with two stations, an image that is there already, and an installer that writes down how it was called.
type plant struct {
	*testing.T
	env      *kit.Env
	cfg      Config
	calls    string
	digest   [sha256.Size]byte
	restarts int
	a, b     *kittest.Probe
	pid      *actor.PID
}

func newPlant(t *testing.T, env *kit.Env, dir string) *plant {
	p := &plant{T: t, env: env, calls: filepath.Join(dir, "calls"), digest: sha256.Sum256([]byte("image"))}
	if err := os.WriteFile(filepath.Join(dir, "image-0a"), []byte("image"), 0o600); err != nil {
		t.Fatal(err)
	}
	hook := filepath.Join(dir, "installer")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho $1 >> "+p.calls+"\n[ ! -e "+filepath.Join(dir, "fail-")+"$1 ]\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.cfg = Config{Dir: dir, Hook: Hook{Command: []string{hook}}, Confirm: time.Minute, Stations: []string{"A", "B"}, Version: "1", Restart: func() { p.restarts++ }}
	p.a, p.b = kittest.NewProbe(t, env, msg.StationName("A"), nil), kittest.NewProbe(t, env, msg.StationName("B"), nil)
	p.spawn(msg.Firmware)
	return p
}

func (p *plant) spawn(name string) {
	p.pid = kittest.Spawn(p.T, p.env, name, New(p.env, p.cfg))
	p.a.Take()
	p.b.Take()
}

// asks sends an effect of a station and returns the events that come back to it.
func (p *plant) asks(station string, e role.Effect) []role.Event {
	probe := p.a
	if station == "B" {
		probe = p.b
	}
	p.env.System.Root.Send(p.pid, msg.Chore{Station: station, What: e, Reply: probe.PID})
	time.Sleep(time.Second)
	return p.heard(probe)
}

func (p *plant) heard(probe *kittest.Probe) (out []role.Event) {
	for _, m := range kittest.Of[msg.ChoreEvent](probe.Take()) {
		out = append(out, m.What)
	}
	return out
}

func (p *plant) is(s msg.StationState) {
	p.env.System.Root.Send(p.pid, s)
	time.Sleep(2 * time.Second)
	synctest.Wait()
}

func (p *plant) called(want string) {
	p.Helper()
	b, _ := os.ReadFile(p.calls)
	_ = os.Remove(p.calls)
	if got := strings.Join(strings.Fields(string(b)), " "); got != want {
		p.Fatalf("the installer was called: %q, want %q", got, want)
	}
}

func (p *plant) want(got []role.Event, want ...role.Event) {
	p.Helper()
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			p.Fatalf("heard %+v, want %+v", got, want)
		}
	}
	if len(got) != len(want) {
		p.Fatalf("heard %+v, want %+v", got, want)
	}
}

// One image at a time; the restart waits for the vehicles of every station; the next process proves it.
func TestAnUpdateConcernsAllStations(t *testing.T) {
	dir := t.TempDir()
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		p := newPlant(t, env, dir)
		p.want(p.asks("A", role.ClaimUpdate{Request: 1, Image: "0a"}), role.UpdateClaimed{Request: 1})
		if got := p.asks("B", role.ClaimUpdate{Request: 2, Image: "0b"}); len(got) != 1 || got[0].(role.UpdateClaimed).Refused == "" {
			t.Fatalf("another image: %+v", got)
		}
		p.want(p.asks("A", role.InstallImage{Request: 1, SHA256: p.digest}), role.ImageInstalled{Request: 1})
		p.called("install")
		p.is(msg.StationState{Station: "A", Accepted: true, Complete: true})
		p.is(msg.StationState{Station: "B", Accepted: true, Complete: true, Busy: true})
		p.want(p.asks("A", role.ActivateImage{Request: 1}), role.Restarting{On: true})
		p.want(p.heard(p.b), role.Restarting{On: true})
		time.Sleep(time.Hour)
		p.called("")
		p.is(msg.StationState{Station: "B", Accepted: true, Complete: true})
		p.called("activate")
		if p.restarts != 1 {
			t.Fatalf("%d restarts", p.restarts)
		}
		// The next process.
		p.spawn("ems/firmware2")
		p.is(msg.StationState{Station: "A", Accepted: false, Complete: true})
		p.is(msg.StationState{Station: "B", Accepted: false, Complete: true})
		p.want(p.asks("A", role.ActivateImage{Request: 1}))
		if got := p.asks("B", role.ClaimUpdate{Request: 3, Image: "0c"}); len(got) != 1 || got[0].(role.UpdateClaimed).Refused == "" {
			t.Fatalf("a claim on trial: %+v", got)
		}
		p.called("")
		p.is(msg.StationState{Station: "A", Accepted: true, Complete: true})
		p.called("confirm")
		p.want(p.heard(p.a), role.UpdateEnded{Request: 1})
		if _, err := os.Stat(filepath.Join(dir, "image-0a")); err == nil {
			t.Error("the image is still there")
		}
		p.want(p.asks("B", role.ClaimUpdate{Request: 4, Image: "0c"}), role.UpdateClaimed{Request: 4})
	})
}

func TestFirmwareThatIsNotConfirmedIsTakenBack(t *testing.T) {
	for name, complete := range map[string]bool{"in time": false, "by the installer": true} {
		dir := t.TempDir()
		kittest.Run(t, func(t *testing.T, env *kit.Env) {
			if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(`{"Phase":"trial","Image":"image-0a","Orders":{"A":1}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "fail-confirm"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			p := newPlant(t, env, dir)
			p.is(msg.StationState{Station: "A", Accepted: complete, Complete: complete})
			p.is(msg.StationState{Station: "B", Complete: complete})
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			want := "rollback"
			if complete {
				want = "confirm rollback"
			}
			p.called(want)
			if p.restarts != 1 {
				t.Fatalf("%s: %d restarts", name, p.restarts)
			}
			p.spawn("ems/firmware2") // the old one
			got := p.asks("A", role.ActivateImage{Request: 1})
			if e, ok := got[0].(role.UpdateEnded); len(got) != 1 || !ok || e.Err == nil {
				t.Errorf("%s: heard %+v", name, got)
			}
		})
	}
}

func TestActivationThatFailsGivesTheStationsBack(t *testing.T) {
	dir := t.TempDir()
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		p := newPlant(t, env, dir)
		if err := os.WriteFile(filepath.Join(dir, "fail-activate"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		p.asks("A", role.ClaimUpdate{Request: 1, Image: "0a"})
		p.asks("A", role.InstallImage{Request: 1, SHA256: p.digest})
		got := p.asks("A", role.ActivateImage{Request: 1})
		if len(got) != 3 || got[0] != (role.Restarting{On: true}) || got[1].(role.UpdateEnded).Err == nil || got[2] != (role.Restarting{}) {
			t.Errorf("heard %+v", got)
		}
		if s, err := load(dir); err != nil || s.Phase != phaseNone || p.restarts != 0 {
			t.Errorf("%+v, %v, %d restarts", s, err, p.restarts)
		}
		p.called("install activate")
		p.asks("A", role.ClaimUpdate{Request: 2, Image: "0a"})
		if err := os.WriteFile(filepath.Join(dir, "image-0a"), []byte("changed"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := p.asks("A", role.InstallImage{Request: 2, SHA256: p.digest}); len(got) != 1 || !got[0].(role.ImageInstalled).Bad {
			t.Errorf("an image that has changed: %+v", got)
		}
		p.called("")
		p.asks("A", role.CancelUpdate{Request: 2})
		if got := p.asks("A", role.InstallImage{Request: 2, SHA256: sha256.Sum256([]byte("other"))}); len(got) != 1 || got[0].(role.ImageInstalled).Err == nil {
			t.Errorf("an image that is not there: %+v", got)
		}
	})
}
