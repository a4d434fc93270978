// Package v2 holds the messages of ISO 15118-2. Every message is a V2GMessage;
// its Body.BodyElement is a sealed interface over the requests and responses, so
// that a state machine can switch on the type:
//
//	m, err := v2.Decode(b)
//	switch req := m.Body.BodyElement.(type) {
//	case *v2.CurrentDemandReq: ...
//	}
//
// Decode enforces the EXI grammar alone; Validate checks what the schema demands
// beyond it, such as lengths of strings. AppendEXI writes a document and
// allocates nothing when the buffer has room. What is signed has an
// Append...Fragment function, and DecodeFragment reads any of them.
//
// The types are generated; the state machines for ISO 15118-2 call the package.
package v2
