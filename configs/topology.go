package configs

import (
	"fmt"
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/site/limits"
	"github.com/voltyard/voltyard/site/topology"
)

// OtherPrefix begins the topology ids of the places kept for third-party stations that are not listed: "other-1" and up.
const OtherPrefix = "other-"

// Topology returns the electrical tree that the file describes, for topology.New. The EVSE ids are those of the file, and
// the OCPP identities for third-party stations.
func (s *Site) Topology() (topology.Site, error) {
	t := topology.Site{Voltage: si.Volts(s.Site.VoltageV)}
	for _, n := range s.Nodes {
		t.Nodes = append(t.Nodes, topology.Node{
			ID: n.ID, Parent: n.Parent, Meter: n.Meter,
			Fuse: phases(n.FuseA), Background: phases(n.BackgroundA),
			MaxImport: as[si.Watts](n.MaxImportW), MaxExport: as[si.Watts](n.MaxExportW),
			Contract: as[si.Watts](n.ContractW), Imbalance: as[si.Amps](n.ImbalanceA),
			React: seconds(n.ReactS),
		})
	}
	for _, e := range s.EVSEs {
		turn, err := si.ParseRotation(e.Rotation)
		if err != nil {
			return t, fmt.Errorf("evse %s: %w", e.ID, err)
		}
		x := topology.EVSE{ID: e.ID, Node: e.Node, Phases: e.Phases, Rotation: turn, Weight: e.Weight, Priority: e.Priority}
		if e.Type == "dc" {
			x.Kind, x.Phases, x.MaxPower, x.MaxExportPower = topology.DC, 3, si.Watts(e.MaxW), si.Watts(e.ExportW)
			if e.FloorW != nil {
				x.FloorPower = si.Watts(*e.FloorW)
			}
		} else {
			x.Max, x.MaxExport = si.Amps(e.MaxA), si.Amps(e.ExportA)
			if e.FloorA != nil {
				x.Floor = si.Amps(*e.FloorA)
			}
		}
		t.EVSEs = append(t.EVSEs, x)
	}
	if s.Stations == nil {
		return t, nil
	}
	for _, st := range s.Stations.List {
		turn, err := si.ParseRotation(st.Rotation)
		if err != nil {
			return t, fmt.Errorf("station %s: %w", st.ID, err)
		}
		t.EVSEs = append(t.EVSEs, topology.EVSE{ID: st.ID, Node: st.Node, Phases: st.Phases, Rotation: turn, Max: si.Amps(st.MaxA),
			Weight: st.Weight, Priority: st.Priority,
			Station: &topology.Station{Fallback: si.Amps(*st.FallbackA), Levels: st.Levels}})
	}
	for i := range s.Stations.MaxOthers {
		t.EVSEs = append(t.EVSEs, topology.EVSE{ID: fmt.Sprintf("%s%d", OtherPrefix, i+1), Node: s.Stations.Node, Phases: 3,
			Max: si.Amps(s.Stations.MaxA), Station: &topology.Station{Fallback: si.Amps(s.Stations.FallbackA)}})
	}
	return t, nil
}

// LimitSources returns who may limit the site from outside.
func (s *Site) LimitSources() []limits.Source {
	var out []limits.Source
	for _, l := range s.Limits {
		src := limits.Source{Name: l.Source, React: seconds(l.ReactS), Silence: seconds(l.SilenceS)}
		if f := l.Failsafe; f != nil && len(l.Contacts) == 0 {
			src.FailsafeNode = f.Node
			src.Failsafe = limits.Values{ImportW: as[si.Watts](f.ImportW), ExportW: as[si.Watts](f.ExportW), CurrentA: phases(f.CurrentA)}
		}
		out = append(out, src)
	}
	return out
}

func as[T ~float64](v *float64) *T {
	if v == nil {
		return nil
	}
	t := T(*v)
	return &t
}

func phases(p *PhaseAmps) *si.Phases {
	if p == nil {
		return nil
	}
	v := p.Phases()
	return &v
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
