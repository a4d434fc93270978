package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/voltyard/voltyard/protocols/ocpp/internal/wire"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/protocols/ocpp/v21"
)

// Every fault gets the code that OCPP 2.0.1 part 4, table 9 gives it.
func TestFaultsAndTheirCodes(t *testing.T) {
	boot := func() wire.Message { return new(v201.BootNotificationRequest) }
	meter := func() wire.Message { return new(v201.MeterValuesRequest) }
	long := strings.Repeat("x", 51)
	for name, c := range map[string]struct {
		make func() wire.Message
		text string
		code wire.Code
		path string
	}{
		"not JSON":           {boot, `{"reason":`, wire.FormatViolation, "reason"},
		"array":              {boot, `[]`, wire.TypeConstraintViolation, ""},
		"tail":               {boot, `{"reason":"PowerUp","chargingStation":{"model":"a","vendorName":"b"}} x`, wire.FormatViolation, ""},
		"missing":            {boot, `{"reason":"PowerUp"}`, wire.OccurrenceConstraintViolation, "chargingStation"},
		"missing below":      {boot, `{"reason":"PowerUp","chargingStation":{"model":"a"}}`, wire.OccurrenceConstraintViolation, "chargingStation.vendorName"},
		"unknown property":   {boot, `{"reason":"PowerUp","x":1,"chargingStation":{"model":"a","vendorName":"b"}}`, wire.FormatViolation, "x"},
		"wrong type":         {boot, `{"reason":1,"chargingStation":{"model":"a","vendorName":"b"}}`, wire.TypeConstraintViolation, "reason"},
		"null":               {boot, `{"reason":null,"chargingStation":{"model":"a","vendorName":"b"}}`, wire.TypeConstraintViolation, "reason"},
		"enum":               {boot, `{"reason":"Fun","chargingStation":{"model":"a","vendorName":"b"}}`, wire.PropertyConstraintViolation, "reason"},
		"too long":           {boot, `{"reason":"PowerUp","chargingStation":{"model":"a","vendorName":"` + long + `"}}`, wire.PropertyConstraintViolation, "chargingStation.vendorName"},
		"customData":         {boot, `{"customData":{},"reason":"PowerUp","chargingStation":{"model":"a","vendorName":"b"}}`, wire.OccurrenceConstraintViolation, "customData.vendorId"},
		"empty array":        {meter, `{"evseId":1,"meterValue":[]}`, wire.OccurrenceConstraintViolation, "meterValue"},
		"deep path":          {meter, `{"evseId":1,"meterValue":[{"timestamp":"2024-01-01T00:00:00Z","sampledValue":[{"value":1},{"value":"1"}]}]}`, wire.TypeConstraintViolation, "meterValue[0].sampledValue[1].value"},
		"time":               {meter, `{"evseId":1,"meterValue":[{"timestamp":"yesterday","sampledValue":[{"value":1}]}]}`, wire.TypeConstraintViolation, "meterValue[0].timestamp"},
		"fraction":           {meter, `{"evseId":1.5,"meterValue":[]}`, wire.TypeConstraintViolation, "evseId"},
		"range":              {func() wire.Message { return new(v21.UpdateFirmwareRequest) }, `{"requestId":1,"retries":-1,"firmware":{"location":"a","retrieveDateTime":"2024-01-01T00:00:00Z"}}`, wire.PropertyConstraintViolation, "retries"},
		"tenths":             {func() wire.Message { return new(v16.GetCompositeScheduleResponse) }, `{"status":"Accepted","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":6.05}]}}`, wire.PropertyConstraintViolation, "chargingSchedule.chargingSchedulePeriod[0].limit"},
		"nested without end": {func() wire.Message { return new(v201.DataTransferRequest) }, `{"vendorId":"a","data":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, wire.FormatViolation, "data"},
	} {
		err := c.make().UnmarshalJSON([]byte(c.text))
		var we *wire.Error
		if !errors.As(err, &we) {
			t.Errorf("%s: error %v", name, err)
			continue
		}
		if we.Code != c.code || we.Path != c.path {
			t.Errorf("%s: %s at %q, want %s at %q", name, we.Code, we.Path, c.code, c.path)
		}
	}
}

func TestWhatMustPass(t *testing.T) {
	for _, text := range []string{
		`{"vendorId":"a","data":{"deep":[1,{"x":null}]},"customData":{"vendorId":"v","free":[true]}}`,
		` { "vendorId" : "é 𝄞" , "messageId":"\"\\\/" } `,
		`{"vendorId":"` + strings.Repeat("é", 255) + `"}`, // characters, not bytes
	} {
		if err := new(v201.DataTransferRequest).UnmarshalJSON([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	var h v201.HeartbeatResponse
	for _, s := range []string{"2024-01-01T00:00:00Z", "2024-01-01T01:00:00.000+01:00", "2024-01-01T00:00:00"} {
		if err := h.UnmarshalJSON([]byte(`{"currentTime":"` + s + `"}`)); err != nil || h.CurrentTime.Unix() != 1704067200 {
			t.Errorf("%s: %v, %v", s, h.CurrentTime, err)
		}
	}
}

// The scanner and encoding/json agree on what JSON is and on what strings mean.
func FuzzAgainstStandardLibrary(f *testing.F) {
	for _, s := range []string{`{"vendorId":"a","data":[1.5e3,"\ud834\udd1e\ud834x",{"a":null}]}`, `{"vendorId":"\u00e9"}`, "{\"vendorId\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m v201.DataTransferRequest
		if m.UnmarshalJSON(data) != nil {
			return
		}
		var std struct {
			VendorID string          `json:"vendorId"`
			Data     json.RawMessage `json:"data"`
		}
		d := json.NewDecoder(bytes.NewReader(data))
		if err := d.Decode(&std); err != nil {
			t.Fatalf("accepted %q, encoding/json says %v", data, err)
		}
		if !strings.Contains(strings.ToLower(string(data)), `"vendorid"`) || bytes.Count(bytes.ToLower(data), []byte("vendor")) > 1 {
			return
		}
		if std.VendorID != m.VendorId {
			t.Fatalf("%q: %q and %q", data, std.VendorID, m.VendorId)
		}
	})
}
