package exi

import (
	"math/bits"
	"strconv"
)

// Site describes the grammar state in which an event is read, as far as its
// second level depends on it: flags in the low byte, the number of attribute
// productions of the state in the high byte.
type Site uint16

const (
	// AtStart marks the first state of an element, in which xsi:type, xsi:nil
	// and undeclared attributes may appear.
	AtStart Site = 1 << iota
	// AtAttributes marks a later state in which undeclared attributes may
	// still appear.
	AtAttributes
	// AtEnd marks a state that has an end-element production.
	AtEnd
	// Mixed marks a state whose last production is characters.
	Mixed

	siteAttrShift = 8
)

// Attrs returns the Site part for a state with n attribute productions.
func Attrs(n int) Site { return Site(n) << siteAttrShift }

// Event reads an event code in a state with n productions. It returns the
// index of the production, or a number beyond all of them when the stream has
// none that the schema declares. Undeclared content that can be skipped is
// skipped on the way.
func (d *Decoder) Event(n uint32, s Site) uint32 {
	v := d.Bits(uint(bits.Len32(n)))
	if v < n && s&Mixed == 0 {
		return v
	}
	return d.slowEvent(n, s, v)
}

func (d *Decoder) slowEvent(n uint32, s Site, v uint32) uint32 {
	skipped := uint32(0)
	for {
		switch {
		case d.err != nil:
			return badEvent
		case v < n && s&Mixed != 0 && v == n-1:
			d.whitespace()
		case v < n:
			return v + skipped
		case v > n:
			d.fail(ErrEvent, "", "code "+strconv.Itoa(int(v))+" of "+strconv.Itoa(int(n)), "")
			return badEvent
		default:
			content := d.secondLevel(s)
			if content && s&(AtStart|AtAttributes) != 0 {
				attrs := uint32(s >> siteAttrShift)
				if attrs == n {
					d.fail(ErrUnexpected, "", "content before the required attribute", "an attribute")
					return badEvent
				}
				n, skipped, s = n-attrs, attrs, s&(AtEnd|Mixed)
			}
		}
		v = d.Bits(width(n))
	}
}

// secondLevel handles an event the schema does not declare at this place. It
// reports true when content was skipped, after which attributes are over.
func (d *Decoder) secondLevel(s Site) (content bool) {
	kinds := secondLevelKinds(s)
	v := d.Bits(uint(bits.Len32(uint32(len(kinds) - 1))))
	if d.err != nil {
		return false
	}
	if int(v) >= len(kinds) {
		d.fail(ErrEvent, "", "second-level code "+strconv.Itoa(int(v)), "")
		return false
	}
	switch kinds[v] {
	case kindEnd:
		d.fail(ErrUnexpected, "", "end of element", "")
	case kindType:
		d.fail(ErrUnsupported, "", "xsi:type", "")
	case kindNil:
		if d.Bits(1) == 1 {
			d.fail(ErrUnsupported, "", "xsi:nil", "")
		}
	case kindAttr:
		d.info.Deviations++
		d.qname()
		d.skipText()
	case kindUntypedAttr:
		d.fail(ErrUnsupported, "", "attribute with a value that is not of its type", "")
	case kindElement:
		d.skipElement()
		return true
	case kindChars:
		d.info.Deviations++
		d.skipText()
		return true
	}
	return false
}

type kind uint8

const (
	kindEnd kind = iota
	kindType
	kindNil
	kindAttr
	kindUntypedAttr
	kindElement
	kindChars
)

var (
	kindsStart   = []kind{kindEnd, kindType, kindNil, kindAttr, kindUntypedAttr, kindElement, kindChars}
	kindsAttr    = []kind{kindEnd, kindAttr, kindUntypedAttr, kindElement, kindChars}
	kindsContent = []kind{kindEnd, kindElement, kindChars}
)

// secondLevelKinds lists the second-level productions of a state in the order
// of their codes.
func secondLevelKinds(s Site) []kind {
	k := kindsContent
	switch {
	case s&AtStart != 0:
		k = kindsStart
	case s&AtAttributes != 0:
		k = kindsAttr
	}
	if s&AtEnd != 0 {
		return k[1:]
	}
	return k
}

// Begin reads the event of the one element that a state allows.
func (d *Decoder) Begin(name string, s Site) bool {
	if d.Bits(1) == 0 {
		return true
	}
	return d.slowBegin(name, s)
}

func (d *Decoder) slowBegin(name string, s Site) bool {
	if d.slowEvent(1, s, 1) != 0 {
		d.Expected(name)
		return false
	}
	return true
}

// End reads the end of an element in a state that allows nothing else.
func (d *Decoder) End(s Site) {
	if d.Event(1, s) != 0 {
		d.Expected("end of element")
	}
}

// openDeviation handles an undeclared event in place of a simple element's
// characters. It reports whether a value follows after all.
func (d *Decoder) openDeviation() bool {
	s := AtStart
	for d.err == nil {
		kinds := secondLevelKinds(s)
		v := d.Bits(uint(bits.Len32(uint32(len(kinds) - 1))))
		if d.err != nil || int(v) >= len(kinds) {
			d.fail(ErrEvent, "", "second-level code "+strconv.Itoa(int(v)), "")
			return false
		}
		switch kinds[v] {
		case kindEnd:
			d.info.Deviations++
			return false
		case kindAttr:
			d.info.Deviations++
			d.qname()
			d.skipText()
		case kindNil:
			if d.Bits(1) == 1 {
				d.fail(ErrUnsupported, "", "xsi:nil", "")
			}
		case kindElement:
			d.skipElement()
			s = 0
		default:
			d.fail(ErrUnsupported, "", "value that is not of the element's type", "")
		}
		if d.Bits(1) == 0 {
			return d.err == nil
		}
	}
	return false
}

// closeDeviation handles undeclared content between a simple element's value
// and its end.
func (d *Decoder) closeDeviation() {
	for d.err == nil {
		if d.secondLevel(AtEnd); d.Bits(1) == 0 {
			return
		}
	}
}

// whitespace reads the characters of mixed content, which the profile allows
// to be white space only.
func (d *Decoder) whitespace() {
	for _, c := range d.TextAttr("text()") {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			d.fail(ErrUnsupported, "", "text in mixed content", "")
			break
		}
	}
}
