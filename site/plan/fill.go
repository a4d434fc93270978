package plan

import (
	"math"
	"slices"
)

// Car is a connected vehicle as the slow layer sees it.
type Car struct {
	ID        int     // distinguishes cars over their stays
	Arrival   int     // slot
	Departure int     // as far as the policy is told; Never without any statement
	Max       float64 // A, largest current of vehicle and EVSE
	Left      float64 // A times slots it would still take
	Parts     []Part
	Rate      float64 // A; the decision
	Place     string  // the EVSE, where Parts differ from plan to plan
}

// Never is the departure of a vehicle that nothing is known of.
const Never = math.MaxInt32

// Cap is the largest current that makes sense in the coming slot.
func (c *Car) Cap() float64 { return math.Min(c.Max, c.Left) }

// Greedy serves one vehicle after the other, each with all the network has left; it starts from the present rates.
func Greedy(net *Network, cars []*Car) {
	z := Sums(net, cars)
	d := make([]float64, net.Groups)
	for _, c := range cars {
		more := c.Cap() - c.Rate
		if more <= 0 {
			continue
		}
		clear(d)
		for _, p := range c.Parts {
			d[p.Group] += p.Coef
		}
		room, _ := net.Room(z, d)
		more = math.Min(more, room*(1-1e-12))
		c.Rate += more
		for g := range z {
			z[g] += more * d[g]
		}
	}
}

// Sums returns the group sums of the present rates.
func Sums(net *Network, cars []*Car) []float64 {
	z := make([]float64, net.Groups)
	for _, c := range cars {
		for _, p := range c.Parts {
			z[p.Group] += p.Coef * c.Rate
		}
	}
	return z
}

// Level raises all cars from their present rates at the same speed until the network or its own limit stops each.
func Level(net *Network, cars []*Car) {
	z := Sums(net, cars)
	open := make([]*Car, 0, len(cars))
	for _, c := range cars {
		if c.Cap()-c.Rate > 1e-12 {
			open = append(open, c)
		}
	}
	d, own := make([]float64, net.Groups), make([]float64, net.Groups)
	for len(open) > 0 {
		clear(d)
		step := math.Inf(1)
		for _, c := range open {
			step = math.Min(step, c.Cap()-c.Rate)
			for _, p := range c.Parts {
				d[p.Group] += p.Coef
			}
		}
		room, bind := net.Room(z, d)
		if room < step {
			step = room * (1 - 1e-12)
		} else {
			bind = -1
		}
		for g := range z {
			z[g] += step * d[g]
		}
		rest := open[:0]
		for _, c := range open {
			c.Rate += step
			stop := c.Cap()-c.Rate <= 1e-12
			if bind >= 0 && !stop {
				clear(own)
				for _, p := range c.Parts {
					own[p.Group] += p.Coef
				}
				stop = net.Slope(bind, z, own) > 1e-9
			}
			if !stop {
				rest = append(rest, c)
			}
		}
		if len(rest) == len(open) { // rounding: nobody was stopped although a limit is reached
			return
		}
		open = rest
	}
}

// LevelTo raises all cars together from their present rates towards the wanted ones.
func LevelTo(net *Network, cars []*Car, want []float64) {
	proxies := make([]*Car, len(cars))
	for i, c := range cars {
		proxies[i] = &Car{Max: math.Min(c.Cap(), math.Max(c.Rate, want[i])), Left: math.Inf(1), Parts: c.Parts, Rate: c.Rate}
	}
	Level(net, proxies)
	for i, c := range cars {
		c.Rate = math.Min(c.Cap(), proxies[i].Rate)
	}
}

// MaxMin sets every car's rate to its lexicographic max-min share.
func MaxMin(net *Network, cars []*Car) {
	for _, c := range cars {
		c.Rate = 0
	}
	Level(net, cars)
}

// SortBy puts cars in order of a key, smallest first, then of their ids.
func SortBy(cars []*Car, key func(c *Car) float64) {
	slices.SortStableFunc(cars, func(a, b *Car) int {
		switch x, y := key(a), key(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return a.ID - b.ID
	})
}
