// Package station is the charging-station role of OCPP 2.0.1 as a machine without I/O: what a station says to its CSMS
// and does on its behalf. The EVSEs are events and effects: plugged, token presented, energy flows on the one side,
// permission, limit, stop, unlock on the other. The site's own EVSEs, the local controller's own identity (a station
// without EVSEs) and the simulated stations all run it.
//
// Whoever drives it feeds one event at a time to Step and carries out the effects in order. What has to survive a
// restart comes out as Save; answers that promise durability are written only after the Stored that follows.
package station

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/profile"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Config describes a station.
type Config struct {
	Identity  string
	Vendor    string // at most 50 characters
	Model     string // at most 20
	Serial    string // at most 25
	Firmware  string // at most 50
	EVSEs     []EVSEConfig
	Rating    profile.Rating // of the whole station
	Reason    v201.BootReasonEnum
	Variables map[string]string // initial values by "Component.Variable", over the defaults
	Fixed     map[string]string // the same for what cannot be carried out where the station is: the CSMS reads the truth and cannot set it
	Chain     []string          // identities of stations behind this one (component LocalController), when it is a controller
	Control   bool              // it is a local controller
	Logs      bool              // whoever drives it carries out Upload
	Updates   *Updates          // whoever drives it carries out firmware updates; nil: none
	Publishes bool              // whoever drives it carries out Publish and Unpublish; of a local controller
	Display   bool              // its EVSEs have displays, which carry out Show
	// Certificates says that whoever drives it makes keys and uses certificates: it carries out MakeKey, UseCertificate, Roots and
	// Staple.
	Certificates bool
	// Certified says that it has a certificate of its own towards the CSMS from elsewhere.
	Certified bool
	// Installed are the roots that it is configured with locally. One that the CSMS deletes stays away until the configuration has
	// been without it.
	Installed []Root
	// Network is where it is configured locally to connect, slot 1 of the network profiles; nil when that is nothing to the machine.
	Network *Network
	NewID   func() string // source of message and transaction ids, at most 36 characters, never twice the same
}

// Root is a root certificate in PEM.
type Root struct {
	Use v201.GetCertificateIdUseEnum
	PEM string
}

// EVSEConfig describes an EVSE with one connector; EVSEs are numbered from 1 in the order of the list.
type EVSEConfig struct {
	ConnectorType string // as in the standard's list, cType2 or cCCS2 for instance
	Rating        profile.Rating
	DC            bool
	PhaseSwitch   bool   // it can choose the phase that it connects, and how many: whoever drives the machine follows Limit.Phases and PhaseToUse
	Socket        bool   // drivers bring their cables, whose plugs it can lock: whoever drives the machine carries out Lock
	Signs         bool   // its meter signs readings: whoever drives the machine carries out SignReading
	PublicKey     []byte // of the meter that signs, DER; nil when it is not known before the first signature
}

// Event goes into the machine.
type Event interface{ event() }

type (
	// Connected says that the websocket to the CSMS is open.
	Connected struct {
		ID   uint64 // of the Dial that led to it; 0 for the last one
		Root string // installed CSMS root that its certificate chains to, in PEM; "" when that is not known
	}
	// Disconnected says that it is closed.
	Disconnected struct{}
	// Message is a text message from the CSMS; Raw belongs to the machine from then on.
	Message struct{ Raw []byte }
	// Tick says that the Deadline has come.
	Tick struct{}
	// Stored answers Save.
	Stored struct {
		Token uint64
		Err   error
	}

	// Plugged says that a vehicle is connected to the EVSE.
	Plugged struct{ EVSE int }
	// Unplugged says that it is gone.
	Unplugged struct{ EVSE int }
	// Presented is a token shown at the EVSE. Without a type it is free of authorisation.
	Presented struct {
		EVSE  int
		Token v201.IdToken
	}
	// ContractShown is the contract of a vehicle, which is no wish to stop like a card that is shown again. Permit answers it.
	ContractShown struct {
		EVSE     int
		Token    v201.IdToken // of the type eMAID
		Contract Contract
	}
	// CertificateWanted is a vehicle's request to install or update its contract certificate, as raw EXI; CertificateIs
	// answers it within 4 s.
	CertificateWanted struct {
		EVSE   int
		Token  uint64
		Update bool
		EXI    []byte
	}
	// KeyMade answers MakeKey. CSR is the request for its certificate (PKCS #10, PEM), Key the name of the key.
	KeyMade struct {
		Use      v201.CertificateSigningUseEnum
		CSR, Key string
		Err      error
	}
	// SecurityEvent is a critical security event outside of the machine, by its name in the standard's list.
	SecurityEvent struct{ Type, Info string }
	// Flow says what the energy transfer does: Charging, SuspendedEV, SuspendedEVSE or EVConnected.
	Flow struct {
		EVSE   int
		State  v201.ChargingStateEnum
		Phases int // in use, 0 when unknown
	}
	// Reading is a reading of the EVSE's meter.
	Reading struct {
		EVSE   int
		Energy si.WattHours // import register
		Export si.WattHours // export register
		Power  si.Watts
		Amps   si.Phases
		Volts  [3]si.Volts
		SoC    float64 // %, negative when unknown
	}
	// StoppedByEV says that the vehicle ended the session itself.
	StoppedByEV struct{ EVSE int }
	// Fault says that an EVSE cannot be used; an empty Code lifts it.
	Fault struct {
		EVSE int
		Code string
	}
	// Unlocked answers Unlock.
	Unlocked struct {
		EVSE int
		OK   bool
	}
)

func (Connected) event()         {}
func (Disconnected) event()      {}
func (Message) event()           {}
func (Tick) event()              {}
func (Stored) event()            {}
func (Plugged) event()           {}
func (Unplugged) event()         {}
func (Presented) event()         {}
func (ContractShown) event()     {}
func (CertificateWanted) event() {}
func (KeyMade) event()           {}
func (SecurityEvent) event()     {}
func (Flow) event()              {}
func (Reading) event()           {}
func (StoppedByEV) event()       {}
func (Fault) event()             {}
func (Unlocked) event()          {}

// Effect comes out of the machine.
type Effect interface{ effect() }

// Op is one write: Value nil deletes the key. Keys are of this station alone.
type Op struct {
	Key   string
	Value []byte
}

type (
	// Write sends a text message to the CSMS.
	Write struct{ Raw []byte }
	// Hangup closes the connection, to be dialled again.
	Hangup struct{ Why string }
	// Deadline asks for a Tick; the zero time cancels it.
	Deadline struct{ At time.Time }
	// Save asks to write all Ops or none; Stored with Token must follow.
	Save struct {
		Ops   []Op
		Token uint64
	}

	// Permit tells whether the EVSE may charge, in answer to Presented and whenever that changes.
	Permit struct {
		EVSE    int
		Allowed bool
		Token   v201.IdToken
		Remote  bool
		Refusal v201.AuthorizeCertificateStatusEnum // why a contract is refused; empty when it is only not accepted here
	}
	// MakeKey asks for a new private key and a request for its certificate; KeyMade must follow. Use is empty for a key that
	// serves towards CSMS and vehicles. The request is for this name and organization.
	MakeKey struct {
		Use                v201.CertificateSigningUseEnum
		Name, Organization string
	}
	// UseCertificate has a certificate of the station's own used from now on, with the key of this name: a new one when its
	// validity begins, the kept ones after a start, the newest last. Use is ChargingStationCertificate or V2GCertificateChain; PEM
	// is the chain from the leaf on.
	UseCertificate struct {
		Use      v201.GetCertificateIdUseEnum
		Key, PEM string
		From     time.Time
	}
	// Staple is the status of a certificate of the station's own (OCSP response in DER), to be shown to vehicles.
	Staple struct {
		Certificate v201.CertificateHashData
		OCSP        []byte
	}
	// Roots are the roots of a use that count from now on, newest first; after a start those of every use that has some.
	Roots struct {
		Use v201.GetCertificateIdUseEnum
		PEM []string
	}
	// CertificateIs answers CertificateWanted with the whole response for the vehicle; EXI is nil when there is none.
	CertificateIs struct {
		EVSE  int
		Token uint64
		EXI   []byte
	}
	// Limit is what the EVSE may draw, on every change.
	Limit struct {
		EVSE  int
		Limit profile.Limit
	}
	// StationLimit is what the station may draw in all, on every change.
	StationLimit struct{ Limit profile.Limit }
	// Stop asks to end the energy transfer in good order.
	Stop struct {
		EVSE int
		Why  string
	}
	// Unlock asks to release the connector; Unlocked must follow.
	Unlock struct{ EVSE int }
	// Operative sets an EVSE in or out of service.
	Operative struct {
		EVSE int
		On   bool
	}
	// Reboot asks to start the machine (or one EVSE) anew; what was saved is its memory.
	Reboot struct{ EVSE int }
	// Password is the new Basic-auth password that the CSMS has set; the next connection uses it.
	Password struct{ New string }
	// Started and Ended report transactions, for statistics.
	Started struct {
		EVSE int
		Tx   string
	}
	// Ended reports the end of a transaction.
	Ended struct {
		EVSE   int
		Tx     string
		Reason v201.ReasonEnum
		Energy si.WattHours
	}
	// Note is a line for the log. Bad ones count as OCPP errors.
	Note struct {
		What string
		Bad  bool
	}
)

func (Write) effect()          {}
func (Hangup) effect()         {}
func (Deadline) effect()       {}
func (Save) effect()           {}
func (Permit) effect()         {}
func (MakeKey) effect()        {}
func (UseCertificate) effect() {}
func (Staple) effect()         {}
func (Roots) effect()          {}
func (CertificateIs) effect()  {}
func (Limit) effect()          {}
func (StationLimit) effect()   {}
func (Stop) effect()           {}
func (Unlock) effect()         {}
func (Operative) effect()      {}
func (Reboot) effect()         {}
func (Password) effect()       {}
func (Started) effect()        {}
func (Ended) effect()          {}
func (Note) effect()           {}
