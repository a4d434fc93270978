package configs

import (
	"os"
	"path/filepath"
	"testing"
)

// One listener for each security profile, with files beside the site file.
func TestListenersOfEveryProfile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ec.pem", "ec.key", "rsa.pem", "rsa.key", "roots.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Parse([]byte(`site: {id: x}
nodes: [{id: root, fuse_a: 63}]
csms: {url: "wss://csms.invalid/ocpp"}
stations:
  listeners:
    - {listen: "10.0.0.1:9000", profile: 1}
    - listen: "0.0.0.0:9001"
      profile: 2
      certificates: [{cert_file: ec.pem, key_file: ec.key}, {cert_file: rsa.pem, key_file: rsa.key}]
    - listen: "0.0.0.0:9002"
      profile: 3
      certificates: [{cert_file: ec.pem, key_file: ec.key}]
      client_ca_file: roots.pem
`), dir)
	if err != nil {
		t.Fatal(err)
	}
	l := s.Stations.Listeners
	if len(l) != 3 || l[1].Certificates[1].KeyFile != filepath.Join(dir, "rsa.key") || l[2].ClientCAFile != filepath.Join(dir, "roots.pem") || l[2].Profile != 3 {
		t.Errorf("%+v", l)
	}
}
