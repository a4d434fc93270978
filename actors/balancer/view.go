package balancer

import (
	"math"
	"time"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/plan"
)

// publish makes a new picture of the site.
func (b *Balancer) publish(now time.Time) {
	v := &msg.SiteView{Site: b.cfg.Site, At: now.UTC(), Mode: "running", EVSEs: []msg.EVSEView{}, Stations: []msg.StationView{}}
	effective := map[string]limits.Effective{}
	for _, e := range b.book.Effective() {
		effective[e.Node] = e
		v.Limits = append(v.Limits, b.limitViews(e)...)
	}
	if v.Limits == nil {
		v.Limits = []msg.LimitView{}
	}
	for i := range b.tree.Nodes() {
		v.Nodes = append(v.Nodes, b.nodeView(i, effective, now))
	}
	for i := range b.tree.EVSEs() {
		t := b.tree.EVSE(i)
		if e := b.evses[t.ID]; e != nil {
			v.EVSEs = append(v.EVSEs, b.evseView(t.ID, t.Node, e))
		} else if s := b.station[t.ID]; s.seen || len(b.cfg.Unlisted) == 0 || len(t.ID) < len(b.cfg.Unlisted) || t.ID[:len(b.cfg.Unlisted)] != b.cfg.Unlisted {
			v.Stations = append(v.Stations, stationView(t.ID, t.Node, s))
		}
	}
	for _, g := range b.guards {
		v.Sources = append(v.Sources, msg.SourceView{Source: g.Source(), State: g.state})
	}
	v.Plan, v.Flex = b.planView(now), b.flex
	if b.service.by != "" {
		v.Service = &msg.ServiceView{By: b.service.by, Power: roundW(b.service.fleet)}
	}
	b.view.Store(v)
}

func (b *Balancer) planView(now time.Time) *msg.PlanView {
	if b.plan.Made.IsZero() {
		return nil
	}
	v := &msg.PlanView{Made: b.plan.Made.UTC(), Fresh: now.Sub(b.plan.Made) < planFresh}
	if b.plan.Peak > 0 {
		w := b.plan.Peak
		v.PeakW = &w
	}
	if t := b.cfg.Tariff; t != nil {
		p := t.Price(now)
		v.Currency, v.Price = t.Currency, &p
	}
	return v
}

func (b *Balancer) nodeView(i int, effective map[string]limits.Effective, now time.Time) msg.NodeView {
	n := b.tree.Node(i)
	v := msg.NodeView{ID: n.ID, Parent: n.Parent, Stale: b.stale(n.ID, now), Kind: b.cfg.Kinds[n.ID]}
	if m := b.meters[n.ID]; m != nil {
		v.Metered, v.Current, v.Power = true, m.reading.Current, m.reading.Power
		if m.ok {
			in, out := m.reading.Import, m.reading.Export
			v.Import, v.Export = &in, &out
		}
	} else {
		v.Current = b.managed(n.ID)
		if n.Background != nil {
			v.Current = v.Current.Add(*n.Background)
		}
		v.Power = v.Current.Power(b.tree.Voltage())
	}
	ext := effective[n.ID]
	for p := range 3 {
		limit := math.Inf(1)
		if n.Fuse != nil {
			limit = float64(n.Fuse[p])
		}
		if ext.Current[p] != nil && ext.Current[p].Value < limit {
			limit = ext.Current[p].Value
			v.LimitBy = ext.Current[p].Source
		}
		if !math.IsInf(limit, 0) {
			v.LimitA[p] = &limit
		}
	}
	lowest := func(own *si.Watts, outside *limits.Bound, by *string) *float64 {
		var w *float64
		if own != nil {
			x := float64(*own)
			w = &x
		}
		if outside != nil && (w == nil || outside.Value < *w) {
			x := outside.Value
			w, *by = &x, outside.Source
		}
		return w
	}
	var exportBy string
	v.LimitW = lowest(n.MaxImport, ext.ImportW, &v.LimitBy)
	v.ExportW = lowest(n.MaxExport, ext.ExportW, &exportBy)
	return v
}

func (b *Balancer) evseView(id, node string, e *evse) msg.EVSEView {
	r := &e.report
	v := msg.EVSEView{ID: id, Node: node, Station: b.cfg.Names[id], Vehicle: r.EVCCID, Token: r.Token, Protocol: r.Protocol, Stage: r.Stage,
		Phases: r.Phases, Limit: r.Limit, LimitW: r.LimitW, Current: r.Draw, Power: r.Meter.Power, Energy: r.Energy, Fault: r.Fault, State: stateOf(e)}
	i, _ := b.tree.FindEVSE(id)
	v.Rotation, v.Priority, v.Paused = b.tree.EVSE(i).Rotation.String(), b.tree.EVSE(i).Priority+e.needs.priority, e.needs.pause
	v.Display = displayView(r.Screen)
	if r.Plugged {
		v.LimitedBy = e.explain
		v.Plan, v.Estimates, v.Target = e.steps, e.estimates, e.needs.energy
		v.Binding = &msg.BindingView{Kind: e.binding.Kind.String(), Node: e.binding.Node, Phase: e.binding.Phase, Limit: e.binding.Limit,
			Source: e.binding.Source, Shared: e.binding.Shared, Waits: e.binding.Waits}
		if d := b.departure(e); !d.IsZero() {
			d = d.UTC().Round(time.Second)
			v.Departure = &d
		}
		v.Setpoint = roundW(b.powerOf(b.tree.EVSE(i), e, plan.Step{Import: e.granted.Import.Highest(), Export: e.granted.Export.Highest()}))
		since := r.Since.UTC()
		v.Since = &since
		if r.SoC >= 0 {
			soc := r.SoC
			v.SoC = &soc
		}
	}
	return v
}

func displayView(s *hal.Screen) *msg.DisplayView {
	if s == nil || len(s.Messages) == 0 && s.Cost == nil {
		return nil
	}
	v := &msg.DisplayView{}
	for _, m := range s.Messages {
		v.Messages = append(v.Messages, msg.MessageView(m))
	}
	if c := s.Cost; c != nil {
		v.Cost = &msg.CostView{Total: c.Total, Currency: c.Currency, Final: c.Final}
	}
	return v
}

// stateOf puts the state of an EVSE in a word.
func stateOf(e *evse) string {
	r := &e.report
	switch {
	case e.lost:
		return "unreachable"
	case r.Fault != "":
		return "faulted"
	case r.Plugged && r.Stopped:
		return "stopped"
	case r.Plugged && r.Done:
		return "done"
	case r.Plugged && !r.Auth:
		return "authorizing"
	case r.Charging && r.Meter.Power > 50:
		return "charging"
	case r.Charging:
		return "paused"
	case r.Pilot == hal.PilotB || r.Plugged:
		return "plugged"
	case !r.Operative && e.reported:
		return "unavailable"
	}
	return "available"
}

func stationView(id, node string, s *station) msg.StationView {
	r := &s.report
	v := msg.StationView{ID: id, Node: node, Connected: r.Connected, State: r.State, EVs: r.EVs, Limit: s.granted.Import.Highest(),
		LimitedBy: s.explain, Power: r.Power, Energy: r.Energy}
	if r.Station != "" {
		v.ID = r.Station
	}
	if r.Current != nil {
		v.Current = *r.Current
	}
	return v
}

// limitViews lists the limits from outside that bind at a node.
func (b *Balancer) limitViews(e limits.Effective) []msg.LimitView {
	by := map[limitKey]*msg.LimitView{}
	var order []limitKey
	get := func(x *limits.Bound) *msg.LimitView {
		k := limitKey{x.Source, x.ID}
		if by[k] == nil {
			by[k] = &msg.LimitView{Source: x.Source, ID: x.ID, Node: e.Node, Since: b.since[k].UTC()}
			order = append(order, k)
		}
		return by[k]
	}
	value := func(x *limits.Bound) *float64 { v := x.Value; return &v }
	if e.ImportW != nil {
		get(e.ImportW).ImportW = value(e.ImportW)
	}
	if e.ExportW != nil {
		get(e.ExportW).ExportW = value(e.ExportW)
	}
	for p := range 3 {
		if x := e.Current[p]; x != nil {
			l := get(x)
			if l.Current == nil {
				l.Current = make([]float64, 3)
			}
			l.Current[p] = x.Value
		}
	}
	var out []msg.LimitView
	for _, k := range order {
		out = append(out, *by[k])
	}
	return out
}
