package msg

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
)

// SiteView is an immutable picture of the whole site. The balancer makes a new one after each decision; the API, the
// terminal, MQTT and the trace read it. Its JSON form is the answer of GET /api/v1/site.
type SiteView struct {
	Site     string        `json:"site"`
	At       time.Time     `json:"at"`
	Mode     string        `json:"mode"`
	Nodes    []NodeView    `json:"nodes"`
	EVSEs    []EVSEView    `json:"evses"`
	Stations []StationView `json:"stations"`
	Limits   []LimitView   `json:"limits"`
}

// NodeView is a node of the tree.
type NodeView struct {
	ID      string      `json:"id"`
	Parent  string      `json:"parent,omitempty"`
	Metered bool        `json:"metered"`
	Stale   bool        `json:"stale"`
	Current si.Phases   `json:"current_a"`
	Power   si.Watts    `json:"power_w"`
	LimitA  [3]*float64 `json:"limit_a"` // smallest limit in force per phase
	LimitW  *float64    `json:"limit_w"` // smallest import limit in force
	ExportW *float64    `json:"export_limit_w"`
	LimitBy string      `json:"limit_by,omitempty"`
}

// EVSEView is an own EVSE.
type EVSEView struct {
	ID        string       `json:"id"`
	Node      string       `json:"node"`
	Station   string       `json:"station"`
	State     string       `json:"state"` // available, plugged, authorizing, ready, charging, paused, done, faulted, unavailable
	Vehicle   string       `json:"vehicle,omitempty"`
	Token     string       `json:"token,omitempty"`
	Protocol  Protocol     `json:"protocol,omitempty"`
	Stage     SessionStage `json:"stage,omitempty"`
	Phases    int          `json:"phases"`
	Limit     si.Amps      `json:"limit_a"` // granted per phase
	LimitW    si.Watts     `json:"limit_w"` // granted
	LimitedBy string       `json:"limited_by,omitempty"`
	Current   si.Phases    `json:"current_a"` // at its own terminals
	Power     si.Watts     `json:"power_w"`
	Energy    si.WattHours `json:"energy_wh"` // of this session
	SoC       *si.Percent  `json:"soc,omitempty"`
	Since     *time.Time   `json:"since,omitempty"`
	Fault     string       `json:"fault,omitempty"`
}

// StationView is a third-party station.
type StationView struct {
	ID        string       `json:"id"`
	Node      string       `json:"node"`
	Connected bool         `json:"connected"`
	State     string       `json:"state"`
	EVs       int          `json:"evs"`
	Limit     si.Amps      `json:"limit_a"`
	LimitedBy string       `json:"limited_by,omitempty"`
	Current   si.Phases    `json:"current_a"`
	Power     si.Watts     `json:"power_w"`
	Energy    si.WattHours `json:"energy_wh"`
}

// LimitView is a limit from outside that is in force.
type LimitView struct {
	Source  string     `json:"source"`
	ID      string     `json:"id"`
	Node    string     `json:"node"`
	ImportW *float64   `json:"import_w,omitempty"`
	ExportW *float64   `json:"export_w,omitempty"`
	Current []float64  `json:"current_a,omitempty"`
	Since   time.Time  `json:"since"`
	Until   *time.Time `json:"until,omitempty"`
}
