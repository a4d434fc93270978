package configs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/frequency"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/limits/grid"
	"github.com/voltyard/voltyard/site/limits/guard"
	"github.com/voltyard/voltyard/site/limits/lpc"
	"github.com/voltyard/voltyard/site/plan"
)

// Input is a digital input of the controller.
type Input struct {
	ID     string `yaml:"id" doc:"Name that contacts refer to."`
	Driver string `yaml:"driver" doc:"sim: simulated. file: a file that holds 0 or 1, such as the value of a GPIO line." enum:"sim,file"`
	Path   string `yaml:"path,omitempty" doc:"file: which one."`
	Invert bool   `yaml:"invert,omitempty" doc:"1 means open."`
}

// EnergyGuard is a grid operator's energy guard after EEBUS LPC or LPP.
type EnergyGuard struct {
	FailsafeW   *float64 `yaml:"failsafe_w" doc:"Limit while the guard is silent, W."`
	DurationS   float64  `yaml:"duration_s,omitempty" doc:"Failsafe duration minimum, s: 7200 to 86400. Default 7200."`
	AutonomousW *float64 `yaml:"autonomous_w,omitempty" doc:"Limit when the guard stays away for longer, W. Default failsafe_w."`
}

// Contact is a relay contact of a receiver.
type Contact struct {
	Input    string     `yaml:"input" doc:"The input it is wired to."`
	Name     string     `yaml:"name,omitempty" doc:"For display. Default the input."`
	Active   string     `yaml:"active,omitempty" doc:"Its limit holds while it is closed or open. Default closed." enum:"closed,open"`
	ImportW  *float64   `yaml:"import_w,omitempty" doc:"W"`
	ExportW  *float64   `yaml:"export_w,omitempty" doc:"W, as a positive number."`
	CurrentA *PhaseAmps `yaml:"current_a,omitempty" doc:"A per phase."`
	EnWG14a  *EnWG14a   `yaml:"enwg_14a,omitempty" doc:"Import limit by the rule of section 14a EnWG instead of import_w."`
}

// EnWG14a is the guaranteed power of controllable devices in Germany.
type EnWG14a struct {
	Devices int     `yaml:"devices,omitempty" doc:"Controllable devices behind this controller. Default the EVSEs and listed stations above 4.2 kW."`
	LargeW  float64 `yaml:"large_w,omitempty" doc:"0.4 times the connected power of large heat pumps or air conditioning, W."`
}

// Period is a part of the week with a limit of its own.
type Period struct {
	Days     []string   `yaml:"days,omitempty" doc:"mon, tue, wed, thu, fri, sat, sun. Default every day."`
	From     string     `yaml:"from" doc:"HH:MM in the site's time zone."`
	To       string     `yaml:"to" doc:"HH:MM; not after from: on the next day."`
	ImportW  *float64   `yaml:"import_w,omitempty" doc:"W"`
	ExportW  *float64   `yaml:"export_w,omitempty" doc:"W, as a positive number."`
	CurrentA *PhaseAmps `yaml:"current_a,omitempty" doc:"A per phase."`
}

// Tariff is what energy and power cost.
type Tariff struct {
	Currency  string        `yaml:"currency,omitempty" doc:"Default EUR."`
	PriceKWh  float64       `yaml:"price_kwh" doc:"Per kWh imported, where no period applies." signed:"true"`
	Periods   []PricePeriod `yaml:"periods,omitempty" doc:"Other prices; the first that applies counts."`
	FeedInKWh float64       `yaml:"feed_in_kwh,omitempty" doc:"Per kWh exported." signed:"true"`
	DemandKW  float64       `yaml:"demand_kw,omitempty" doc:"Per kW of the highest quarter-hour average of a month."`
	WearKWh   float64       `yaml:"wear_kwh,omitempty" doc:"What it costs a vehicle's battery to give a kWh back."`
	ValueKWh  float64       `yaml:"value_kwh,omitempty" doc:"What a kWh in time is worth to a driver. Default three times the highest price."`
}

// PricePeriod is a part of the week with a price of its own.
type PricePeriod struct {
	Days     []string `yaml:"days,omitempty" doc:"mon, tue, wed, thu, fri, sat, sun. Default every day."`
	From     string   `yaml:"from" doc:"HH:MM in the site's time zone."`
	To       string   `yaml:"to" doc:"HH:MM; not after from: on the next day."`
	PriceKWh float64  `yaml:"price_kwh" doc:"Per kWh." signed:"true"`
}

// Plan says how the site plans ahead.
type Plan struct {
	Off        bool    `yaml:"off,omitempty" doc:"No plan: what there is is shared evenly at every moment."`
	ReserveSoC float64 `yaml:"reserve_soc,omitempty" doc:"State of charge under which a vehicle is charged at any price and never discharged, %. Default 30."`
}

// Response is how the site serves the grid.
type Response struct {
	RampWS    float64    `yaml:"ramp_w_s,omitempty" doc:"How fast set-points and frequency response change, W per second. Default 10 % of the range a second."`
	DeadBandW float64    `yaml:"dead_band_w,omitempty" doc:"Changes of a set-point that are smaller are not followed, W."`
	Frequency *Frequency `yaml:"frequency,omitempty" doc:"Response to the grid's frequency; absent: none."`
}

// Frequency is a P(f) characteristic.
type Frequency struct {
	NominalHz  float64 `yaml:"nominal_hz,omitempty" doc:"Default 50."`
	DeadBandHz float64 `yaml:"dead_band_hz,omitempty" doc:"Nothing happens this near to nominal. Default 0.2."`
	DroopPct   float64 `yaml:"droop_pct,omitempty" doc:"Change of frequency, in % of nominal, for the whole range of power. Default 5."`
	RangeW     float64 `yaml:"range_w" doc:"Largest change of power, W."`
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func days(names []string) (out [7]bool, err error) {
	for _, n := range names {
		i := slices.Index(weekdays, n)
		if i < 0 {
			return out, fmt.Errorf("%q is no day; write mon, tue, wed, thu, fri, sat or sun", n)
		}
		out[i] = true
	}
	return out, nil
}

// clock reads HH:MM as the time since midnight; 24:00 is allowed.
func clock(s string) (time.Duration, error) {
	if s == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("%q is no time of day; write it as 07:30", s)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

func span(ds []string, from, to string) (on [7]bool, a, b time.Duration, err error) {
	if on, err = days(ds); err != nil {
		return
	}
	if a, err = clock(from); err != nil {
		return
	}
	b, err = clock(to)
	return
}

// EnergyTariff returns the tariff, nil when there is none.
func (s *Site) EnergyTariff() (*plan.Tariff, error) {
	if s.Tariff == nil {
		return nil, nil
	}
	zone, err := time.LoadLocation(s.Site.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time zone: %w", err)
	}
	c := s.Tariff
	t := &plan.Tariff{Currency: c.Currency, Zone: zone, Base: c.PriceKWh, FeedIn: c.FeedInKWh, Demand: c.DemandKW, Wear: c.WearKWh, Value: c.ValueKWh}
	for _, p := range c.Periods {
		on, from, to, err := span(p.Days, p.From, p.To)
		if err != nil {
			return nil, err
		}
		t.Periods = append(t.Periods, plan.Period{Days: on, From: from, To: to, Price: p.PriceKWh})
	}
	return t, t.Check()
}

// Guards returns the sources of limits that are more than single statements.
func (s *Site) Guards() ([]guard.Config, error) {
	zone, err := time.LoadLocation(s.Site.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time zone: %w", err)
	}
	var out []guard.Config
	for i := range s.Limits {
		l := &s.Limits[i]
		if l.LPC == nil && l.LPP == nil && len(l.Contacts) == 0 && len(l.Periods) == 0 {
			continue
		}
		g := guard.Config{Source: l.Source, Node: l.Node, Zone: zone, Delay: seconds(l.RandomDelayS), Debounce: seconds(l.DebounceS), Stale: seconds(l.StaleS)}
		if g.Node == "" {
			g.Node = s.root()
		}
		switch {
		case l.LPC != nil:
			g.LPC = l.LPC.machine(lpc.Consumption)
		case l.LPP != nil:
			g.LPC = l.LPP.machine(lpc.Production)
		}
		for _, c := range l.Contacts {
			name := c.Name
			if name == "" {
				name = c.Input
			}
			v := limits.Values{ImportW: as[si.Watts](c.ImportW), ExportW: as[si.Watts](c.ExportW), CurrentA: phases(c.CurrentA)}
			if c.EnWG14a != nil {
				n := c.EnWG14a.Devices
				if n == 0 {
					n = s.controllable()
				}
				w := grid.Guaranteed(n, si.Watts(c.EnWG14a.LargeW))
				v.ImportW = &w
			}
			g.Contacts = append(g.Contacts, guard.Contact{Input: c.Input, Contact: grid.Contact{Name: name, Opens: c.Active == "open", Values: v}})
		}
		if f := l.Failsafe; f != nil && len(l.Contacts) > 0 {
			g.Failsafe = limits.Values{ImportW: as[si.Watts](f.ImportW), ExportW: as[si.Watts](f.ExportW), CurrentA: phases(f.CurrentA)}
		}
		for _, p := range l.Periods {
			on, from, to, err := span(p.Days, p.From, p.To)
			if err != nil {
				return nil, fmt.Errorf("limit source %s: %w", l.Source, err)
			}
			g.Periods = append(g.Periods, guard.Period{Days: on, From: from, To: to,
				Values: limits.Values{ImportW: as[si.Watts](p.ImportW), ExportW: as[si.Watts](p.ExportW), CurrentA: phases(p.CurrentA)}})
		}
		if _, err := guard.New(time.Time{}, g, nil); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func (e *EnergyGuard) machine(d lpc.Direction) *lpc.Config {
	c := &lpc.Config{Direction: d, Duration: seconds(e.DurationS), Autonomous: as[si.Watts](e.AutonomousW)}
	if e.FailsafeW != nil {
		c.Failsafe = si.Watts(*e.FailsafeW)
	}
	return c
}

func (s *Site) root() string {
	for _, n := range s.Nodes {
		if n.Parent == "" {
			return n.ID
		}
	}
	return ""
}

// controllable counts what section 14a EnWG calls a controllable device here: charging points above 4.2 kW.
func (s *Site) controllable() int {
	n := 0
	power := func(amps float64, phases int) float64 { return amps * s.Site.VoltageV * float64(phases) }
	for _, e := range s.EVSEs {
		if e.MaxW > float64(grid.PerDevice) || power(e.MaxA, e.Phases) > float64(grid.PerDevice) {
			n++
		}
	}
	if s.Stations != nil {
		for _, x := range s.Stations.List {
			if power(x.MaxA, x.Phases) > float64(grid.PerDevice) {
				n++
			}
		}
	}
	return n
}

// FrequencyResponse returns the characteristic, nil when there is none.
func (s *Site) FrequencyResponse() (*frequency.Curve, error) {
	if s.Response == nil || s.Response.Frequency == nil {
		return nil, nil
	}
	f := s.Response.Frequency
	c := &frequency.Curve{Nominal: si.Hertz(f.NominalHz), DeadBand: si.Hertz(f.DeadBandHz), Droop: f.DroopPct / 100, Range: si.Watts(f.RangeW)}
	return c, c.Check()
}

// energy checks what the keys of this file say together.
func (c *checker) energy(s *Site) {
	inputs := map[string]bool{}
	for i, in := range s.Inputs {
		path := fmt.Sprintf("$.inputs[%d]", i)
		switch {
		case !nameRule.MatchString(in.ID):
			c.add(path+".id", "", "input id %q: want letters, digits, - or _", in.ID)
		case inputs[in.ID]:
			c.add(path+".id", "choose another", "there are two inputs %s", in.ID)
		case in.Driver == "file" && in.Path == "":
			c.add(path+".driver", "give path", "an input of driver file needs the name of the file")
		}
		inputs[in.ID] = true
	}
	for i := range s.Limits {
		l, path := &s.Limits[i], fmt.Sprintf("$.limits[%d]", i)
		if l.Node != "" && !slices.ContainsFunc(s.Nodes, func(n Node) bool { return n.ID == l.Node }) {
			c.add(path+".node", "", "there is no node %s", l.Node)
		}
		if l.LPC != nil && l.LPP != nil {
			c.add(path+".lpp", "make them two sources", "source %s is both lpc and lpp", l.Source)
		}
		if len(l.Periods) > 0 && (l.LPC != nil || l.LPP != nil || len(l.Contacts) > 0) {
			c.add(path+".periods", "make them two sources", "source %s has a schedule and something else", l.Source)
		}
		if l.RandomDelayS > grid.LongestDelay.Seconds() {
			c.add(path+".random_delay_s", "600 is what the UK's rules ask for", "a random delay of %g s is longer than %v", l.RandomDelayS, grid.LongestDelay)
		}
		if (l.LPC != nil || l.LPP != nil) && (l.Failsafe != nil || l.SilenceS != 0) {
			c.add(path+".failsafe", "write it as failsafe_w beneath lpc or lpp", "an energy guard has its failsafe and its times by itself")
		}
		for _, g := range []*EnergyGuard{l.LPC, l.LPP} {
			if g != nil && g.FailsafeW == nil {
				c.add(path, "give failsafe_w", "source %s: what holds while the guard is silent?", l.Source)
			}
		}
		for j, x := range l.Contacts {
			at := fmt.Sprintf("%s.contacts[%d]", path, j)
			if !inputs[x.Input] {
				c.add(at+".input", "list it under inputs:", "there is no input %s", x.Input)
			}
			if x.EnWG14a != nil && x.ImportW != nil {
				c.add(at+".import_w", "remove one of them", "import_w and enwg_14a both state an import limit")
			}
		}
	}
	if len(c.problems) > 0 {
		return
	}
	if _, err := s.Guards(); err != nil {
		c.add("$.limits", "", "%v", err)
	}
	if s.Tariff != nil {
		if _, err := s.EnergyTariff(); err != nil {
			c.add("$.tariff", "", "%s", strings.TrimPrefix(err.Error(), "tariff: "))
		}
	}
	if s.Plan.ReserveSoC > 100 {
		c.add("$.plan.reserve_soc", "", "%g %% is more than a battery holds", s.Plan.ReserveSoC)
	}
	if _, err := s.FrequencyResponse(); err != nil {
		c.add("$.response.frequency", "", "%v", err)
	}
	for i, n := range s.Nodes {
		if (n.Kind == "pv" || n.Kind == "battery") && n.Meter == "" {
			c.add(fmt.Sprintf("$.nodes[%d].kind", i), "give it a meter", "what %s node %s delivers counts only when it is measured", n.Kind, n.ID)
		}
	}
}
