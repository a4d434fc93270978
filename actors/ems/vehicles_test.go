package ems

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/storage/keyring"
)

// The private key of an EVSE's certificate comes from a file or from a keyring, and never from a file that others may read.
func TestKeysOfVehicleTLS(t *testing.T) {
	set, err := testpki.New(pki.ISO2, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, mode os.FileMode, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secc := set.Get(pki.SECC)
	key, err := secc.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	cert, good, open := file("secc.pem", 0o644, secc.ChainPEM()), file("secc.key", 0o600, key), file("open.key", 0o644, key)
	v := newVehicles(kit.NewEnv(zerolog.Nop()), &configs.Site{}, Parts{Net: network.NewMemory()}, nil)
	port := func(id configs.Identity) *configs.PortTLS {
		id.CertFile = cert
		return &configs.PortTLS{Identities: []configs.Identity{id}}
	}
	ring := configs.Identity{KeyRing: "file:" + dir, KeyName: "secc"}
	for name, id := range map[string]configs.Identity{"file": {KeyFile: good}, "ring": ring} {
		if _, err := v.server(port(id), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	one, _ := v.server(port(ring), nil)
	if two, _ := v.server(port(ring), nil); one == nil || one != two {
		t.Error("EVSEs with the same certificate have servers of their own")
	}
	for name, c := range map[string]struct {
		id   configs.Identity
		want error
	}{
		"key that others may read": {configs.Identity{KeyFile: open}, keyring.ErrPermission},
		"missing key":              {configs.Identity{KeyRing: "file:" + dir, KeyName: "none"}, keyring.ErrNotFound},
	} {
		if _, err := v.server(port(c.id), nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.server(port(configs.Identity{KeyRing: "usb:x", KeyName: "secc"}), nil); err == nil {
		t.Error("an unknown kind of ring is opened")
	}
}
