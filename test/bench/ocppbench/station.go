package ocppbench

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// station is one charging station: it answers what it is asked, unless it is mute, and sends transaction events.
type station struct {
	id   string
	mute bool
	ws   *websocket.Conn
	seq  int
	out  []byte
	// triggered is told about each TriggerMessage that reaches a mute station.
	triggered func()
}

// dial connects and boots.
func dial(url, id string, t *tls.Config) (*station, error) {
	d := websocket.Dialer{Subprotocols: []string{"ocpp2.0.1"}, HandshakeTimeout: time.Minute, TLSClientConfig: t, ReadBufferSize: 1024, WriteBufferSize: 1024}
	c, resp, err := d.Dial(url+"/"+id, nil)
	if err != nil {
		return nil, fmt.Errorf("station %s: %w", id, err)
	}
	_ = resp.Body.Close()
	return &station{id: id, ws: c}, nil
}

func (s *station) boot() error {
	return s.call("BootNotification", `{"reason":"PowerUp","chargingStation":{"model":"bench","vendorName":"bench"}}`)
}

// event sends a transaction event with a reading, as stations send them every few seconds, and waits for its answer.
func (s *station) event() error {
	kind := "Updated"
	if s.seq == 0 {
		kind = "Started"
	}
	now := time.Now().UTC().Format(time.RFC3339)
	payload := fmt.Sprintf(`{"eventType":%q,"timestamp":%q,"triggerReason":"MeterValuePeriodic","seqNo":%d,"transactionInfo":{"transactionId":"tx-%s","chargingState":"Charging"},`+
		`"evse":{"id":1,"connectorId":1},"meterValue":[{"timestamp":%q,"sampledValue":[{"value":%d,"context":"Sample.Periodic","measurand":"Energy.Active.Import.Register"},`+
		`{"value":16,"context":"Sample.Periodic","measurand":"Current.Import","phase":"L1"},{"value":16,"context":"Sample.Periodic","measurand":"Current.Import","phase":"L2"},`+
		`{"value":16,"context":"Sample.Periodic","measurand":"Current.Import","phase":"L3"}]}]}`, kind, now, s.seq, s.id, now, 1000+s.seq)
	return s.call("TransactionEvent", payload)
}

var errNoFrame = errors.New("not an OCPP frame")

// call sends a CALL and reads until it is answered; what is asked meanwhile is answered.
func (s *station) call(action, payload string) error {
	s.seq++
	id := s.id + "-" + strconv.Itoa(s.seq)
	s.out = fmt.Appendf(s.out[:0], `[2,%q,%q,%s]`, id, action, payload)
	if err := s.ws.WriteMessage(websocket.TextMessage, s.out); err != nil {
		return err
	}
	for {
		own, err := s.read(id)
		if own || err != nil {
			return err
		}
	}
}

// read takes one frame; own reports whether it answers the call with this id.
func (s *station) read(id string) (own bool, err error) {
	_, b, err := s.ws.ReadMessage()
	if err != nil {
		return false, err
	}
	if len(b) < 5 || b[0] != '[' {
		return false, errNoFrame
	}
	if b[1] != '2' {
		return bytes.Contains(b[:min(len(b), 48)], []byte(`"`+id+`"`)), nil
	}
	if s.mute {
		if bytes.Contains(b, []byte(`"TriggerMessage"`)) {
			s.triggered()
		}
		return false, nil
	}
	from := b[3:]
	from = from[:bytes.IndexByte(from[1:], '"')+2]
	switch {
	case bytes.Contains(b, []byte(`ChargingProfile"`)), bytes.Contains(b, []byte(`"TriggerMessage"`)):
		s.out = fmt.Appendf(s.out[:0], `[3,%s,{"status":"Accepted"}]`, from)
	default:
		s.out = fmt.Appendf(s.out[:0], `[4,%s,"NotSupported","",{}]`, from)
	}
	return false, s.ws.WriteMessage(websocket.TextMessage, s.out)
}

// listen reads until the connection ends.
func (s *station) listen() {
	for {
		if _, err := s.read(""); err != nil {
			return
		}
	}
}
