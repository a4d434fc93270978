package ws

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// Target is where and how to dial.
type Target struct {
	URL           string   // ws:// or wss://, without the identity
	Identity      string   // percent-encoded and added to the path, unless empty
	Subprotocols  []string // offered, in order
	Authorization string   // value of the HTTP header, "" for none; never logged
	TLS           *tls.Config
	DialContext   func(ctx context.Context, network, addr string) (net.Conn, error) // nil for the system's
	Timeout       time.Duration                                                     // of the handshake; 15 s when 0
	Options       Options
}

// String shows the target without its secrets.
func (t Target) String() string { return t.address() }

// Basic returns the value of an HTTP Authorization header (RFC 7617).
func Basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// Refused is a handshake that the server answered with an HTTP status.
type Refused struct{ Status int }

// Error names the status.
func (r *Refused) Error() string { return fmt.Sprintf("refused with HTTP status %d", r.Status) }

func (t Target) address() string {
	if t.Identity == "" {
		return t.URL
	}
	return strings.TrimRight(t.URL, "/") + "/" + url.PathEscape(t.Identity)
}

// Dial opens a connection. The error is a *Refused when the server said no.
func Dial(ctx context.Context, t Target) (*Peer, error) {
	timeout := t.Timeout
	if timeout <= 0 {
		timeout = 15 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d := websocket.Dialer{NetDialContext: t.DialContext, TLSClientConfig: t.TLS, HandshakeTimeout: timeout, Subprotocols: t.Subprotocols,
		ReadBufferSize: bufferSize, WriteBufferSize: bufferSize, WriteBufferPool: &pool, EnableCompression: t.Options.Deflate}
	h := http.Header{}
	if t.Authorization != "" {
		h.Set("Authorization", t.Authorization)
	}
	c, res, err := d.DialContext(ctx, t.address(), h)
	if res != nil && res.Body != nil {
		_ = res.Body.Close()
	}
	if err != nil {
		if res != nil && res.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("dial %s: %w", t.address(), &Refused{res.StatusCode})
		}
		return nil, fmt.Errorf("dial %s: %w", t.address(), err)
	}
	return newPeer(c, t.Options), nil
}
