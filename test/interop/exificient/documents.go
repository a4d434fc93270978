package exificient

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/schemasets"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// document is an invented document with the fragment that belongs to it.
type document struct {
	set         *schemasets.Set
	name        string // of the message or fragment element
	xml         string // empty when there is only a fragment
	fragmentXML string // empty when there is none
}

// variants are the shares of optional parts in the documents made for each
// message.
var variants = []float64{0, 0.5, 1}

// documents invents the documents for all messages and fragments of a set.
func documents(set *schemasets.Set) ([]document, error) {
	var out []document
	covered := map[string]bool{}
	for _, name := range globals(set) {
		if !isMessage(set, name) {
			continue
		}
		for k, share := range variants {
			d, err := inventDocument(set, name, k, share)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", set.Name, name.Local, err)
			}
			covered[name.Local] = covered[name.Local] || d.fragmentXML != ""
			out = append(out, d)
		}
	}
	for _, local := range fragmentNames(set) {
		for k, share := range variants {
			if covered[local] {
				break
			}
			d, err := inventFragment(set, local, k, share)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", set.Name, local, err)
			}
			out = append(out, d)
		}
	}
	return out, nil
}

// globals returns the global element names of a set in a fixed order.
func globals(set *schemasets.Set) []exi.QName {
	var out []exi.QName
	for n := range set.Schema.Globals {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b exi.QName) int { return strings.Compare(a.Local+a.Space, b.Local+b.Space) })
	return out
}

// fragmentNames returns the local names of all elements with a fragment form.
func fragmentNames(set *schemasets.Set) []string {
	var out []string
	for _, p := range set.Schema.Partitions {
		for _, local := range p.Local {
			if _, ok := set.NewFragment(local); ok && !slices.Contains(out, local) {
				out = append(out, local)
			}
		}
	}
	slices.Sort(out)
	return out
}

// isMessage reports whether name is a document element or the member of a
// message's body.
func isMessage(set *schemasets.Set, name exi.QName) bool {
	if set.New == nil || name.Local == "V2G_Message" {
		return false
	}
	if m := set.New(name.Local); m != nil {
		return m.ElementName() == name
	}
	switch set.NewElement(name).(type) {
	case v2.BodyElement, din.BodyElement:
		return true
	}
	return false
}

// newMessage returns an empty document of the named message and the element
// that has its fragment form.
func newMessage(set *schemasets.Set, name exi.QName) (m schemasets.Message, inner exi.Element) {
	if m = set.New(name.Local); m != nil {
		return m, m
	}
	inner = set.NewElement(name)
	m = set.New("V2G_Message")
	switch m := m.(type) {
	case *v2.V2GMessage:
		m.Body.BodyElement = inner.(v2.BodyElement)
	case *din.V2GMessage:
		m.Body.BodyElement = inner.(din.BodyElement)
	}
	return m, inner
}

// attempts is how often invention is tried for content that meets the schema's
// restrictions; after that, content that merely fits the grammar will do.
const attempts = 80

// inventDocument makes up a message.
func inventDocument(set *schemasets.Set, name exi.QName, variant int, share float64) (document, error) {
	var fallback schemasets.Message
	lastErr := errors.New("no attempt")
	for try := range attempts {
		m, _ := newMessage(set, name)
		in := newInventor(set, name.Local, variant, try, share)
		if err := in.fill(reflect.ValueOf(m).Elem(), ""); err != nil {
			return document{}, err
		}
		b, err := m.AppendEXI(nil)
		if err != nil {
			lastErr = err
			continue
		}
		if m, _, err = set.Decode(b); err != nil { // drops what lost out in a choice
			return document{}, err
		}
		fallback = m
		if m.Validate() == nil {
			break
		}
	}
	if fallback == nil {
		return document{}, lastErr
	}
	return render(set, name, fallback)
}

func newInventor(set *schemasets.Set, name string, variant, try int, share float64) *inventor {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %d", set.Name, name, variant)
	return &inventor{
		set: set, rng: rand.New(rand.NewPCG(h.Sum64(), uint64(try))),
		share: min(1, share+float64(try%20)/20*0.5),
	}
}

// render writes a message and its fragment as XML.
func render(set *schemasets.Set, name exi.QName, m schemasets.Message) (document, error) {
	tree, err := set.Tree(m.ElementName(), m)
	if err != nil {
		return document{}, err
	}
	d := document{set: set, name: name.Local, xml: string(tree.CompactXML())}
	if _, ok := set.NewFragment(name.Local); !ok {
		return d, nil
	}
	var inner exi.Element = m
	switch m := m.(type) {
	case *v2.V2GMessage:
		inner = m.Body.BodyElement
	case *din.V2GMessage:
		inner = m.Body.BodyElement
	}
	if tree, err = set.Tree(name, inner); err != nil {
		return document{}, err
	}
	d.fragmentXML = string(tree.CompactXML())
	return d, nil
}

// inventFragment makes up an element that is no message.
func inventFragment(set *schemasets.Set, local string, variant int, share float64) (document, error) {
	var found *schemasets.Fragment
	lastErr := errors.New("no attempt")
	for try := range attempts {
		f, _ := set.NewFragment(local)
		in := newInventor(set, local, variant, try, share)
		if err := in.fill(reflect.ValueOf(f.Value).Elem(), ""); err != nil {
			return document{}, err
		}
		b, err := f.AppendEXI(nil)
		if err != nil {
			lastErr = err
			continue
		}
		if f, err = set.DecodeFragment(b); err != nil {
			return document{}, err
		}
		found = &f
		var v exi.Validator
		if f.Value.ValidateEXI(&v); v.Err() == nil {
			break
		}
	}
	if found == nil {
		return document{}, lastErr
	}
	tree, err := set.Tree(found.Name, found.Value)
	if err != nil {
		return document{}, err
	}
	return document{set: set, name: local, fragmentXML: string(tree.CompactXML())}, nil
}
