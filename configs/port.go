package configs

import (
	"fmt"
	"slices"
)

// PortTLS is TLS towards vehicles, with the chains that the EVSE can show.
type PortTLS struct {
	Identities []Identity `yaml:"identities" doc:"Certificate chains to choose from by what the vehicle trusts; the first serves those that do not say."`
	Only       bool       `yaml:"only,omitempty" doc:"Serve no vehicle without TLS. Default false."`
	KeyLogFile string     `yaml:"key_log_file,omitempty" doc:"File for the keys of all sessions, in Wireshark's format: it makes all traffic readable, for debugging."`
}

// Identity is a certificate chain with its private key.
type Identity struct {
	CertFile string `yaml:"cert_file" doc:"Chain in PEM, leaf first, without the root."`
	KeyFile  string `yaml:"key_file,omitempty" doc:"Private key of the leaf in PEM, on P-256, readable by nobody else."`
	KeyRing  string `yaml:"key_ring,omitempty" doc:"Where the private key is instead: file:DIR, tpm:DEVICE?keys=DIR or pkcs11:MODULE?token=LABEL&pin-file=FILE."`
	KeyName  string `yaml:"key_name,omitempty" doc:"Name of the private key in key_ring."`
	RootFile string `yaml:"root_file,omitempty" doc:"Root of the chain in PEM: vehicles ask for a chain by its root."`
	OCSPFile string `yaml:"ocsp_file,omitempty" doc:"OCSP response about the leaf, in DER, to staple."`
}

// PortContract is Plug & Charge.
type PortContract struct {
	V2GRootsFile string  `yaml:"v2g_roots_file,omitempty" doc:"V2G roots in PEM, to which contracts may chain."`
	MORootsFile  string  `yaml:"mo_roots_file,omitempty" doc:"Roots of mobility operators in PEM."`
	Central      bool    `yaml:"central,omitempty" doc:"Pass contracts of unknown roots on to the CSMS, with their certificates. Default false."`
	Authorize    string  `yaml:"authorize,omitempty" doc:"station: the CSMS is asked about a contract. local: a contract of a known root may charge. Default station." enum:"station,local"`
	Certificates string  `yaml:"certificates,omitempty" doc:"Who answers a vehicle that wants a contract certificate. off: nobody. station: the CSMS. local: a test PKI in pki_dir, for test benches. Default off." enum:"off,station,local"`
	PKIDir       string  `yaml:"pki_dir,omitempty" doc:"Folder made by voltyard pki init, for certificates: local."`
	ReceiptS     float64 `yaml:"receipt_s,omitempty" doc:"How often the vehicle signs the meter reading, s. Default never."`
}

// PortTiming are the times of a session, s. What is absent has the standard's value.
type PortTiming struct {
	SetupS      float64 `yaml:"setup_s,omitempty" doc:"Connection to SessionSetupReq. Default 18."`
	SequenceS   float64 `yaml:"sequence_s,omitempty" doc:"Response to the next request. Default 60."`
	CPStateS    float64 `yaml:"cp_state_s,omitempty" doc:"Until state C is seen after PowerDeliveryReq. Default 1.5."`
	ContactorS  float64 `yaml:"contactor_s,omitempty" doc:"For the contactor to close or open. Default 3."`
	CableCheckS float64 `yaml:"cable_check_s,omitempty" doc:"Cable check. Default 38."`
	PreChargeS  float64 `yaml:"pre_charge_s,omitempty" doc:"Pre-charge. Default 5."`
	AuthEIMS    float64 `yaml:"auth_eim_s,omitempty" doc:"Waiting for external identification. Default 300."`
	AuthPnCS    float64 `yaml:"auth_pnc_s,omitempty" doc:"Waiting for the answer about a contract. Default 55."`
	ExchangeS   float64 `yaml:"exchange_s,omitempty" doc:"Waiting for the answer to a certificate request. Default 4.5."`
	StopS       float64 `yaml:"stop_s,omitempty" doc:"A vehicle that was asked to stop and goes on charging is failed after this. Default 60."`
}

// maxPlanS is how long a vehicle may wait for its schedule: it gives up after 60 s (V2G_EVCC_Ongoing_Timeout).
const maxPlanS = 50

// complete fills in the defaults of a port.
func (p *Port) complete(dir string) {
	def(&p.SDPPort, 15118)
	def(&p.SLAC, "off")
	def(&p.DIN, "on")
	if t := p.TLS; t != nil {
		for i := range t.Identities {
			id := &t.Identities[i]
			resolve(dir, &id.CertFile, &id.KeyFile, &id.RootFile, &id.OCSPFile)
		}
		resolve(dir, &t.KeyLogFile)
	}
	if c := p.Contract; c != nil {
		def(&c.Authorize, "station")
		def(&c.Certificates, "off")
		resolve(dir, &c.V2GRootsFile, &c.MORootsFile, &c.PKIDir)
	}
}

// vehicles checks what an EVSE's port says about the communication with vehicles.
func (c *checker) vehicles(e *EVSE, path string, file func(path, name string)) {
	p := e.Port
	for i, x := range p.Internet {
		if !slices.Contains([]string{"ftp", "http", "https"}, x) {
			c.add(fmt.Sprintf("%s.internet[%d]", path, i), "write one of ftp, http, https", "internet access by %q cannot be offered", x)
		}
	}
	if p.PlanS > maxPlanS {
		c.add(path+".plan_wait_s", "write 50 or less; 10 is enough for most", "a vehicle does not wait %g s for a schedule: it gives up after 60 s", p.PlanS)
	}
	if p.Vehicle != "" && e.HAL != "sim" {
		c.add(path+".vehicle", "leave it out", "real hardware has a real cable")
	}
	if t := p.TLS; t != nil {
		if len(t.Identities) == 0 {
			c.add(path+".tls.identities", "give at least one with its certificate and key", "TLS needs a certificate")
		}
		for i, id := range t.Identities {
			at := fmt.Sprintf("%s.tls.identities[%d]", path, i)
			switch ring := id.KeyRing != "" && id.KeyName != ""; {
			case id.CertFile == "" || id.KeyFile == "" && !ring:
				c.add(at, "give cert_file, and key_file or key_ring and key_name", "a certificate needs its key")
			case id.KeyFile != "" && (id.KeyRing != "" || id.KeyName != ""):
				c.add(at, "leave key_file out, or key_ring and key_name", "the private key is in one place")
			}
			file(at+".cert_file", id.CertFile)
			file(at+".key_file", id.KeyFile)
			file(at+".root_file", id.RootFile)
			file(at+".ocsp_file", id.OCSPFile)
		}
	}
	k := p.Contract
	if k == nil {
		return
	}
	switch {
	case p.TLS == nil:
		c.add(path+".contract", "add tls: to the port", "Plug & Charge needs TLS")
	case k.MORootsFile == "" && k.V2GRootsFile == "" && !k.Central:
		c.add(path+".contract", "give mo_roots_file or v2g_roots_file, or central: true with a CSMS that judges contracts", "no contract could ever be accepted")
	case k.Authorize == "local" && k.Central:
		c.add(path+".contract.authorize", "leave one of them out", "a contract of an unknown root cannot be authorised locally")
	}
	if (k.Certificates == "local") != (k.PKIDir != "") {
		c.add(path+".contract.certificates", "give certificates: local together with pki_dir", "certificates are made from the folder of a test PKI")
	}
	file(path+".contract.v2g_roots_file", k.V2GRootsFile)
	file(path+".contract.mo_roots_file", k.MORootsFile)
	file(path+".contract.pki_dir", k.PKIDir)
}
