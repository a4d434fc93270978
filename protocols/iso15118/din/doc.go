// Package din holds the messages of DIN SPEC 70121. Every message is a
// V2GMessage; its Body.BodyElement is a sealed interface over the requests and
// responses, so that a state machine can switch on the type. Decode reads one
// message, AppendEXI writes one, Validate checks the schema's restrictions that
// the wire format leaves open.
//
// All types are generated; the state machines for DIN 70121 call the package.
package din
