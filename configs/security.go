package configs

import (
	"fmt"
	"net"
)

// Listener is an address for connections of stations, with one security profile of OCPP (2.0.1 part 2, A00.FR.006).
type Listener struct {
	Listen       string        `yaml:"listen" doc:"Address, host:port."`
	Profile      int           `yaml:"profile" doc:"OCPP security profile. 1: password, no TLS, for trusted networks. 2: TLS and password. 3: TLS and the station's certificate."`
	Certificates []Certificate `yaml:"certificates,omitempty" doc:"The controller's certificates: one with an ECDSA key, one with an RSA key, or both. A changed file is used without a restart."`
	ClientCAFile string        `yaml:"client_ca_file,omitempty" doc:"Roots in PEM that the stations' certificates must chain to (profile 3)."`
}

// Certificate is a chain with its private key.
type Certificate struct {
	CertFile string `yaml:"cert_file" doc:"Chain in PEM, leaf first."`
	KeyFile  string `yaml:"key_file" doc:"Private key in PEM, readable by nobody else."`
}

func (l *Listener) complete(dir string) {
	for i := range l.Certificates {
		resolve(dir, &l.Certificates[i].CertFile, &l.Certificates[i].KeyFile)
	}
	resolve(dir, &l.ClientCAFile)
}

// listeners checks that each listener has what its profile needs, and nothing that would not be used.
func (c *checker) listeners(st *Stations, file func(path, name string)) {
	seen := map[string]bool{st.Listen: true}
	for i, l := range st.Listeners {
		path := fmt.Sprintf("$.stations.listeners[%d]", i)
		if _, _, err := net.SplitHostPort(l.Listen); err != nil {
			c.add(path+".listen", "write it as 0.0.0.0:9001", "%q is no address", l.Listen)
		} else if seen[l.Listen] {
			c.add(path+".listen", "give each listener a port of its own: a port has one security profile", "%s is listened at already", l.Listen)
		}
		seen[l.Listen] = true
		switch {
		case l.Profile < 1 || l.Profile > 3:
			c.add(path+".profile", "write 1, 2 or 3", "%d is no security profile", l.Profile)
		case l.Profile == 1 && (len(l.Certificates) > 0 || l.ClientCAFile != ""):
			c.add(path, "leave certificates and client_ca_file out, or write profile: 2 or 3", "security profile 1 has no TLS")
		case l.Profile > 1 && len(l.Certificates) == 0:
			c.add(path, "give certificates with cert_file and key_file", "security profile %d needs a certificate", l.Profile)
		case l.Profile == 3 && l.ClientCAFile == "":
			c.add(path, "give client_ca_file", "security profile 3 needs the roots of the stations' certificates")
		case l.Profile == 2 && l.ClientCAFile != "":
			c.add(path+".client_ca_file", "leave it out, or write profile: 3", "security profile 2 asks stations for no certificate")
		}
		if len(l.Certificates) > 2 {
			c.add(path+".certificates", "give one with an ECDSA key and one with an RSA key", "a listener has at most two certificates")
		}
		for k, x := range l.Certificates {
			at := fmt.Sprintf("%s.certificates[%d]", path, k)
			if x.CertFile == "" || x.KeyFile == "" {
				c.add(at, "give both cert_file and key_file", "a certificate needs its key")
			}
			file(at+".cert_file", x.CertFile)
			file(at+".key_file", x.KeyFile)
		}
		file(path+".client_ca_file", l.ClientCAFile)
	}
}
