package sim_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/test/virtual"
)

func TestMeterSignsInOCMF(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		o := sim.NewOutlet(sim.Config{SigningKey: key, Serial: "M1", Import: 12345.678})
		h, c := o.HAL(), o.Cable()
		c.Plug(nil)
		c.Pilot(hal.PilotC)
		c.Draw(si.Same(10))
		_ = h.Board.Set(hal.Output{Drive: hal.DrivePWM, Duty: 50, Close: true, Phases3: true})
		time.Sleep(time.Second)
		signer, ok := h.Meter.(hal.Signer)
		if !ok {
			t.Fatal("the meter does not sign")
		}
		r, err := signer.Sign(t.Context(), hal.MomentEnd)
		if err != nil || r.Signed == nil {
			t.Fatalf("%+v, %v", r, err)
		}
		parts := strings.SplitN(r.Signed.Data, "|", 3)
		if len(parts) != 3 || parts[0] != "OCMF" || r.Signed.Encoding != "OCMF" || r.Signed.Method != "ECDSA-secp256r1-SHA256" {
			t.Fatalf("%+v", r.Signed)
		}
		var payload struct {
			MS string
			PG string
			RD []struct {
				TM, TX, RI, RU, ST string
				RV                 float64
			}
		}
		var sig struct{ SA, SD string }
		if err := json.Unmarshal([]byte(parts[1]), &payload); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(parts[2]), &sig); err != nil {
			t.Fatal(err)
		}
		der, err := hex.DecodeString(sig.SD)
		if err != nil {
			t.Fatal(err)
		}
		pub, err := x509.ParsePKIXPublicKey(r.Signed.PublicKey)
		if err != nil || !pub.(*ecdsa.PublicKey).Equal(key.Public()) {
			t.Fatalf("public key: %v", err)
		}
		sum := sha256.Sum256([]byte(parts[1]))
		if !ecdsa.VerifyASN1(pub.(*ecdsa.PublicKey), sum[:], der) {
			t.Error("the signature is wrong")
		}
		sum = sha256.Sum256([]byte(strings.Replace(parts[1], "12", "13", 1)))
		if ecdsa.VerifyASN1(pub.(*ecdsa.PublicKey), sum[:], der) {
			t.Error("the signature is good for another reading")
		}
		rd := payload.RD[0]
		at, err := time.Parse("2006-01-02T15:04:05,000-0700", strings.TrimSuffix(rd.TM, " S"))
		if err != nil || !at.Equal(r.At) || !at.Equal(time.Now().Truncate(time.Millisecond)) {
			t.Errorf("time %s (%v), now %v", rd.TM, err, time.Now())
		}
		if math.Abs(rd.RV*1000-float64(r.Import)) > 0.01 || r.Import <= 12345.678 || rd.TX != "E" || rd.RU != "kWh" || rd.ST != "G" || payload.MS != "M1" || payload.PG != "T1" {
			t.Errorf("%+v of %v", payload, r.Import)
		}
		_ = h.Board.Close()
	})
}
