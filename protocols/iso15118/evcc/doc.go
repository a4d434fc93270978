// Package evcc holds what the vehicle's communication controller has in common over all protocols: the events that come to
// its machines, the effects that they ask for, and their times. It is the other side of package secc and of the same kind,
// so that both can run against each other without sockets.
//
// The machines stand beneath: din is DIN SPEC 70121 and v2 is ISO 15118-2, each from supportedAppProtocol on; base is what
// they share. The simulated vehicle drives them.
package evcc

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// Machine is the vehicle's side of a session.
type Machine interface {
	Step(now time.Time, ev Event, out []Effect) []Effect
}

// Event is what happens to a machine.
type Event interface{ event() }

// Connected is the first event: the connection to the SECC stands.
type Connected struct{}

// Received is a whole V2GTP message. EXI is only read during Step.
type Received struct {
	Payload uint16
	EXI     []byte
}

// Deadline says that the instant of the last SetDeadline has come.
type Deadline struct{}

// Vehicle is what the vehicle measures and wants. It comes before everything else and then with every change.
type Vehicle struct {
	Powered  bool     // AC: voltage is at the inlet
	Volts    si.Volts // DC: at the inlet, from the EVSE
	Amps     si.Amps  // DC: through the inlet
	Battery  si.Volts // DC: of the battery
	SoC      si.Percent
	Capacity si.WattHours
	Energy   si.WattHours // still wanted
	MaxAmps  si.Amps      // that the battery takes now: AC per phase, DC total
	MinAmps  si.Amps
	MaxWatts si.Watts
	MaxVolts si.Volts
	Depart   time.Duration // from now; 0 when unknown
	Done     bool          // it wants nothing more, or wants to leave
	Pause    bool          // when Done: it comes back to the same session
}

// Renegotiate has the vehicle negotiate its schedule anew, at the next turn of the charging loop.
type Renegotiate struct{}

// Signed answers Sign with an ASN.1 signature.
type Signed struct{ Signature []byte }

// Opened answers Open: the contract that the vehicle has now, or why the response is refused.
type Opened struct {
	EMAID string
	Chain [][]byte
	Err   string
}

// Gone says that the connection has ended.
type Gone struct{}

func (Connected) event()   {}
func (Received) event()    {}
func (Deadline) event()    {}
func (Vehicle) event()     {}
func (Gone) event()        {}
func (Renegotiate) event() {}
func (Signed) event()      {}
func (Opened) event()      {}

// Effect is what a machine asks for.
type Effect interface{ effect() }

// Send sends a V2GTP message to the SECC. EXI belongs to the receiver of the effect.
type Send struct {
	Payload uint16
	EXI     []byte
}

// SetDeadline asks for Deadline at this instant instead of any earlier asked one; zero asks for none.
type SetDeadline struct{ At time.Time }

// Pilot asks for state C (ready) or B of the control pilot.
type Pilot struct{ Ready bool }

// Relays asks for the vehicle's own relays between inlet and battery to be closed or opened (DC).
type Relays struct{ Close bool }

// Draw is how much the vehicle may draw now: AC A per phase, DC what the EVSE said it can give. 0 draws nothing.
type Draw struct {
	Amps  si.Amps
	Watts si.Watts // DC
}

// Progress names the state, for display.
type Progress struct {
	State  string
	Joined bool // the EVSE joined the session that was paused
}

// Key names one of the vehicle's private keys.
type Key string

// The keys of a vehicle.
const (
	KeyContract     Key = "contract"
	KeyProvisioning Key = "provisioning"
)

// Sign asks for a signature of a SHA-256 digest. The answer is Signed.
type Sign struct {
	Key    Key
	Digest []byte
}

// Open asks to check the response to a certificate request and to take the contract out of it, which needs a private key. The
// answer is Opened.
type Open struct {
	Key     Key
	Message *v2.V2GMessage
}

// End is the last effect: the connection shall be closed.
type End struct {
	OK  bool
	Why string
	// Paused is the session to come back to; nil when it has ended.
	Paused []byte
}

func (Send) effect()        {}
func (SetDeadline) effect() {}
func (Pilot) effect()       {}
func (Relays) effect()      {}
func (Draw) effect()        {}
func (Progress) effect()    {}
func (Sign) effect()        {}
func (Open) effect()        {}
func (End) effect()         {}

// Timing holds the times of the vehicle's side. The zero value is completed with the standard's (ISO 15118-2, tables 109
// and 111).
type Timing struct {
	Message       time.Duration // response to a request, 2 s
	Long          time.Duration // ServiceDetail, PaymentDetails, PowerDelivery, certificates: 5 s
	CurrentDemand time.Duration // 250 ms
	Ongoing       time.Duration // of all repeated requests of one kind, 60 s
	CableCheck    time.Duration // 40 s
	PreCharge     time.Duration // 7 s
	Poll          time.Duration // between repeated requests, 250 ms
	Loop          time.Duration // between requests of the charging loops, 200 ms
	AuthEIM       time.Duration // waiting for somebody to authorise, 300 s
	ReadyToCharge time.Duration // DIN 70121: from SessionSetup until energy flows, 150 s
}

// Filled returns t with the standard's value, or a usual one, for each that is zero.
func (t Timing) Filled() Timing {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&t.Message, 2*time.Second)
	set(&t.Long, 5*time.Second)
	set(&t.CurrentDemand, 250*time.Millisecond)
	set(&t.Ongoing, 60*time.Second)
	set(&t.CableCheck, 40*time.Second)
	set(&t.PreCharge, 7*time.Second)
	set(&t.Poll, 250*time.Millisecond)
	set(&t.Loop, 200*time.Millisecond)
	set(&t.AuthEIM, 300*time.Second)
	set(&t.ReadyToCharge, 150*time.Second)
	return t
}

// Config is what a machine needs to know about its vehicle.
type Config struct {
	EVCCID [6]byte // the MAC address of the vehicle's modem
	DC     bool
	Phases int // AC, 1 or 3
	Timing Timing
	// Contract is what the vehicle pays with; nil asks for external identification.
	Contract *Contract
	// Session is the paused session to come back to; nil begins a new one.
	Session []byte
}

// Contract is the vehicle's side of Plug & Charge. It needs TLS.
type Contract struct {
	EMAID string
	Chain [][]byte // DER, leaf first, without root; none before the installation
	// Install asks for a first certificate, with the provisioning certificate; Update for a new one.
	Install, Update bool
	Provisioning    []byte // DER
	// Roots are the V2G roots of the vehicle, which it names in a certificate request.
	Roots []xmldsig.X509IssuerSerial
}
