package balancer

import (
	"encoding/json"
	"testing"

	"github.com/voltyard/voltyard/hal"
)

func TestViewShowsWhatDriversRead(t *testing.T) {
	b, err := json.Marshal(displayView(&hal.Screen{Messages: []hal.ScreenText{{Text: "Servus", Language: "de"}, {Text: "Hello"}}, Cost: &hal.ScreenCost{Total: 1.5, Currency: "EUR", Final: true}}))
	if want := `{"messages":[{"text":"Servus","language":"de"},{"text":"Hello"}],"cost":{"total":1.5,"currency":"EUR","final":true}}`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	if displayView(nil) != nil || displayView(&hal.Screen{}) != nil {
		t.Error("an empty display is there")
	}
}
