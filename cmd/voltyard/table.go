package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/msg"
)

// table shows the site, redrawn in place on a terminal.
type table struct {
	out   io.Writer
	view  *kit.Cell[msg.SiteView]
	lines int // drawn last
}

const redraw = 500 * time.Millisecond

// draw replaces what was drawn last.
func (t *table) draw() {
	v := t.view.Load()
	if v == nil {
		return
	}
	text := render(v)
	if t.lines > 0 {
		fmt.Fprintf(t.out, "\x1b[%dA\x1b[J", t.lines)
	}
	t.lines = strings.Count(text, "\n")
	fmt.Fprint(t.out, text)
}

// clear takes the table away, so that lines can be printed; the next draw brings it back.
func (t *table) clear() {
	if t.lines > 0 {
		fmt.Fprintf(t.out, "\x1b[%dA\x1b[J", t.lines)
		t.lines = 0
	}
}

// render is the table as text.
func render(v *msg.SiteView) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %-13s %-15s %-12s %3s %8s %8s %9s %5s  %s\n", "EVSE", "vehicle", "protocol", "state", "ph", "limit A", "kW", "kWh", "SoC", "limited by")
	for _, e := range v.EVSEs {
		soc := ""
		if e.SoC != nil {
			soc = fmt.Sprintf("%.0f %%", float64(*e.SoC))
		}
		limit, ph := "", ""
		if e.State != "available" {
			limit = fmt.Sprintf("%.1f", float64(e.Limit))
		}
		if e.Phases > 0 && e.State != "available" {
			ph = fmt.Sprint(e.Phases)
		}
		fmt.Fprintf(&b, "%-8s %-13s %-15s %-12s %3s %8s %8.2f %9.2f %5s  %s\n", cut(e.ID, 8), cut(e.Vehicle, 13), e.Protocol, e.State, ph,
			limit, float64(e.Power)/1000, float64(e.Energy)/1000, soc, cut(e.LimitedBy, 46))
	}
	for _, s := range v.Stations {
		state := s.State
		if !s.Connected {
			state = "offline"
		}
		fmt.Fprintf(&b, "%-8s %-13s %-15s %-12s %3s %8.1f %8.2f %9.2f %5s  %s\n", cut(s.ID, 8), "", "ocpp-station", cut(state, 12), "",
			float64(s.Limit), float64(s.Power)/1000, float64(s.Energy)/1000, "", cut(s.LimitedBy, 46))
	}
	for _, n := range v.Nodes {
		limit := ""
		if l := lowestOf(n.LimitA); l != nil {
			limit = fmt.Sprintf("of %.0f A", *l)
		}
		if n.LimitW != nil {
			limit += fmt.Sprintf(", of %.1f kW", *n.LimitW/1000)
		}
		if n.LimitBy != "" {
			limit += " by " + n.LimitBy
		}
		fmt.Fprintf(&b, "node %-12s %5.1f %5.1f %5.1f A %8.2f kW  %s\n", cut(n.ID, 12), float64(n.Current[0]), float64(n.Current[1]), float64(n.Current[2]),
			float64(n.Power)/1000, strings.TrimPrefix(limit, ", "))
	}
	return b.String()
}

// cut shortens a text to n characters.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
