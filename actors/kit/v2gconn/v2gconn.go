// Package v2gconn reads and writes V2GTP messages on a connection between vehicle and EVSE. Both the session actor and the
// simulated vehicle use it.
package v2gconn

import (
	"io"
	"net"
	"time"

	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// writeTimeout is how long the peer may take to accept a message. What it does not take in that time means that it is gone.
const writeTimeout = time.Second

// Read reads one message of a known type and a length that its type allows. The result is not used again by this package.
func Read(r io.Reader) (payload uint16, exi []byte, err error) {
	var head [v2gtp.HeaderLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	h, err := v2gtp.ParseHeader(head[:])
	if err != nil {
		return 0, nil, err
	}
	if err := h.Check(); err != nil { // before anything is held for it
		return 0, nil, err
	}
	exi = make([]byte, h.Length)
	if _, err := io.ReadFull(r, exi); err != nil {
		return 0, nil, err
	}
	return uint16(h.Type), exi, nil
}

// Write writes one message in one piece.
func Write(c net.Conn, payload uint16, exi []byte) error {
	b := v2gtp.AppendHeader(make([]byte, 0, v2gtp.HeaderLen+len(exi)), v2gtp.PayloadType(payload), len(exi))
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := c.Write(append(b, exi...))
	return err
}
