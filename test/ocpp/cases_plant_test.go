package ocpp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// verify checks a signed meter value as a driver's software does, and returns the reading in it.
func (h *host) verify(v *v201.SignedMeterValue, key []byte) (at time.Time, wh float64, moment string) {
	h.Helper()
	h.want("signed", v != nil && v.EncodingMethod == "OCMF" && v.SigningMethod == "ECDSA-secp256r1-SHA256", v)
	raw, err := base64.StdEncoding.DecodeString(v.SignedMeterData)
	parts := strings.Split(string(raw), "|")
	h.want("OCMF", err == nil && len(parts) == 3 && parts[0] == "OCMF", string(raw))
	var payload struct {
		RD []struct {
			TM, TX string
			RV     float64
		}
	}
	var sig struct{ SD string }
	h.want("JSON", json.Unmarshal([]byte(parts[1]), &payload) == nil && json.Unmarshal([]byte(parts[2]), &sig) == nil, string(raw))
	der, err := hex.DecodeString(sig.SD)
	h.want("hex", err == nil, sig)
	pub, err := x509.ParsePKIXPublicKey(key)
	h.want("key", err == nil, err)
	sum := sha256.Sum256([]byte(parts[1]))
	h.want("the signature is right", ecdsa.VerifyASN1(pub.(*ecdsa.PublicKey), sum[:], der), string(raw))
	at, err = time.Parse("2006-01-02T15:04:05,000-0700", strings.TrimSuffix(payload.RD[0].TM, " S"))
	h.want("time", err == nil, err)
	return at, payload.RD[0].RV * 1000, payload.RD[0].TX
}

// signedEnd is a transaction of 150 s with a meter that signs: each register of the end is signed, at its own time. The values
// have these contexts.
func signedEnd(key string, vars map[string]string, contexts ...v201.ReadingContextEnum) func(*testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	all := map[string]string{"OCPPCommCtrlr.PublicKeyWithSignedMeterValue": key, "SampledDataCtrlr.TxUpdatedInterval": "60"}
	for k, v := range vars {
		all[k] = v
	}
	return withPlant(sim.Config{SigningKey: private, Serial: "M1", Import: 5000}, all, func(l *line, h *host) {
		comp, va := variable("FiscalMetering", "PublicKey")
		comp.Evse = &v201.EVSE{Id: 1}
		r := tell[*v201.GetVariablesResponse](h, &v201.GetVariablesRequest{GetVariableData: []v201.GetVariableData{{Component: comp, Variable: va}}}).GetVariableResult[0]
		public, err := base64.StdEncoding.DecodeString(r.AttributeValue)
		l.want("the meter's key is told", err == nil && len(public) > 0, r)
		l.charge(h, "TAG")
		time.Sleep(150 * time.Second)
		off := time.Now()
		l.plant.Cable().Unplug()
		time.Sleep(5 * time.Second)
		keys := 0
		var last float64
		for _, e := range sent[v201.TransactionEventRequest](h) {
			for _, mv := range e.MeterValue {
				for _, s := range mv.SampledValue {
					if s.Measurand != v201.MeasurandEnergyActiveImportRegister || s.SignedMeterValue == nil {
						continue
					}
					if s.SignedMeterValue.PublicKey != "" {
						l.want("the key", s.SignedMeterValue.PublicKey == r.AttributeValue)
						keys++
					}
				}
			}
		}
		e := h.lastEvent()
		l.want("the end", e.EventType == v201.TransactionEventEnded && len(e.MeterValue) == len(contexts), e)
		for i, mv := range e.MeterValue {
			register := mv.SampledValue[slices.IndexFunc(mv.SampledValue, func(s v201.SampledValue) bool { return s.Measurand == v201.MeasurandEnergyActiveImportRegister })]
			l.want("context", register.Context == contexts[i], register)
			at, wh, moment := h.verify(register.SignedMeterValue, public)
			l.want("its own time", at.Equal(mv.Timestamp), at, mv.Timestamp)
			l.want("its own value", math.Abs(wh-register.Value) < 0.01 && wh >= last, wh, register)
			last = wh
			switch register.Context {
			case v201.ReadingContextTransactionBegin:
				l.want("of the begin", moment == "B" && wh < 5001, moment, wh)
			case v201.ReadingContextTransactionEnd:
				l.want("of the end", moment == "E" && at.Sub(off).Abs() < time.Second, moment, at, off)
			}
		}
		switch key {
		case "Never":
			l.want("no key", keys == 0, keys)
		case "OncePerTransaction":
			l.want("one key", keys == 1, keys)
		default:
			l.want("many keys", keys >= len(contexts), keys)
		}
	})
}

func TestCasesPlant(t *testing.T) {
	begin, periodic, clock, end := v201.ReadingContextTransactionBegin, v201.ReadingContextSamplePeriodic, v201.ReadingContextSampleClock, v201.ReadingContextTransactionEnd
	runCases(t, []testCase{
		{"TC_J_04_CS", func(t *testing.T) { // J01.FR.21
			for _, key := range []string{"Never", "EveryMeterValue"} {
				signedEnd(key, map[string]string{"AlignedDataCtrlr.SignReadings": "true", "AlignedDataCtrlr.TxEndedInterval": "60", "SampledDataCtrlr.TxEndedMeasurands": ""},
					clock, clock)(t)
			}
		}},
		{"TC_J_11_CS", func(t *testing.T) { // J02.FR.21, E02.FR.14, E09.FR.08
			for _, key := range []string{"Never", "OncePerTransaction", "EveryMeterValue"} {
				signedEnd(key, map[string]string{"SampledDataCtrlr.SignReadings": "true", "SampledDataCtrlr.TxEndedInterval": "60"},
					begin, periodic, periodic, end)(t)
			}
		}},
		{"TC_O_15_CS", withPlant(sim.Config{Display: true}, nil, func(l *line, h *host) { // O01.FR.08, C01.FR.08, FR.09
			set := func(id int, language, text string) {
				m := message(id)
				m.Message.Language, m.Message.Content = language, text
				r := tell[*v201.SetDisplayMessageResponse](h, &v201.SetDisplayMessageRequest{Message: m})
				l.want("accepted", r.Status == v201.DisplayMessageStatusAccepted, r)
			}
			reads := func(want ...string) {
				l.Helper()
				time.Sleep(3 * time.Second)
				var got []string
				for _, m := range l.plant.Screen().Messages {
					got = append(got, m.Text)
				}
				l.want("the driver reads", slices.Equal(got, want), got, want)
			}
			set(1, "en", "Hello")
			set(2, "fr", "Bonjour")
			reads("Hello", "Bonjour")
			l.charge(h, "TAG") // prefers de, then fr
			reads("Bonjour")
			set(3, "de-AT", "Servus")
			reads("Servus")
			set(4, "", "230 V")
			reads("Servus", "230 V")
			tell[*v201.CostUpdatedResponse](h, &v201.CostUpdatedRequest{TotalCost: 1.5, TransactionId: h.lastEvent().TransactionInfo.TransactionId})
			time.Sleep(3 * time.Second)
			c := l.plant.Screen().Cost
			l.want("the cost", c != nil && c.Total == 1.5 && c.Currency == "EUR" && !c.Final, c)
			l.plant.Cable().Unplug()
			reads("Hello", "Bonjour", "Servus", "230 V")
		})},
		{"TC_C_05_CS", withPlant(sim.Config{Socket: true}, nil, func(l *line, h *host) { // C01.FR.02
			l.plant.Cable().Plug(nil)
			time.Sleep(3 * time.Second)
			l.show("BAD")
			time.Sleep(time.Minute)
			asked := sent[v201.AuthorizeRequest](h)
			l.want("the CSMS is asked", len(asked) == 1 && asked[0].IdToken.IdToken == "BAD", asked)
			l.want("no transaction", len(sent[v201.TransactionEventRequest](h)) == 0)
			l.want("the cable is the driver's", !l.input().Locked && !l.input().Closed, l.input())
		})},
		{"TC_E_24_CS", withPlant(sim.Config{Socket: true}, map[string]string{"TxCtrlr.StopTxOnEVSideDisconnect": "true", "OCPPCommCtrlr.UnlockOnEVSideDisconnect": "true"},
			func(l *line, h *host) { // E09.FR.01, E09.FR.02
				l.charge(h, "TAG")
				l.want("locked", l.input().Locked && l.input().Closed, l.input())
				l.plant.Cable().Detach()
				time.Sleep(3 * time.Second)
				e := h.lastEvent()
				l.want("the end", e.TriggerReason == v201.TriggerReasonEVCommunicationLost && e.TransactionInfo.ChargingState == v201.ChargingStateIdle, e)
				l.want("unlocked", !l.input().Locked && l.input().Cable > 0, l.input())
				l.want("the cable is still there", h.connector() == v201.ConnectorStatusOccupied, h.connector())
				l.plant.Cable().Unplug()
				time.Sleep(3 * time.Second)
				l.want("available", h.connector() == v201.ConnectorStatusAvailable, h.connector())
			})},
		{"TC_E_25_CS", withPlant(sim.Config{Socket: true}, map[string]string{"TxCtrlr.StopTxOnEVSideDisconnect": "true", "OCPPCommCtrlr.UnlockOnEVSideDisconnect": "false"},
			func(l *line, h *host) { // E09.FR.01, E09.FR.03
				l.charge(h, "TAG")
				l.plant.Cable().Detach()
				time.Sleep(3 * time.Second)
				e := h.lastEvent()
				l.want("the end", e.TriggerReason == v201.TriggerReasonEVCommunicationLost && e.TransactionInfo.ChargingState == v201.ChargingStateIdle, e)
				time.Sleep(10 * time.Minute)
				l.want("locked", l.input().Locked, l.input())
				l.show("OTHER")
				l.want("not for others", l.input().Locked, l.input())
				events := len(sent[v201.TransactionEventRequest](h))
				l.plant.Cable().Plug(nil) // a vehicle is connected again
				time.Sleep(time.Minute)
				l.want("no energy without authorisation", !l.input().Closed && len(sent[v201.TransactionEventRequest](h)) == events, l.input())
				l.plant.Cable().Detach()
				time.Sleep(3 * time.Second)
				l.show("TAG")
				l.want("unlocked", !l.input().Locked, l.input())
				l.want("nothing was begun", len(sent[v201.TransactionEventRequest](h)) == events)
				l.plant.Cable().Unplug()
				time.Sleep(3 * time.Second)
				l.want("available", h.connector() == v201.ConnectorStatusAvailable, h.connector())
			})},
		{"TC_G_20_CS", withPlant(sim.Config{Socket: true}, nil, func(l *line, h *host) { // G05.FR.01, G05.FR.02
			l.plant.JamLock(true)
			car := l.plant.Cable()
			car.Plug(nil)
			car.Pilot(hal.PilotC)
			time.Sleep(3 * time.Second)
			l.show("TAG")
			time.Sleep(10 * time.Second)
			l.want("the contactor stays open", !l.input().Closed && !l.input().Locked, l.input())
			for _, e := range sent[v201.TransactionEventRequest](h) {
				l.want("no charging", e.TransactionInfo.ChargingState != v201.ChargingStateCharging, e)
			}
			l.lockProblem(h, 1, "true")
			l.plant.JamLock(false)
			time.Sleep(5 * time.Second)
			l.want("it charges when the lock holds", l.input().Closed && l.input().Locked, l.input())
			l.lockProblem(h, 2, "false")
		})},
	})
}

// lockProblem wants n events of the lock, the last with this value.
func (l *line) lockProblem(h *host, n int, value string) {
	l.Helper()
	var told []v201.EventData
	for _, q := range sent[v201.NotifyEventRequest](h) {
		for _, d := range q.EventData {
			if d.Component.Name == "ConnectorPlugRetentionLock" {
				told = append(told, d)
			}
		}
	}
	l.want("the lock's problem is told", len(told) == n && told[n-1].Trigger == v201.EventTriggerDelta && told[n-1].Variable.Name == "Problem" && told[n-1].ActualValue == value, told)
}
