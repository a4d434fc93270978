package hal

import (
	"context"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// MeterReading is one reading of an energy meter. Registers never run backwards.
type MeterReading struct {
	At      time.Time
	Import  si.WattHours // register, consumed
	Export  si.WattHours // register, delivered back
	Power   si.Watts     // now, positive when consuming
	Current si.Phases    // at the meter's own terminals, positive when consuming; DC meters use entry 0
	Voltage [3]si.Volts
	Signed  *SignedRecord // what the meter has signed about this reading; nil where it has not been asked to (Signer)
}

// SignedRecord is what a meter has signed about a reading.
type SignedRecord struct {
	Data      string // as the meter gave it
	Encoding  string // of Data: OCMF, or a name of the maker's
	Method    string // of the signature, such as ECDSA-secp256r1-SHA256
	PublicKey []byte // to verify it with, DER (SubjectPublicKeyInfo)
}

// Moment says what a signed reading is for.
type Moment uint8

// Moments of a transaction.
const (
	MomentDuring Moment = iota // during a transaction, or apart from any
	MomentBegin
	MomentEnd
)

// Signer is a Meter that signs. Its methods are safe for concurrent use with Read.
type Signer interface {
	// Sign takes a reading now and has the meter sign it; it returns within ctx. Meters take up to seconds to sign.
	Sign(ctx context.Context, m Moment) (MeterReading, error)
	// PublicKey is that of the meter, DER; nil when it is only known from signed records.
	PublicKey() []byte
}

// Meter reads energy, power and currents. An EVSE's meter measures at its own terminals.
type Meter interface {
	// Read takes a reading; it returns within ctx. A reading is current as of its At.
	Read(ctx context.Context) (MeterReading, error)
	Close() error
}
