package station

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// SignReading asks for a reading that the meter takes and signs now; ReadingSigned must follow. Context tells the meter what
// it is for: Transaction.Begin, Transaction.End, or anything else.
type SignReading struct {
	EVSE    int
	Token   uint64
	Context v201.ReadingContextEnum
}

// ReadingSigned answers SignReading. Without Data there is no signature.
type ReadingSigned struct {
	Token   uint64
	Reading Reading
	At      time.Time // when the meter took it
	Record  SignedRecord
}

// SignedRecord is what a meter has signed about a reading of its import register (J01.FR.21, J02.FR.21).
type SignedRecord struct {
	Data      string // as the meter gave it
	Encoding  string // OCMF, for instance; at most 50 characters
	Method    string // ECDSA-secp256r1-SHA256, for instance; at most 50 characters
	PublicKey []byte // DER
}

func (SignReading) effect()  {}
func (ReadingSigned) event() {}

// signTime is how long a meter may take to sign. A value that is not signed by then is told without.
const signTime = 3 * time.Second

// awaited is a signed reading that is awaited.
type awaited struct {
	token uint64
	by    time.Time
	e     *evse
	tx    *transaction
	ctx   v201.ReadingContextEnum
	last  Reading // at the time of asking
	has   bool
	at    time.Time
	use   func(sample)
}

// sample is what measurands are taken from.
type sample struct {
	e      *evse
	r      Reading
	has    bool
	at     time.Time
	signed *v201.SignedMeterValue // of the import register
}

// now is the sample of the last reading.
func (s *Station) sample(e *evse) sample { return sample{e: e, r: e.last, has: e.hasLast, at: s.now} }

// signs tells whether values of one of the lists are to be signed: the meter can, the controller is set to, and the list has the
// register that is signed.
func (s *Station) signs(e *evse, ctrlr string, lists ...string) bool {
	return e.cfg.Signs && s.model.flag(ctrlr, "Enabled") && s.model.flag(ctrlr, "SignReadings") && slices.ContainsFunc(lists, func(l string) bool {
		return slices.Contains(strings.Split(s.model.value(ctrlr, l), ","), string(v201.MeasurandEnergyActiveImportRegister))
	})
}

// take has use called with a sample of now: at once, or signed when the meter has.
func (s *Station) take(e *evse, signed bool, ctx v201.ReadingContextEnum, use func(sample)) {
	if !signed {
		use(s.sample(e))
		return
	}
	s.tokens++
	s.awaited = append(s.awaited, awaited{token: s.tokens, by: s.now.Add(signTime), e: e, tx: e.tx, ctx: ctx, last: e.last, has: e.hasLast, at: s.now, use: use})
	s.emit(SignReading{EVSE: e.n, Token: s.tokens, Context: ctx})
}

func (s *Station) readingSigned(ev ReadingSigned) {
	i := slices.IndexFunc(s.awaited, func(w awaited) bool { return w.token == ev.Token })
	if i < 0 {
		return
	}
	w := s.awaited[i]
	s.awaited = slices.Delete(s.awaited, i, i+1)
	if ev.Record.Data == "" {
		s.unsigned(w)
		return
	}
	s.reading(w.e, ev.Reading)
	out := sample{e: w.e, r: ev.Reading, has: true, at: ev.At, signed: s.signature(w.tx, ev.Record)}
	if t := w.tx; t != nil {
		if out.r.Energy+t.Offset < t.Last { // a meter that began anew, and the transaction is over
			t.Offset = t.Last - out.r.Energy
		}
		out.r.Energy += t.Offset
	}
	if out.at.IsZero() || out.at.After(s.now) {
		out.at = s.now
	}
	w.use(out)
}

// unsigned goes on without a signature, with what the meter said when it was wanted.
func (s *Station) unsigned(w awaited) {
	s.note(true, "the meter of EVSE %d has not signed a reading (%s); it is told without a signature", w.e.n, w.ctx)
	w.use(sample{e: w.e, r: w.last, has: w.has, at: w.at})
}

func (s *Station) signedDue() {
	for i := 0; i < len(s.awaited); {
		if w := s.awaited[i]; !s.now.Before(w.by) {
			s.awaited = slices.Delete(s.awaited, i, i+1)
			s.unsigned(w)
			continue
		}
		i++
	}
}

// signature is a record as OCPP has it, with the public key as often as is configured.
func (s *Station) signature(t *transaction, r SignedRecord) *v201.SignedMeterValue {
	v := &v201.SignedMeterValue{SignedMeterData: base64.StdEncoding.EncodeToString([]byte(r.Data)), SigningMethod: r.Method, EncodingMethod: r.Encoding}
	switch s.model.value("OCPPCommCtrlr", "PublicKeyWithSignedMeterValue") {
	case "EveryMeterValue":
		v.PublicKey = base64.StdEncoding.EncodeToString(r.PublicKey)
	case "OncePerTransaction":
		if t != nil && !t.KeySent {
			t.KeySent = true
			v.PublicKey = base64.StdEncoding.EncodeToString(r.PublicKey)
		}
	}
	if err := v.Check(); err != nil {
		s.note(true, "what the meter signed is left out: %v", err)
		return nil
	}
	return v
}

// amend lets a held event of a transaction go, with these values unless they are nil.
func (s *Station) amend(token uint64, req *v201.TransactionEventRequest, values []v201.MeterValue) {
	a := txqueue.Amend{Token: token}
	if values != nil {
		req.MeterValue, req.Offline = values, nil
		a.Payload = req.AppendJSON(nil)
		req.Offline = new(true)
		a.Offline = req.AppendJSON(nil)
	}
	s.stepQueue(a)
}
