package msg

import (
	"net/netip"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// The border between an EVSE actor and its children, the port and the session. Gen is the generation in the child's name;
// an EVSE ignores messages of another generation than the one it has.

// Protocol names what a vehicle speaks, as in the key of the session statistics.
type Protocol string

// Protocols a session can end up with. The value is the key in statistics, API and trace.
const (
	ProtocolPilot  Protocol = "iec61851"
	ProtocolDIN    Protocol = "din70121-dc"
	ProtocolV2AC   Protocol = "iso15118-2-ac"
	ProtocolV2DC   Protocol = "iso15118-2-dc"
	ProtocolV20AC  Protocol = "iso15118-20-ac"
	ProtocolV20DC  Protocol = "iso15118-20-dc"
	ProtocolV20ACB Protocol = "iso15118-20-ac-bpt"
	ProtocolV20DCB Protocol = "iso15118-20-dc-bpt"
)

// SessionListening: the session accepts its one vehicle at these addresses; a zero address is not offered.
// Sent by the session to its EVSE, which passes it on to the port for SDP answers.
type SessionListening struct {
	Gen   uint64
	Plain netip.AddrPort
	TLS   netip.AddrPort
}

// PortLink says whether the power line to the vehicle is up (always true where SLAC is off). Port to EVSE.
type PortLink struct {
	Gen uint64
	Up  bool
}

// PortDiscovered: the vehicle has asked for the SECC and got its answer. Port to EVSE, once.
type PortDiscovered struct{ Gen uint64 }

// SessionDiscovered: a vehicle has been told where the session listens and should connect soon. EVSE to session.
type SessionDiscovered struct{ Gen uint64 }

// SessionStage is how far a vehicle session has come, for display.
type SessionStage string

// Stages in the order in which a session passes them.
const (
	StageListening SessionStage = "listening"
	StageSetup     SessionStage = "setup"
	StageAuth      SessionStage = "authorization"
	StageParams    SessionStage = "parameters"
	StageCable     SessionStage = "cable-check"
	StagePreCharge SessionStage = "pre-charge"
	StageCharging  SessionStage = "charging"
	StageWelding   SessionStage = "welding-detection"
	StageStopped   SessionStage = "stopped"
	StagePaused    SessionStage = "paused" // ended, to be resumed
)

// SessionState tells the EVSE about progress. Session to EVSE, on every change.
type SessionState struct {
	Gen      uint64
	Protocol Protocol
	Stage    SessionStage
	EVCCID   string // the vehicle's identifier as upper-case hexadecimal, empty until known
}

// SessionAuthorize asks for authorisation of external identification (EIM) or of a contract. Session to EVSE;
// the answer is SessionAuthorized, any time later.
type SessionAuthorize struct {
	Gen      uint64
	EVCCID   string
	Contract *Contract // nil for EIM
}

// Contract is what a vehicle has shown of its contract and proved to be its own. It is immutable.
type Contract struct {
	EMAID  string   // normalised: upper case, without separators
	Chain  [][]byte // DER, leaf first, without the root
	Rooted bool     // the chain leads to a root that this EVSE trusts
	// Hash names the certificates towards OCPP, leaf first (OCSPRequestDataType).
	Hash []CertificateHash
}

// CertificateHash names a certificate as OCPP does; hashes and serial number are lower-case hexadecimal.
type CertificateHash struct {
	Algorithm, IssuerNameHash, IssuerKeyHash, SerialNumber, ResponderURL string
}

// Refusal says why a contract is refused. The values are those of OCPP's certificate status.
type Refusal string

// Reasons; empty means that it is not accepted here.
const (
	RefusedExpired   Refusal = "CertificateExpired"
	RefusedRevoked   Refusal = "CertificateRevoked"
	RefusedChain     Refusal = "CertChainError"
	RefusedSignature Refusal = "SignatureError"
	RefusedNone      Refusal = "NoCertificateAvailable"
	RefusedCanceled  Refusal = "ContractCancelled"
)

// SessionAuthorized answers SessionAuthorize. EVSE to session.
type SessionAuthorized struct {
	Gen      uint64
	Accepted bool
	Refusal  Refusal
}

// SessionCertificate carries a vehicle's request to install or update its contract certificate, as it came. Session to EVSE,
// which passes it on; the answer is SessionCertificateIs, within the 4.5 s that the vehicle leaves.
type SessionCertificate struct {
	Gen    uint64
	Update bool
	EXI    []byte
}

// SessionCertificateIs is the whole response, which goes to the vehicle byte for byte; nil when there is none. EVSE to session.
type SessionCertificateIs struct {
	Gen uint64
	EXI []byte
}

// ContractCertificate asks for a contract certificate on behalf of a vehicle (OCPP Get15118EVCertificate with the schema of
// ISO 15118-2, exiRequest in base64). EVSE to its station role; the answer is ContractCertificateIs with the same Token.
type ContractCertificate struct {
	EVSE   string
	Token  uint64
	Update bool
	EXI    []byte
}

// ContractCertificateIs answers ContractCertificate; EXI is nil when there is no response. Station to EVSE.
type ContractCertificateIs struct {
	EVSE  string
	Token uint64
	EXI   []byte
}

// SessionPlan is what the site plans for the vehicle of the session; it is offered at the next chance. EVSE to session.
type SessionPlan struct {
	Gen       uint64
	Made      time.Time // the times of the plan are from then
	Tuples    []PlanTuple
	Signature *xmldsig.Signature // the operator's, over the tariffs
	More      bool               // the CSMS was asked for a better one
}

// SessionAsks says that the vehicle asks for a schedule; SessionPlan answers it. Session to EVSE, after SessionNeeds.
type SessionAsks struct {
	Gen     uint64
	Again   bool // because it was asked to negotiate anew
	Entries int  // how many the vehicle can hold; 0 when it does not say
}

// SessionChose is the schedule that the vehicle has chosen, from now on: with the entries of its own profile, if it has sent one.
// Session to EVSE.
type SessionChose struct {
	Gen   uint64
	Tuple PlanTuple
}

// VehicleAsks is what a vehicle needs when it asks for a schedule. VehiclePlan answers it. EVSE to station.
type VehicleAsks struct {
	EVSE    string
	Needs   SessionNeeds
	Again   bool
	Entries int
}

// VehicleChose is the schedule that a vehicle has chosen, from now on. EVSE to station.
type VehicleChose struct {
	EVSE  string
	Tuple PlanTuple
}

// PlanTuple is one schedule of a plan.
type PlanTuple struct {
	ID      uint8
	Entries []PlanEntry
	End     time.Duration // of the last entry
	Tariff  *v2.SalesTariff
}

// PlanEntry is the greatest power from Start until the next entry.
type PlanEntry struct {
	Start time.Duration
	Max   si.Watts
}

// PlanSource is who made a plan.
type PlanSource uint8

// Sources of a plan. The site's has one schedule; the CSMS may let the vehicle choose among three.
const (
	PlanOfSite PlanSource = iota
	PlanOfCSMS
)

// VehiclePlan is what is planned for the vehicle at an EVSE, from the instant at which it is sent: of two sources the lower
// counts. Renegotiate has a vehicle that charges by an older plan negotiate anew. Balancer or station to EVSE.
type VehiclePlan struct {
	EVSE        string
	Source      PlanSource
	Tuples      []PlanTuple
	Signature   *xmldsig.Signature // the operator's, over the tariffs
	Renegotiate bool
}

// SessionRenegotiate has the vehicle negotiate its schedule anew. EVSE to session.
type SessionRenegotiate struct{ Gen uint64 }

// SessionPaused is a session that its vehicle will come back to. Session to EVSE before SessionEnded, which keeps it until the
// vehicle unplugs, and EVSE to the next session.
type SessionPaused struct {
	Gen       uint64
	SessionID [8]byte
	EVCCID    string
}

// SessionNeeds is what the vehicle said about itself. Zero values mean it did not say. Session to EVSE, on every change.
type SessionNeeds struct {
	Gen        uint64
	Phases     int           // AC phases the vehicle asks for, 1 or 3
	MinCurrent si.Amps       // AC: per phase; DC: total
	MaxCurrent si.Amps       // AC: per phase; DC: total
	MaxPower   si.Watts      // DC
	MaxVoltage si.Volts      // DC
	Energy     si.WattHours  // what it still wants
	Capacity   si.WattHours  // of the battery
	SoC        si.Percent    // -1 when unknown
	Departure  time.Duration // from now; 0 when unknown
}

// SessionContactor asks to close or open the contactor; the answer is SessionContactorIs. Session to EVSE.
type SessionContactor struct {
	Gen   uint64
	Close bool
}

// SessionContactorIs reports the contactor's feedback, on request and on every change. EVSE to session.
type SessionContactorIs struct {
	Gen    uint64
	Closed bool
}

// SessionDC asks the EVSE to run its DC power module. The EVSE clamps it to the grant at once. Session to EVSE.
type SessionDC struct {
	Gen   uint64
	Mode  hal.ModuleMode
	Volts si.Volts
	Amps  si.Amps
}

// SessionPresent is what the EVSE measures and may give right now. EVSE to session, on every change and at least every
// 250 ms while a vehicle is connected; the session answers the vehicle from the last one it has.
type SessionPresent struct {
	Gen        uint64
	Pilot      hal.Pilot     // state of the control pilot
	Closed     bool          // contactor feedback
	Volts      si.Volts      // DC at the outlet
	Amps       si.Amps       // DC at the outlet
	Isolation  hal.Isolation // result of the last insulation test
	Energy     si.WattHours  // meter register, import
	MaxCurrent si.Amps       // AC: per phase now granted; DC: total now granted; 0 means pause
	MaxPower   si.Watts      // now granted, W
	MaxVoltage si.Volts      // DC: of the power module
	MinVoltage si.Volts
	MinCurrent si.Amps
	Ready      bool    // the module can deliver / the EVSE can charge
	Emergency  bool    // emergency stop
	RatedAmps  si.Amps // what the hardware can do: AC per phase, DC total
	RatedWatts si.Watts
	Phases     int // AC phases the EVSE can use now
}

// SessionSeen says that the vehicle has read this limit: a request came after the response that told it. Session to EVSE.
type SessionSeen struct {
	Gen  uint64
	Amps si.Amps // AC, per phase
}

// SessionStop asks the session to end the charging with the vehicle in good order. EVSE to session.
type SessionStop struct {
	Gen uint64
	Why string
}

// SessionEnded is the last word of a session. Session to EVSE, once.
type SessionEnded struct {
	Gen   uint64
	OK    bool   // the vehicle went through SessionStop
	Class string // failure class (actors/session/FAILURES.md); empty when OK
	Why   string
}
