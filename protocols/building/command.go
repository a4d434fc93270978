package building

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// Commands to an EVSE: the last topic level before /set.
const (
	Start        = "start"         // begin, as with a token shown at the reader: {"token"}
	Stop         = "stop"          // end the charging until the vehicle leaves: {"why"}
	Pause        = "pause"         // true or false
	Priority     = "priority"      // whole number, higher first
	Departure    = "departure"     // RFC 3339 text or Unix seconds
	TargetEnergy = "target_energy" // Wh of this visit
	Operative    = "operative"     // true or false
	Setpoint     = "setpoint"      // W, negative to give back, with valid_s
)

// Commands lists them.
var Commands = []string{Start, Stop, Pause, Priority, Departure, TargetEnergy, Operative, Setpoint}

// Command is the payload of evse/<id>/<command>/set.
type Command struct {
	ID       string
	TS       time.Time // zero for a bare value
	On       bool
	Number   float64
	At       time.Time
	Validity time.Duration
	Text     string
}

type commandWire struct {
	ID     string          `json:"id"`
	TS     json.RawMessage `json:"ts"`
	Value  json.RawMessage `json:"value"`
	ValidS *float64        `json:"valid_s"`
	Token  string          `json:"token"`
	Why    string          `json:"why"`
}

// Bare is the id of a command that came as a bare value.
const Bare = "-"

// ParseCommand reads the payload of a command. For pause, priority, operative and target_energy a bare value is enough: simple
// clients and Home Assistant send that. The error says what is wrong; ID is set even then if it could be read.
func ParseCommand(command string, payload []byte) (Command, error) {
	if len(payload) > MaxPayload {
		return Command{}, fmt.Errorf("command of %d octets; %d are read", len(payload), MaxPayload)
	}
	bare := bytes.TrimSpace(payload)
	if len(bare) > 0 && bare[0] != '{' {
		switch command {
		case Pause, Priority, Operative, TargetEnergy:
			c := Command{ID: Bare}
			return c, c.value(command, json.RawMessage(bare))
		}
	}
	var w commandWire
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return Command{ID: idOf(payload)}, fmt.Errorf("command is no JSON object as documented: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Command{ID: idOf(payload)}, errors.New("command has something behind its JSON object")
	}
	if len(w.ID) == 0 || len(w.ID) > 64 {
		return Command{}, errors.New("command needs an id of 1 to 64 characters")
	}
	c := Command{ID: w.ID, Text: w.Token + w.Why}
	var err error
	if c.TS, err = parseTime(w.TS); err != nil {
		return c, err
	}
	if w.ValidS != nil {
		if !(*w.ValidS > 0) || *w.ValidS > 366*86400 {
			return c, fmt.Errorf("valid_s of %v: want more than 0 and at most a year", *w.ValidS)
		}
		c.Validity = time.Duration(*w.ValidS * float64(time.Second))
	}
	return c, c.value(command, w.Value)
}

// value reads what a command is about.
func (c *Command) value(command string, raw json.RawMessage) error {
	switch command {
	case Start, Stop:
		if len(c.Text) > 64 {
			return errors.New("token or why of more than 64 characters")
		}
		return nil
	case Pause, Operative:
		switch strings.ToLower(strings.Trim(string(raw), `"`)) {
		case "true", "on", "1":
			c.On = true
		case "false", "off", "0":
		default:
			return fmt.Errorf("%s: want value true or false", command)
		}
		return nil
	case Departure:
		at, err := parseTime(raw)
		if err != nil {
			return errors.New("departure: want value as RFC 3339 text or Unix seconds")
		}
		c.At = at
		return nil
	case Priority, TargetEnergy, Setpoint:
		v, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s: want value as a number", command)
		}
		c.Number = v
		return nil
	}
	return fmt.Errorf("there is no command %q; want one of %s", command, strings.Join(Commands, ", "))
}

// Power is the payload of setpoint/set: what all vehicles together should exchange, W, negative to give back.
type Power struct {
	ID       string
	TS       time.Time
	PowerW   si.Watts
	Validity time.Duration
	Release  bool
}

// ParsePower reads a payload of setpoint/set.
func ParsePower(payload []byte) (Power, error) {
	var w struct {
		ID      string          `json:"id"`
		TS      json.RawMessage `json:"ts"`
		PowerW  *float64        `json:"power_w"`
		ValidS  float64         `json:"valid_s"`
		Release bool            `json:"release"`
	}
	if err := strict(payload, &w); err != nil {
		return Power{ID: idOf(payload)}, err
	}
	p := Power{ID: w.ID, Release: w.Release}
	var err error
	if p.TS, err = parseTime(w.TS); err != nil {
		return p, err
	}
	if w.ID == "" || len(w.ID) > 64 {
		return Power{}, errors.New("set-point needs an id of 1 to 64 characters")
	}
	if p.Release {
		return p, nil
	}
	if w.PowerW == nil || !(w.ValidS > 0) || w.ValidS > 366*86400 {
		return p, errors.New("set-point needs power_w and valid_s, or release")
	}
	p.PowerW, p.Validity = si.Watts(*w.PowerW), time.Duration(w.ValidS*float64(time.Second))
	return p, nil
}

// Failsafe is the payload of limit/<source>/failsafe/set, by which an energy guard states its failsafe value.
type Failsafe struct {
	ID       string
	TS       time.Time
	PowerW   si.Watts
	Duration time.Duration // failsafe duration minimum
}

// ParseFailsafe reads a payload of limit/<source>/failsafe/set.
func ParseFailsafe(payload []byte) (Failsafe, error) {
	var w struct {
		ID        string          `json:"id"`
		TS        json.RawMessage `json:"ts"`
		PowerW    *float64        `json:"power_w"`
		DurationS float64         `json:"duration_s"`
	}
	if err := strict(payload, &w); err != nil {
		return Failsafe{ID: idOf(payload)}, err
	}
	f := Failsafe{ID: w.ID}
	var err error
	if f.TS, err = parseTime(w.TS); err != nil {
		return f, err
	}
	if w.ID == "" || len(w.ID) > 64 {
		return Failsafe{}, errors.New("failsafe needs an id of 1 to 64 characters")
	}
	if w.PowerW == nil || w.DurationS < 0 || w.DurationS > 366*86400 {
		return f, errors.New("failsafe needs power_w, and duration_s if given from 7200 to 86400")
	}
	f.PowerW, f.Duration = si.Watts(*w.PowerW), time.Duration(w.DurationS*float64(time.Second))
	return f, nil
}

// ParseFrequency reads a payload of frequency/set: Hz as a bare number.
func ParseFrequency(payload []byte) (si.Hertz, error) {
	v, err := strconv.ParseFloat(string(bytes.TrimSpace(payload[:min(len(payload), 32)])), 64)
	if err != nil || !(v > 0) || v > 1000 {
		return 0, errors.New("frequency: want Hz as a number, such as 49.98")
	}
	return si.Hertz(v), nil
}

func strict(payload []byte, into any) error {
	if len(payload) > MaxPayload {
		return fmt.Errorf("payload of %d octets; %d are read", len(payload), MaxPayload)
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("payload is no JSON object as documented: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("payload has something behind its JSON object")
	}
	return nil
}
