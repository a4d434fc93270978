// Package v21 holds the messages of OCPP 2.1: a struct for each request and response, typed enumerations, strict decoding
// and the checks of all limits, generated from the schemas. Errors of UnmarshalJSON and Check carry the CALLERROR code
// for the peer. Anyone may import it; it does no I/O.
package v21

//go:generate go run ../internal/jsongen -version 2.1 -pkg v21 -schemas $SCHEMAS
