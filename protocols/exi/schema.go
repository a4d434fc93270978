package exi

// QName is a qualified name.
type QName struct{ Space, Local string }

// String returns the name in Clark notation, {namespace}local.
func (q QName) String() string {
	if q.Space == "" {
		return q.Local
	}
	return "{" + q.Space + "}" + q.Local
}

// Partition is one entry of a schema set's initial string table: a namespace
// and the local names the schemas declare in it, in EXI order.
type Partition struct {
	Space string
	Local []string
}

// Schema describes a set of schemas as far as decoding of undeclared names
// needs it. Generated packages define one each; it is read-only.
type Schema struct {
	// Name is the short name of the schema set, as in the vector files.
	Name string
	// Partitions is the initial URI partition with its local names.
	Partitions []Partition
	// Globals holds the names of the globally declared elements.
	Globals map[QName]struct{}
}

// Value is an EXI-encodable type of a generated package. The methods are for
// generated code; applications use the functions of the message packages.
type Value interface {
	// EncodeEXI writes the element's content and end.
	EncodeEXI(e *Encoder)
	// DecodeEXI reads the element's content and end.
	DecodeEXI(d *Decoder)
	// ValidateEXI checks the restrictions the wire format does not enforce.
	ValidateEXI(v *Validator)
}

// Element is a Value that is declared as one particular element.
type Element interface {
	Value
	// ElementName returns the name of the element.
	ElementName() QName
}
