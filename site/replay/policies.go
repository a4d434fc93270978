package replay

import (
	"slices"

	"github.com/voltyard/voltyard/site/plan"
)

// Car is a connected vehicle as a policy sees it; its ID is the index of the session, its slots are periods.
type Car = plan.Car

// Policy decides on the currents of the coming period.
type Policy interface {
	// Decide sets Rate of every car. cars are in order of arrival.
	Decide(now int, net *plan.Network, cars []*Car)
	// Gone tells that a vehicle left at now.
	Gone(now int, car *Car)
}

// NewPolicy returns a policy by name: fcfs, edf, llf, maxmin or plan; trust says that departures are true.
// It returns nil for another name.
func NewPolicy(name string, trust bool) Policy {
	switch name {
	case "fcfs":
		return byKey(func(_ int, c *Car) float64 { return float64(c.Arrival) })
	case "edf":
		return byKey(func(_ int, c *Car) float64 { return float64(c.Departure) })
	case "llf":
		return byKey(func(now int, c *Car) float64 { return float64(c.Departure-now) - c.Left/c.Max })
	case "maxmin":
		return maxMin{}
	case "plan":
		return plan.NewPlanner(trust, PeriodsPerDay)
	}
	return nil
}

// PolicyNames are all policies there are.
func PolicyNames() []string { return []string{"fcfs", "edf", "llf", "maxmin", "plan"} }

// byKey is a greedy policy that serves the smallest key first.
type byKey func(now int, c *Car) float64

func (k byKey) Decide(now int, net *plan.Network, cars []*Car) {
	order := slices.Clone(cars)
	for _, c := range order {
		c.Rate = 0
	}
	plan.SortBy(order, func(c *Car) float64 { return k(now, c) })
	plan.Greedy(net, order)
}

func (byKey) Gone(int, *Car) {}

// maxMin raises all vehicles together until the network or their own limit stops each.
type maxMin struct{}

func (maxMin) Gone(int, *Car) {}

func (maxMin) Decide(_ int, net *plan.Network, cars []*Car) { plan.MaxMin(net, cars) }
