package msg

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/flex"
	"github.com/voltyard/voltyard/site/plan"
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
	Sources  []SourceView  `json:"sources,omitempty"`
	Plan     *PlanView     `json:"plan,omitempty"`
	Flex     *flex.Offer   `json:"flexibility,omitempty"`
	Service  *ServiceView  `json:"service,omitempty"`
}

// SourceView is a source of limits that has a state of its own: an energy guard, contacts, a schedule.
type SourceView struct {
	Source string `json:"source"`
	State  string `json:"state"`
}

// PlanView is the plan in force.
type PlanView struct {
	Made     time.Time `json:"made"`
	Fresh    bool      `json:"fresh"`            // false: the planner is late; its last plan still orders who comes first
	PeakW    *si.Watts `json:"peak_w,omitempty"` // import that the plan stays under for the demand charge
	Currency string    `json:"currency,omitempty"`
	Price    *float64  `json:"price_kwh,omitempty"` // of energy now
}

// StepView is a part of an EVSE's plan: from From until the next step.
type StepView struct {
	From  time.Time `json:"from"`
	Power si.Watts  `json:"power_w"` // negative when giving back
}

// ServiceView is what the vehicles together do for the grid.
type ServiceView struct {
	By    string   `json:"by"` // setpoint, frequency
	Power si.Watts `json:"power_w"`
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

	Kind   string        `json:"kind,omitempty"`             // pv, battery; empty for anything else
	Import *si.WattHours `json:"energy_import_wh,omitempty"` // registers of its meter
	Export *si.WattHours `json:"energy_export_wh,omitempty"`
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
	Display   *DisplayView `json:"display,omitempty"`

	Binding   *BindingView    `json:"binding,omitempty"`
	Rotation  string          `json:"rotation,omitempty"`
	Priority  int             `json:"priority"`
	Paused    bool            `json:"paused,omitempty"`
	Setpoint  si.Watts        `json:"setpoint_w"` // that it should exchange, negative when giving back
	Departure *time.Time      `json:"departure,omitempty"`
	Target    *si.WattHours   `json:"target_energy_wh,omitempty"` // of this session
	Plan      []StepView      `json:"plan,omitempty"`
	Estimates []plan.Estimate `json:"estimates,omitempty"` // for the driver
}

// DisplayView is what the drivers at an EVSE are shown.
type DisplayView struct {
	Messages []MessageView `json:"messages,omitempty"` // in turn
	Cost     *CostView     `json:"cost,omitempty"`
}

// MessageView is a message for drivers.
type MessageView struct {
	Text     string `json:"text"`
	Language string `json:"language,omitempty"`
}

// CostView is what charging costs: so far, or in all.
type CostView struct {
	Total    float64 `json:"total"`
	Currency string  `json:"currency"`
	Final    bool    `json:"final"`
}

// BindingView is limited_by for machines.
type BindingView struct {
	Kind   string  `json:"kind"`
	Node   string  `json:"node,omitempty"`
	Phase  int     `json:"phase,omitempty"` // 1 to 3
	Limit  float64 `json:"limit,omitempty"` // A with a phase, else W
	Source string  `json:"source,omitempty"`
	Shared int     `json:"shared"`
	Waits  bool    `json:"waits,omitempty"`
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
