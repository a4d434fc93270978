package topology

import (
	"fmt"
	"slices"

	"github.com/voltyard/voltyard/hal/si"
)

// New checks a site description and builds its tree. The error is of type Errors and lists every defect.
func New(site Site) (*Tree, error) {
	t := &Tree{
		system: site.System, voltage: site.Voltage,
		nodes: slices.Clone(site.Nodes), evses: slices.Clone(site.EVSEs),
		nodeAt: map[string]int{}, evseAt: map[string]int{},
	}
	c := &checker{t: t}
	if t.voltage == 0 {
		t.voltage = DefaultVoltage
	}
	if !si.Finite(t.voltage) || t.voltage < 50 || t.voltage > 1000 {
		c.add(Error{Field: "Voltage", Problem: fmt.Sprintf("nominal voltage %v is not a mains voltage", t.voltage),
			Advice: "give the voltage from phase to neutral, such as 230"})
		t.voltage = DefaultVoltage
	}
	if t.system > SplitPhase {
		c.add(Error{Field: "System", Problem: "unknown kind of supply", Advice: "use three-phase or split-phase"})
	}
	c.nodes()
	c.evses()
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	t.index()
	t.buildRows()
	c.floors()
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	return t, nil
}

// index fills order, root and under; the parents are known to form a tree.
func (t *Tree) index() {
	t.under = make([][]int, len(t.nodes))
	children := make([][]int, len(t.nodes))
	for i, p := range t.parent {
		if p < 0 {
			t.root = i
		} else {
			children[p] = append(children[p], i)
		}
	}
	t.order = append(t.order, t.root)
	for k := 0; k < len(t.order); k++ {
		t.order = append(t.order, children[t.order[k]]...)
	}
	for e, n := range t.home {
		for ; n >= 0; n = t.parent[n] {
			t.under[n] = append(t.under[n], e)
		}
	}
}

type checker struct {
	t    *Tree
	errs Errors
}

func (c *checker) add(e Error) { c.errs = append(c.errs, &e) }

func (c *checker) nodes() {
	t := c.t
	if len(t.nodes) == 0 {
		c.add(Error{Field: "Nodes", Problem: "there is no node", Advice: "describe at least the grid connection"})
		return
	}
	roots := 0
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.ID == "" {
			c.add(Error{Field: "ID", Problem: fmt.Sprintf("node number %d has no id", i+1), Advice: "give every node an id"})
			continue
		}
		if _, dup := t.nodeAt[n.ID]; dup {
			c.add(Error{Node: n.ID, Field: "ID", Problem: "the id is used twice", Advice: "ids of nodes must differ"})
			continue
		}
		t.nodeAt[n.ID] = i
		c.node(n)
		if n.Parent == "" {
			roots++
			if roots > 1 {
				c.add(Error{Node: n.ID, Field: "Parent", Problem: "a second node without parent",
					Advice: "a site has one grid connection; name this node's parent"})
			}
		}
	}
	if roots == 0 {
		c.add(Error{Field: "Nodes", Problem: "no node is without parent", Advice: "leave out the parent of the grid connection"})
	}
	t.parent = make([]int, len(t.nodes))
	for i := range t.nodes {
		n := &t.nodes[i]
		t.parent[i] = -1
		if n.Parent == "" {
			continue
		}
		p, ok := t.nodeAt[n.Parent]
		if !ok {
			c.add(Error{Node: n.ID, Field: "Parent", Problem: fmt.Sprintf("its parent %q does not exist", n.Parent),
				Advice: "name an existing node"})
			continue
		}
		t.parent[i] = p
	}
	for i := range t.nodes {
		steps, p := 0, i
		for ; p >= 0 && steps <= len(t.nodes); steps++ {
			p = t.parent[p]
		}
		if p >= 0 {
			c.add(Error{Node: t.nodes[i].ID, Field: "Parent", Problem: "following the parents leads in a circle",
				Advice: "let every chain of parents end at the grid connection"})
		}
	}
}

func (c *checker) node(n *Node) {
	bad := func(field, problem, advice string) {
		c.add(Error{Node: n.ID, Field: field, Problem: problem, Advice: advice})
	}
	if n.Fuse != nil {
		used := n.Fuse[:]
		if c.t.system == SplitPhase {
			used = n.Fuse[:2]
		}
		for _, a := range used {
			if !si.Finite(a) || a <= 0 {
				bad("Fuse", fmt.Sprintf("the fuse %v is not above 0 A on every phase", *n.Fuse), "give the rated current, or no fuse")
				break
			}
		}
	}
	watts := func(field string, w *si.Watts) {
		if w != nil && (!si.Finite(*w) || *w < 0) {
			bad(field, fmt.Sprintf("%v is no power limit", *w), "give 0 W or more, or leave it out")
		}
	}
	watts("MaxImport", n.MaxImport)
	watts("MaxExport", n.MaxExport)
	watts("Contract", n.Contract)
	if n.Imbalance != nil && (!si.Finite(*n.Imbalance) || *n.Imbalance <= 0) {
		bad("Imbalance", fmt.Sprintf("%v is no limit of imbalance", *n.Imbalance), "give a current above 0 A, or leave it out")
	}
	if n.Background != nil && (!si.Finite(n.Background[:]...) || n.Background.Lowest() < 0) {
		bad("Background", fmt.Sprintf("%v is no worst case", *n.Background), "give 0 A or more per phase")
	}
	if n.React < 0 || n.ContractReact < 0 {
		bad("React", "a reaction time is negative", "give a duration of 0 s or more")
	}
	if n.ContractReact == 0 {
		n.ContractReact = DefaultContractReact
	}
}
