// Package v2gtp is the transport framing of vehicle communication (V2GTP, ISO 15118-2 clause 7.8): the header in front of
// every message, the payload types, and the messages of the SECC discovery protocol (SDP). It is pure.
package v2gtp
