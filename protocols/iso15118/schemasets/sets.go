package schemasets

import (
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/appproto"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/v20/ac"
	"github.com/voltyard/voltyard/protocols/iso15118/v20/acderiec"
	"github.com/voltyard/voltyard/protocols/iso15118/v20/acdersae"
	"github.com/voltyard/voltyard/protocols/iso15118/v20/acdp"
	"github.com/voltyard/voltyard/protocols/iso15118/v20/common"
	"github.com/voltyard/voltyard/protocols/iso15118/v20/dc"
	"github.com/voltyard/voltyard/protocols/iso15118/v20/wpt"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// Message is a document of any schema set.
type Message interface {
	exi.Element
	// AppendEXI appends the message as an EXI document to dst.
	AppendEXI(dst []byte) ([]byte, error)
	// Validate checks the schema's restrictions beyond the wire format.
	Validate() error
}

// Fragment is an element of any schema set in fragment form.
type Fragment struct {
	// Name is the element.
	Name exi.QName
	// Value is a pointer to the element's type.
	Value  exi.Value
	append func([]byte) ([]byte, error)
}

// AppendEXI appends the fragment to dst.
func (f Fragment) AppendEXI(dst []byte) ([]byte, error) { return f.append(dst) }

// Set is one schema set.
type Set struct {
	// Name is the short name, as in the vector files.
	Name string
	// PayloadType is the V2GTP payload type its messages travel under, 0 when
	// there is none.
	PayloadType uint16
	// Schema holds the names of the set.
	Schema *exi.Schema
	// Namespaces gives the namespace for each prefix in struct tags.
	Namespaces map[string]string
	// Decode reads a document; nil when the set has none.
	Decode func([]byte) (Message, exi.Info, error)
	// New returns an empty message by the name of its document element, or nil.
	New func(local string) Message
	// DecodeFragment reads a fragment; nil when the set has none.
	DecodeFragment func([]byte) (Fragment, error)
	// NewElement returns an empty member of a substitution group, or nil.
	NewElement func(exi.QName) exi.Element
	// NewFragment returns an empty fragment by its element's local name.
	NewFragment func(local string) (Fragment, bool)
}

// fragment is what the generated packages' Fragment types have in common.
type fragment interface {
	AppendEXI([]byte) ([]byte, error)
}

// document adapts a package's functions. M is its message type.
func document[M Message](decode func([]byte) (M, exi.Info, error)) func([]byte) (Message, exi.Info, error) {
	return func(b []byte) (Message, exi.Info, error) {
		m, info, err := decode(b)
		if err != nil {
			return nil, info, err
		}
		return m, info, nil
	}
}

func creator[M Message](create func(string) M, none M) func(string) Message {
	return func(local string) Message {
		if m := create(local); any(m) != any(none) {
			return m
		}
		return nil
	}
}

func fragments[F fragment](decode func([]byte) (F, error), parts func(F) (exi.QName, exi.Value)) func([]byte) (Fragment, error) {
	return func(b []byte) (Fragment, error) {
		f, err := decode(b)
		if err != nil {
			return Fragment{}, err
		}
		name, v := parts(f)
		return Fragment{Name: name, Value: v, append: f.AppendEXI}, nil
	}
}

func fragmentCreator[F fragment](create func(string) (F, bool), parts func(F) (exi.QName, exi.Value)) func(string) (Fragment, bool) {
	return func(local string) (Fragment, bool) {
		f, ok := create(local)
		if !ok {
			return Fragment{}, false
		}
		name, v := parts(f)
		return Fragment{Name: name, Value: v, append: f.AppendEXI}, true
	}
}

// All lists the schema sets in the order the first byte of a fuzz input
// chooses them.
var All = []*Set{
	sap(), dinSet(), iso2(), commonSet(), acSet(), dcSet(), wptSet(), acdpSet(), iecSet(), saeSet(), xmldsigSet(),
}

// ByName returns the set with the given short name, or nil.
func ByName(name string) *Set {
	for _, s := range All {
		if s.Name == name {
			return s
		}
	}
	return nil
}

func sap() *Set {
	parts := func(f appproto.Fragment) (exi.QName, exi.Value) { return f.Name, f.Value }
	return &Set{
		Name: "sap", PayloadType: 0x8001, Schema: &appproto.SchemaSet,
		Decode: document(appproto.DecodeInfo), New: creator(appproto.NewMessage, nil),
		DecodeFragment: fragments(appproto.DecodeFragment, parts), NewFragment: fragmentCreator(appproto.NewFragment, parts),
		NewElement: appproto.NewElement, Namespaces: appproto.Namespaces,
	}
}

func dinSet() *Set {
	parts := func(f din.Fragment) (exi.QName, exi.Value) { return f.Name, f.Value }
	return &Set{
		Name: "din", PayloadType: 0x8001, Schema: &din.SchemaSet,
		Decode: document(din.DecodeInfo), New: v2gMessage(func() Message { return new(din.V2GMessage) }),
		DecodeFragment: fragments(din.DecodeFragment, parts), NewFragment: fragmentCreator(din.NewFragment, parts),
		NewElement: din.NewElement, Namespaces: din.Namespaces,
	}
}

func iso2() *Set {
	parts := func(f v2.Fragment) (exi.QName, exi.Value) { return f.Name, f.Value }
	return &Set{
		Name: "iso2", PayloadType: 0x8001, Schema: &v2.SchemaSet,
		Decode: document(v2.DecodeInfo), New: v2gMessage(func() Message { return new(v2.V2GMessage) }),
		DecodeFragment: fragments(v2.DecodeFragment, parts), NewFragment: fragmentCreator(v2.NewFragment, parts),
		NewElement: v2.NewElement, Namespaces: v2.Namespaces,
	}
}

func v2gMessage(create func() Message) func(string) Message {
	return func(local string) Message {
		if local == "V2G_Message" {
			return create()
		}
		return nil
	}
}

func commonSet() *Set {
	parts := func(f common.Fragment) (exi.QName, exi.Value) { return f.Name, f.Value }
	return &Set{
		Name: "iso20-common", PayloadType: 0x8002, Schema: &common.SchemaSet,
		Decode: document(common.DecodeInfo), New: creator(common.NewMessage, nil),
		DecodeFragment: fragments(common.DecodeFragment, parts), NewFragment: fragmentCreator(common.NewFragment, parts),
		NewElement: common.NewElement, Namespaces: common.Namespaces,
	}
}

func acSet() *Set {
	parts := func(f ac.Fragment) (exi.QName, exi.Value) { return f.Name, f.Value }
	return &Set{
		Name: "iso20-ac", PayloadType: 0x8003, Schema: &ac.SchemaSet,
		Decode: document(ac.DecodeInfo), New: creator(ac.NewMessage, nil),
		DecodeFragment: fragments(ac.DecodeFragment, parts), NewFragment: fragmentCreator(ac.NewFragment, parts),
		NewElement: ac.NewElement, Namespaces: ac.Namespaces,
	}
}

func dcSet() *Set {
	parts := func(f dc.Fragment) (exi.QName, exi.Value) { return f.Name, f.Value }
	return &Set{
		Name: "iso20-dc", PayloadType: 0x8004, Schema: &dc.SchemaSet,
		Decode: document(dc.DecodeInfo), New: creator(dc.NewMessage, nil),
		DecodeFragment: fragments(dc.DecodeFragment, parts), NewFragment: fragmentCreator(dc.NewFragment, parts),
		NewElement: dc.NewElement, Namespaces: dc.Namespaces,
	}
}

func wptSet() *Set {
	parts := func(f wpt.Fragment) (exi.QName, exi.Value) { return f.Name, f.Value }
	return &Set{
		Name: "iso20-wpt", PayloadType: 0x8006, Schema: &wpt.SchemaSet,
		Decode: document(wpt.DecodeInfo), New: creator(wpt.NewMessage, nil),
		DecodeFragment: fragments(wpt.DecodeFragment, parts), NewFragment: fragmentCreator(wpt.NewFragment, parts),
		NewElement: wpt.NewElement, Namespaces: wpt.Namespaces,
	}
}

func acdpSet() *Set {
	parts := func(f acdp.Fragment) (exi.QName, exi.Value) { return f.Name, f.Value }
	return &Set{
		Name: "iso20-acdp", PayloadType: 0x8005, Schema: &acdp.SchemaSet,
		Decode: document(acdp.DecodeInfo), New: creator(acdp.NewMessage, nil),
		DecodeFragment: fragments(acdp.DecodeFragment, parts), NewFragment: fragmentCreator(acdp.NewFragment, parts),
		NewElement: acdp.NewElement, Namespaces: acdp.Namespaces,
	}
}

func iecSet() *Set {
	parts := func(f acderiec.Fragment) (exi.QName, exi.Value) { return f.Name, f.Value }
	return &Set{
		Name: "iso20-ac-der-iec", PayloadType: 0x8003, Schema: &acderiec.SchemaSet,
		Decode: document(acderiec.DecodeInfo), New: creator(acderiec.NewMessage, nil),
		DecodeFragment: fragments(acderiec.DecodeFragment, parts), NewFragment: fragmentCreator(acderiec.NewFragment, parts),
		NewElement: acderiec.NewElement, Namespaces: acderiec.Namespaces,
	}
}

func saeSet() *Set {
	parts := func(f acdersae.Fragment) (exi.QName, exi.Value) { return f.Name, f.Value }
	return &Set{
		Name: "iso20-ac-der-sae", PayloadType: 0x8003, Schema: &acdersae.SchemaSet,
		Decode: document(acdersae.DecodeInfo), New: creator(acdersae.NewMessage, nil),
		DecodeFragment: fragments(acdersae.DecodeFragment, parts), NewFragment: fragmentCreator(acdersae.NewFragment, parts),
		NewElement: acdersae.NewElement, Namespaces: acdersae.Namespaces,
	}
}

func xmldsigSet() *Set {
	parts := func(f xmldsig.Fragment) (exi.QName, exi.Value) { return f.Name, f.Value }
	return &Set{
		Name: "xmldsig", Schema: &xmldsig.SchemaSet,
		DecodeFragment: fragments(xmldsig.DecodeFragment, parts), NewFragment: fragmentCreator(xmldsig.NewFragment, parts),
		NewElement: xmldsig.NewElement, Namespaces: xmldsig.Namespaces,
	}
}
