// Package v16 holds the messages of OCPP 1.6 with the security extension: a struct for each request and response, typed enumerations, strict decoding
// and the checks of all limits, generated from the schemas. Errors of UnmarshalJSON and Check carry the CALLERROR code
// for the peer. Anyone may import it; it does no I/O.
package v16

//go:generate go run ../internal/jsongen -version 1.6 -pkg v16 -schemas $SCHEMAS
