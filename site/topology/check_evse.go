package topology

import (
	"fmt"

	"github.com/voltyard/voltyard/hal/si"
)

func (c *checker) evses() {
	t := c.t
	t.home = make([]int, len(t.evses))
	for i := range t.evses {
		e := &t.evses[i]
		bad := func(field, problem, advice string) {
			c.add(Error{EVSE: e.ID, Field: field, Problem: problem, Advice: advice})
		}
		if e.ID == "" {
			c.add(Error{Field: "ID", Problem: fmt.Sprintf("evse number %d has no id", i+1), Advice: "give every evse an id"})
			continue
		}
		if _, dup := t.evseAt[e.ID]; dup {
			bad("ID", "the id is used twice", "ids of evses and stations must differ")
			continue
		}
		t.evseAt[e.ID] = i
		n, ok := t.nodeAt[e.Node]
		if !ok {
			bad("Node", fmt.Sprintf("its node %q does not exist", e.Node), "name an existing node")
		}
		t.home[i] = n
		c.wiring(e, bad)
		c.currents(e, bad)
	}
}

func (c *checker) wiring(e *EVSE, bad func(field, problem, advice string)) {
	if e.Rotation == (si.Rotation{}) {
		e.Rotation = si.Straight
	}
	if !e.Rotation.Valid() {
		bad("Rotation", fmt.Sprintf("the rotation %v is no order of three phases", [3]uint8(e.Rotation)),
			"use RST, STR, TRS, RTS, SRT or TSR")
		e.Rotation = si.Straight
	}
	if e.Kind > DC || e.Wiring > LineToLine {
		bad("Kind", "unknown kind or wiring", "use ac or dc, star or line-to-line")
	}
	if e.Kind == DC && e.Phases == 0 {
		e.Phases = 3
	}
	switch {
	case e.Phases != 1 && e.Phases != 3:
		bad("Phases", fmt.Sprintf("%d phases", e.Phases), "an evse has 1 or 3 phases")
		e.Phases = 1
	case e.Kind == DC && e.Phases != 3:
		bad("Phases", "a dc evse with one phase", "dc evses draw from three phases; leave phases out")
	case e.Wiring == LineToLine && e.Phases != 1:
		bad("Phases", "line-to-line with three phases", "line-to-line evses have 1 phase; three-phase ones are star")
	case e.Switchable && e.Phases != 3:
		bad("Switchable", "a single-phase evse cannot switch phases", "set 3 phases or drop the switching")
	case c.t.system == SplitPhase && (e.Phases == 3 || (e.Wiring == Star && e.Rotation[0] == 2) ||
		(e.Wiring == LineToLine && (e.Rotation[0] == 2 || e.Rotation[1] == 2))):
		bad("Phases", "uses a third phase on a split-phase site", "connect it to L1, L2, or line-to-line between them")
	}
}

func (c *checker) currents(e *EVSE, bad func(field, problem, advice string)) {
	if !si.Finite(e.Max, e.Min, e.MaxExport, e.Floor) || !si.Finite(e.MaxPower, e.MinPower, e.MaxExportPower, e.FloorPower) ||
		!si.Finite(e.Weight) {
		bad("Max", "a value is not finite", "give plain numbers")
		return
	}
	maxField, unit := "Max", "current"
	if e.Kind == DC {
		maxField, unit = "MaxPower", "power"
		v := 3 * c.t.voltage
		e.Max, e.Min = e.MaxPower.At(v), e.MinPower.At(v)
		e.MaxExport, e.Floor = e.MaxExportPower.At(v), e.FloorPower.At(v)
	} else if e.Min == 0 {
		e.Min = DefaultMinCurrent
	}
	if e.Max <= 0 {
		bad(maxField, "its largest "+unit+" is not above 0", "give the rating of the evse")
	}
	if e.Min < 0 || e.Min > e.Max {
		bad("Min", fmt.Sprintf("its smallest current %v is not between 0 and the largest, %v", e.Min, e.Max),
			"6 A is usual for ac")
	}
	if e.MaxExport < 0 {
		bad("MaxExport", "a negative discharge limit", "discharge limits are positive numbers here")
	}
	if e.Floor < 0 || e.Floor > e.Max || (e.Floor > 0 && e.Floor < e.Min) {
		bad("Floor", fmt.Sprintf("the floor %v is neither 0 nor between %v and %v", e.Floor, e.Min, e.Max),
			"a vehicle cannot draw less than the smallest current; use 0 to stop it")
	}
	if e.FloorFor < 0 {
		bad("FloorFor", "a negative duration", "give 0 s or more")
	}
	if e.FloorFor == 0 {
		e.FloorFor = DefaultFloorFor
	}
	if e.Weight < 0 {
		bad("Weight", fmt.Sprintf("the weight %g is negative", e.Weight), "weights are above 0, 1 is usual")
	}
	if e.Weight == 0 {
		e.Weight = 1
	}
	if s := e.Station; s != nil {
		cp := *s
		e.Station = &cp
		if cp.Levels == 0 {
			e.Station.Levels = 2
		}
		if !si.Finite(cp.Fallback) || cp.Fallback < 0 || cp.Fallback > e.Max || cp.Levels < 0 {
			bad("Station", fmt.Sprintf("the fallback %v is not between 0 and %v", cp.Fallback, e.Max),
				"give the current that the station may always draw")
		}
	}
}

// Silent returns the current per phase that EVSE e may draw when nobody tells it anything: the floor of an own EVSE, the
// fallback of a third-party station.
func (e *EVSE) Silent() si.Amps {
	if e.Station != nil {
		return e.Station.Fallback
	}
	return e.Floor
}

// floors checks that every fuse and power can bear all floors and fallbacks beneath it.
func (c *checker) floors() {
	t := c.t
	x := make([]si.Phases, len(t.evses))
	for i := range t.evses {
		x[i] = t.Own(i, t.evses[i].Phases, t.evses[i].Silent())
	}
	const eps = 1e-6
	told := map[[2]any]bool{}
	for r := range t.rows {
		row := &t.rows[r]
		n := &t.nodes[row.Node]
		load := t.Load(r, x) / row.Scale
		check := func(field string, limit float64, what, unit string) {
			key := [2]any{n.ID, field}
			if load > limit*(1+1e-3*(1-row.Scale))+eps && !told[key] {
				told[key] = true
				c.add(Error{Node: n.ID, Field: field, Problem: fmt.Sprintf(
					"%s of %.4g %s is smaller than the %.4g %s of floors and fallbacks of the %d evses beneath it",
					what, limit, unit, load, unit, len(row.Terms)),
					Advice: "lower the floors and fallbacks, or raise the limit"})
			}
		}
		if row.Quantity == Current && n.Fuse != nil {
			check("Fuse", float64(n.Fuse[row.Phase]), fmt.Sprintf("the fuse on L%d", row.Phase+1), "A")
		}
		if row.Quantity == Power {
			if n.MaxImport != nil {
				check("MaxImport", float64(*n.MaxImport), "the import limit", "W")
			}
			if n.Contract != nil {
				check("Contract", float64(*n.Contract), "the contract", "W")
			}
		}
	}
}
