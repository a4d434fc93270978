package testpki

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"time"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
)

// OCPP is what security profiles 2 and 3 of OCPP need: a root, the CSMS, the controller and stations. All keys are P-256.
type OCPP struct {
	now  time.Time
	Root *Entity
	// CSMS is a server's certificate for localhost.
	CSMS *Entity
	// Controller is both: a client towards the CSMS and a server towards the stations.
	Controller *Entity
	// Stations are clients; the common name is the station's identity.
	Stations []*Entity
}

// Profiles of OCPP's certificates; the standard demands no DC and one level of CAs is enough here.
var (
	ocppRoot = pki.Profile{Name: "OCPP root", CA: true, PathLen: -1, Usage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, Lifetime: 10 * 365 * 24 * time.Hour}
	// OCPPLeaf is the profile of everything below the root.
	OCPPLeaf = pki.Profile{Name: "OCPP leaf", Usage: x509.KeyUsageDigitalSignature, Lifetime: 365 * 24 * time.Hour}
)

var localhost = []string{"localhost", "127.0.0.1", "::1"}

// NewOCPP makes the certificates of OCPP for a controller and stations with these identities.
func NewOCPP(now time.Time, controller string, stations ...string) (*OCPP, error) {
	o := &OCPP{now: now}
	var err error
	if o.Root, err = newEntity(elliptic.P256(), now, nil, Subject{Name: "ocpp-root", CommonName: "OCPP root CA", Profile: ocppRoot}); err != nil {
		return nil, err
	}
	if o.CSMS, err = o.Issue(Subject{Name: "csms", CommonName: "localhost", Hosts: localhost, ExtUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
		return nil, err
	}
	if o.Controller, err = o.Issue(Subject{Name: "controller", CommonName: controller, Hosts: localhost,
		ExtUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}); err != nil {
		return nil, err
	}
	for _, id := range stations {
		s, err := o.Station(id)
		if err != nil {
			return nil, err
		}
		o.Stations = append(o.Stations, s)
	}
	return o, nil
}

// Station makes a station's certificate.
func (o *OCPP) Station(id string) (*Entity, error) {
	return o.Issue(Subject{Name: "station-" + id, CommonName: id, ExtUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// Issue makes one more certificate of the OCPP root; the profile is that of a leaf.
func (o *OCPP) Issue(s Subject) (*Entity, error) {
	s.Profile = OCPPLeaf
	return newEntity(elliptic.P256(), o.now, o.Root, s)
}

// IssueFor makes a certificate of the OCPP root for a key that somebody else has; the profile is that of a leaf.
func (o *OCPP) IssueFor(key crypto.PublicKey, s Subject) (*Entity, error) {
	s.Profile = OCPPLeaf
	return o.Root.Sign(o.now, key, s)
}

// All returns every entity, issuers first.
func (o *OCPP) All() []*Entity { return append([]*Entity{o.Root, o.CSMS, o.Controller}, o.Stations...) }
