package exi

import (
	"errors"
	"strconv"
	"strings"
)

// Reasons why a stream cannot be decoded or a value cannot be encoded. An
// [*Error] wraps exactly one of them.
var (
	// ErrTruncated means the stream ends inside an event or a value.
	ErrTruncated = errors.New("stream ends too early")
	// ErrTrailing means more than one byte follows the end of the document.
	ErrTrailing = errors.New("surplus bytes after the end")
	// ErrHeader means the first byte is not the EXI header 0x80.
	ErrHeader = errors.New("not an EXI header")
	// ErrEvent means an event code that the grammar does not define.
	ErrEvent = errors.New("undefined event code")
	// ErrUnexpected means an event the schema does not allow at this place.
	ErrUnexpected = errors.New("unexpected event")
	// ErrValue means a value outside its datatype's representation.
	ErrValue = errors.New("value out of range")
	// ErrUnsupported means a construct that is recognised and refused, such as
	// xsi:type or foreign content inside a signature.
	ErrUnsupported = errors.New("construct not supported")
	// ErrMissing means a value to encode lacks something the schema requires.
	ErrMissing = errors.New("required content missing")
	// ErrTooMany means a value to encode has more items than the schema allows.
	ErrTooMany = errors.New("too many occurrences")

	// errNeedTable asks for a second pass with a string table.
	errNeedTable = errors.New("reference to an earlier string")
)

// Error says what was wrong, where in the stream, and at which element.
type Error struct {
	// Err is one of the Err values of this package.
	Err error
	// Bit is the offset in bits from the start of the stream at which the
	// fault was noticed.
	Bit int
	// Path names the enclosing elements from the root, separated by slashes,
	// ending with the element last begun.
	Path string
	// Detail says what was found; it may be empty.
	Detail string
	// Expected says what the schema allows here; it may be empty.
	Expected string
}

// Error implements the error interface.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("exi: bit ")
	b.WriteString(strconv.Itoa(e.Bit))
	if e.Path != "" {
		b.WriteString(", at ")
		b.WriteString(e.Path)
	}
	b.WriteString(": ")
	b.WriteString(e.Err.Error())
	if e.Detail != "" {
		b.WriteString(" (")
		b.WriteString(e.Detail)
		b.WriteString(")")
	}
	if e.Expected != "" {
		b.WriteString(", expected ")
		b.WriteString(e.Expected)
	}
	return b.String()
}

// within adds an enclosing element to the path.
func (e *Error) within(name string) {
	if e.Path != "" {
		name += "/" + e.Path
	}
	e.Path = name
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// BadEnum returns the error for a name that an enumeration does not have.
func BadEnum(typ, name string) error {
	return &Error{Err: ErrValue, Path: typ, Detail: strconv.Quote(name), Expected: "an enumerated value"}
}
