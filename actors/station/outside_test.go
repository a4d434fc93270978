package station

import (
	"maps"
	"testing"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

func TestLimitsFromOutsideBySource(t *testing.T) {
	watts := func(w float64) *float64 { return &w }
	v := &msg.SiteView{Sources: []msg.SourceView{{Source: "relay", State: "limited"}}, Limits: []msg.LimitView{
		{Source: "building", ImportW: watts(20000)},
		{Source: "operator", Current: []float64{20, 16, 20}},
		{Source: "relay", ImportW: watts(4200)},
		{Source: "building", ExportW: watts(1)},
	}}
	want := map[v201.ChargingLimitSourceEnum]si.Watts{v201.ChargingLimitSourceEMS: 16 * 230 * 3, v201.ChargingLimitSourceSO: 4200}
	if got := outside(v, 230); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
