package replay

import (
	"fmt"
	"math"
	"strings"
)

// Trace collects what a plot shows. Its Watch goes into a Case.
type Trace struct {
	first, last int
	kw          map[int]float64
}

// Watch records one period.
func (t *Trace) Watch(p *Period) {
	if t.kw == nil {
		t.kw, t.first = map[int]float64{}, p.Number
	}
	t.last = max(t.last, p.Number)
	t.kw[p.Number] = p.KW
}

const (
	plotWidth  = 1200
	plotHeight = 260
	margin     = 60
)

// SVG draws two charts: power over time with the capacity, and what every session asked for and got, in order of arrival.
func (t *Trace) SVG(o Outcome, sessions []Session) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth+2*margin, 2*plotHeight+3*margin)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="20" font-size="15">%s, %g kW, departures %s: `+
		"%.2f %% delivered</text>\n", margin, o.Policy, o.CapacityKW, o.Departure, o.DeliveredPercent)
	t.power(&b, o)
	energy(&b, o, sessions)
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func (t *Trace) power(b *strings.Builder, o Outcome) {
	top := o.CapacityKW
	for _, kw := range t.kw {
		top = max(top, kw)
	}
	top *= 1.05
	base := margin + plotHeight
	span := float64(max(1, t.last-t.first+1))
	y := func(kw float64) float64 { return float64(base) - kw/top*plotHeight }
	// One column per pixel, the highest period of each.
	columns := make([]float64, plotWidth)
	for n, kw := range t.kw {
		c := min(plotWidth-1, int(float64(n-t.first)/span*plotWidth))
		columns[c] = math.Max(columns[c], kw)
	}
	fmt.Fprintf(b, `<path fill="#7aa6d8" d="M%d %d`, margin, base)
	for c, kw := range columns {
		fmt.Fprintf(b, "L%d %.1f", margin+c, y(kw))
	}
	fmt.Fprintf(b, `L%d %dZ"/>`+"\n", margin+plotWidth, base)
	fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#c03030" stroke-dasharray="6 3"/>`, margin, margin+plotWidth, y(o.CapacityKW), y(o.CapacityKW))
	fmt.Fprintf(b, `<text x="%d" y="%.1f" fill="#c03030">%g kW</text><text x="5" y="%d">kW</text>`, margin+plotWidth+4, y(o.CapacityKW)+4, o.CapacityKW, margin+10)
	for d := range int(span)/PeriodsPerDay + 1 {
		x := margin + float64(d*PeriodsPerDay)/span*plotWidth
		if d%(1+int(span)/PeriodsPerDay/30) == 0 {
			fmt.Fprintf(b, `<text x="%.1f" y="%d">%d</text>`, x, base+15, d+1)
		}
	}
	fmt.Fprintf(b, `<text x="%d" y="%d">day</text>`+"\n", margin+plotWidth+4, base+15)
}

func energy(b *strings.Builder, o Outcome, sessions []Session) {
	top := 1.0
	for _, s := range sessions {
		top = max(top, s.KWh)
	}
	base := 2*margin + 2*plotHeight
	w := float64(plotWidth) / float64(max(1, len(sessions)))
	for i, s := range sessions {
		x := margin + float64(i)*w
		bar := func(kwh float64, fill string) {
			h := kwh / top * plotHeight
			fmt.Fprintf(b, `<rect x="%.2f" y="%.1f" width="%.2f" height="%.1f" fill="%s"/>`, x, float64(base)-h, math.Max(w, 0.3), h, fill)
		}
		bar(s.KWh, "#e6b0a0")
		bar(o.Delivered[i], "#5a9a5a")
	}
	fmt.Fprintf(b, "\n"+`<text x="5" y="%d">kWh</text><text x="%d" y="%d">sessions by arrival: green got, red lacks; highest %.1f kWh</text>`+"\n",
		base-plotHeight+10, margin, base+15, top)
}
