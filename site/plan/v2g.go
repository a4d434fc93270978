package plan

import (
	"math"
	"slices"
)

// Battery is a vehicle's battery as storage for the site, in kWh and slots. Charging is on the grid's side of the EVSE.
type Battery struct {
	Now      float64 // kWh in it
	Reserve  float64 // kWh below which it is never discharged: the driver's
	Target   float64 // kWh it must hold when it leaves, at least what is in it if it is less
	Capacity float64 // kWh
	In, Out  float64 // largest kWh in one slot that is charged, discharged
	Leaves   int     // slots from now
	Loss     float64 // part that is lost on the way in and out together, 0 to 1
	Wear     float64 // per kWh given back
}

// Arbitrage says in which slots a battery should give and take so that the most is earned: buy[t] is the price of a kWh
// taken in slot t, sell[t] what a kWh given is worth. The result is kWh per slot, positive when charging. Only pairs of giving
// and taking back (or the reverse) that pay after losses and wear are made, so that the energy at the end is that at the
// beginning, or Target if that is more. It is the exact optimum where one direction per slot suffices: the best pair that the
// state of charge allows, again and again.
func Arbitrage(b Battery, buy, sell []float64) []float64 {
	n := min(b.Leaves, len(buy), len(sell))
	flow := make([]float64, max(n, 0))
	if n < 1 || !finite(b.Now, b.Reserve, b.Target, b.Capacity, b.In, b.Out, b.Loss, b.Wear) || b.In <= 0 || b.Loss < 0 || b.Loss >= 1 {
		return flow
	}
	state := make([]float64, n+1) // kWh in the battery at the begin of each slot
	for i := range state {
		state[i] = b.Now
	}
	keep := 1 - b.Loss
	add := func(t int, e float64) { // e on the grid's side
		inside := e
		if e > 0 {
			inside = e * keep
		}
		flow[t] += e
		for i := t + 1; i <= n; i++ {
			state[i] += inside
		}
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		switch {
		case buy[x] < buy[y]:
			return -1
		case buy[x] > buy[y]:
			return 1
		}
		return x - y
	})
	for _, t := range order { // what the driver needs, in the cheapest slots
		lack := b.Target - state[n]
		if lack <= 1e-9 {
			break
		}
		if e := min(b.In-flow[t], lack/keep, (b.Capacity-slices.Max(state[t+1:]))/keep); e > 0 {
			add(t, e)
		}
	}
	for range 4 * n { // the best pair, until none pays
		gain, give, take, much := 1e-9, -1, -1, 0.0
		for g := range n {
			if flow[g] > 1e-12 || flow[g] <= -b.Out+1e-12 {
				continue
			}
			for c := range n {
				if c == g || flow[c] < -1e-12 || flow[c] >= b.In-1e-12 {
					continue
				}
				if each := sell[g] - b.Wear - buy[c]/keep; each > gain {
					if m := b.pair(state, flow, g, c, keep); m > 1e-9 {
						gain, give, take, much = each, g, c, m
					}
				}
			}
		}
		if give < 0 {
			break
		}
		add(give, -much)
		add(take, much/keep)
	}
	return flow
}

// pair is how much (inside the battery) can be given in slot g and taken in slot c.
func (b *Battery) pair(state, flow []float64, g, c int, keep float64) float64 {
	m := min(b.Out+flow[g], (b.In-flow[c])*keep)
	if g < c { // lower in between
		for i := g + 1; i <= c; i++ {
			m = min(m, state[i]-b.Reserve)
		}
	} else { // higher in between
		for i := c + 1; i <= g; i++ {
			m = min(m, b.Capacity-state[i])
		}
	}
	return math.Max(0, m)
}
