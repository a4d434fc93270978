package schemasets

import (
	"bytes"
	"errors"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/exi/xmlview"
)

// ErrUnknown means that no schema set fits a stream.
var ErrUnknown = errors.New("no schema set fits this stream")

// Tree returns a value of the set as a tree for display.
func (s *Set) Tree(name exi.QName, v exi.Value) (*xmlview.Node, error) {
	return xmlview.Tree(name, v, s.namespaces())
}

// namespaces returns the prefixes of the set and of those it borrows types from.
func (s *Set) namespaces() map[string]string { return allNamespaces }

var allNamespaces = func() map[string]string {
	out := map[string]string{}
	for _, s := range All {
		for p, space := range s.Namespaces {
			out[p] = space
		}
	}
	return out
}()

// Fill stores a tree in a value of the set.
func (s *Set) Fill(v exi.Value, n *xmlview.Node) error {
	return xmlview.Filler{Namespaces: s.namespaces(), NewElement: s.NewElement}.Fill(v, n)
}

// Detected is the outcome of Detect.
type Detected struct {
	Set     *Set
	Message Message
	Info    exi.Info
	// Others lists further sets that fit the stream as well.
	Others []*Set
}

// Detect finds the schema set of a document. payload is the V2GTP payload type,
// or 0 when it is not known. Of several sets that decode the stream, one that
// encodes it back to the same bytes wins over one that does not, then one whose
// message is valid; among equals the order of All decides.
func Detect(payload uint16, b []byte) (Detected, error) {
	var best Detected
	bestScore := 0
	var firstErr error
	for _, s := range All {
		if s.Decode == nil || payload != 0 && payload < 0x8100 && s.PayloadType != payload {
			continue
		}
		m, info, err := s.Decode(b)
		if err != nil {
			if firstErr == nil && payload != 0 {
				firstErr = err
			}
			continue
		}
		score := 1
		if out, err := m.AppendEXI(nil); err == nil && bytes.Equal(out, b[:len(b)-info.TrailingBytes]) {
			score += 2
		}
		if m.Validate() == nil {
			score++
		}
		switch {
		case score > bestScore:
			best, bestScore = Detected{Set: s, Message: m, Info: info}, score
		case score == bestScore:
			best.Others = append(best.Others, s)
		}
	}
	switch {
	case best.Set != nil:
		return best, nil
	case firstErr != nil:
		return best, errors.Join(ErrUnknown, firstErr)
	}
	return best, ErrUnknown
}

// DetectFragment finds the schema set of a fragment in the same way.
func DetectFragment(b []byte) (*Set, Fragment, error) {
	var set *Set
	var frag Fragment
	for _, s := range All {
		f, err := s.DecodeFragment(b)
		if err != nil {
			continue
		}
		if out, err := f.AppendEXI(nil); err == nil && bytes.Equal(out, b) {
			return s, f, nil
		}
		if set == nil {
			set, frag = s, f
		}
	}
	if set == nil {
		return nil, frag, ErrUnknown
	}
	return set, frag, nil
}
