package profile

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Whatever profiles a CSMS sets, in any order, the composite schedule is finite, ordered, within the station's rating, and says
// at the start of each of its pieces what holds there.
func FuzzComposite(f *testing.F) {
	for _, seed := range []string{
		`{"evseId":0,"chargingProfile":{"id":1,"stackLevel":0,"chargingProfilePurpose":"ChargingStationMaxProfile","chargingProfileKind":"Absolute","validTo":"2024-03-01T10:15:00Z","chargingSchedule":[{"id":1,"startSchedule":"2024-03-01T09:00:00Z","chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":25}]}]}}`,
		`{"evseId":1,"chargingProfile":{"id":2,"stackLevel":3,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Recurring","recurrencyKind":"Daily","chargingSchedule":[{"id":1,"startSchedule":"2024-02-20T10:00:00Z","duration":3600,"chargingRateUnit":"W","chargingSchedulePeriod":[{"startPeriod":0,"limit":6900},{"startPeriod":600,"limit":1380,"numberPhases":1,"phaseToUse":2}]}]}}`,
		`{"evseId":1,"chargingProfile":{"id":3,"stackLevel":9,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Relative","transactionId":"tx1","chargingSchedule":[{"id":1,"duration":60,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":30},{"startPeriod":30,"limit":0}]}]}}`,
		`{"connectorId":0,"csChargingProfiles":{"chargingProfileId":4,"stackLevel":2,"chargingProfilePurpose":"ChargePointMaxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","minChargingRate":6.5,"chargingSchedulePeriod":[{"startPeriod":0,"limit":10.5}]}}}`,
	} {
		f.Add([]byte(seed), int64(3600))
	}
	f.Fuzz(func(t *testing.T, raw []byte, seconds int64) {
		var s Store
		for i, line := range bytes.Split(raw, []byte("\n")) {
			if i == 16 {
				break
			}
			var q v201.SetChargingProfileRequest
			var old v16.SetChargingProfileRequest
			var p Profile
			switch {
			case q.UnmarshalJSON(line) == nil:
				p = From201(q.EvseId, &q.ChargingProfile)
			case old.UnmarshalJSON(line) == nil:
				p = From16(old.ConnectorId, &old.CsChargingProfiles)
			default:
				continue
			}
			if _, why := s.Set(p, rules, func(int) string { return "tx1" }); why == None {
				again := To201(&p)
				if back := From201(p.EVSE, &again); back.ID != p.ID || len(back.Schedules) != len(p.Schedules) {
					t.Fatalf("%+v became %+v", p, back)
				}
			}
		}
		r := Rating{Phases: 3, Volts: 230, Max: 32}
		d := time.Duration(seconds%(400*86400)) * time.Second
		tx := Transaction{ID: "tx1", Began: t0.Add(-time.Minute)}
		check := func(pieces []Piece, at func(time.Time) Limit) {
			if len(pieces) == 0 || len(pieces) > MaxPieces || pieces[0].Start != 0 {
				t.Fatalf("%d pieces: %+v", len(pieces), pieces)
			}
			for i, p := range pieces {
				if i > 0 && p.Start <= pieces[i-1].Start {
					t.Fatalf("piece %d begins at %v, after %v", i, p.Start, pieces[i-1].Start)
				}
				if a := float64(p.Limit.Amps); math.IsNaN(a) || a < 0 || a > 64 || math.IsNaN(float64(p.Limit.Watts)) {
					t.Fatalf("piece %d: %+v", i, p)
				}
				if at != nil && at(t0.Add(p.Start)) != p.Limit {
					t.Fatalf("piece %d: %+v, but %+v holds there", i, p, at(t0.Add(p.Start)))
				}
			}
		}
		check(s.Composite(EVSE{1, r, tx}, t0, d), func(at time.Time) Limit { l, _ := s.At(1, tx, r, at); return l })
		check(s.StationComposite(Rating{Phases: 3, Volts: 230, Max: 63}, []EVSE{{1, r, tx}, {2, r, Transaction{}}}, t0, d), nil)
		s.EndTransaction(1)
		for _, p := range s.All() {
			if p.Purpose == Tx && p.EVSE == 1 {
				t.Fatalf("%+v outlives its transaction", p)
			}
		}
		s.Expire(t0.Add(d))
		s.Clear(Filter{})
		if left := s.All(); len(left) != 0 {
			t.Fatalf("left after a clear of all: %+v", left)
		}
	})
}
