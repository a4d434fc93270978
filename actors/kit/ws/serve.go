package ws

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// Visitor is a handshake that asks to be let in.
type Visitor struct {
	Identity      string // last element of the path, decoded
	Path          string // of the request, before the identity
	Subprotocols  []string
	Authorization string // the header as it came; never logged
	User, Pass    string // of Basic authentication
	HasAuth       bool
	TLS           *tls.ConnectionState
	Remote        string
}

// Verdict answers a visitor. Status 101 lets it in under the Subprotocol; without one the handshake is completed and the
// connection closed again, as OCPP demands when no version fits (OCPP 2.0.1 part 4, 3.1.2).
type Verdict struct {
	Status      int
	Subprotocol string
	// Open gets the open connection, in the goroutine of the handshake.
	Open func(*Peer)
}

// Server accepts websocket connections on one listener.
type Server struct {
	// Path is what comes before the identity, such as "/ocpp".
	Path string
	// Judge decides about a visitor. It runs in the goroutine of the connection and may take its time until ctx ends.
	Judge   func(ctx context.Context, v Visitor) Verdict
	Options Options
	TLS     *tls.Config
	// Failed is told of connections that ended before there was a visitor, such as failed TLS handshakes; nil for nobody.
	Failed func(why string)

	once sync.Once
	http *http.Server
}

func (s *Server) server() *http.Server {
	s.once.Do(func() {
		s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10, IdleTimeout: 30 * time.Second,
			ErrorLog: log.New(told(s.Failed), "", 0)}
	})
	return s.http
}

// Serve accepts connections on l until Shutdown, and closes it.
func (s *Server) Serve(l net.Listener) error {
	if s.TLS != nil {
		l = tls.NewListener(l, s.TLS)
	}
	defer func() { _ = l.Close() }() // Shutdown may have come before
	err := s.server().Serve(l)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// told is where the HTTP server writes its log.
type told func(why string)

func (t told) Write(p []byte) (int, error) {
	if t != nil {
		t(strings.TrimSpace(string(p[:min(len(p), 300)])))
	}
	return len(p), nil
}

// MaxIdentity is the longest identity of a station in characters (OCPP 2.0.1 part 4, 3.1.1).
const MaxIdentity = 48

// ValidIdentity reports whether s may name a station: the identifierString of OCPP without a colon.
func ValidIdentity(s string) bool {
	if s == "" || utf8.RuneCountInString(s) > MaxIdentity {
		return false
	}
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.ContainsRune("*-_=+|@.", c):
		default:
			return false
		}
	}
	return true
}

// ServeHTTP is the handshake of one visitor.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	i := strings.LastIndexByte(path, '/')
	identity, err := url.PathUnescape(path[i+1:])
	if err != nil || !ValidIdentity(identity) || strings.TrimRight(path[:i], "/") != strings.TrimRight(s.Path, "/") {
		http.Error(w, "unknown station", http.StatusNotFound)
		return
	}
	if !websocket.IsWebSocketUpgrade(r) {
		http.Error(w, "a websocket handshake is needed", http.StatusUpgradeRequired)
		return
	}
	v := Visitor{Identity: identity, Path: path[:i], Subprotocols: websocket.Subprotocols(r), Authorization: r.Header.Get("Authorization"),
		TLS: r.TLS, Remote: r.RemoteAddr}
	v.User, v.Pass, v.HasAuth = r.BasicAuth()
	verdict := s.Judge(r.Context(), v)
	if verdict.Status != http.StatusSwitchingProtocols {
		if verdict.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="OCPP"`)
		}
		http.Error(w, http.StatusText(verdict.Status), verdict.Status)
		return
	}
	up := websocket.Upgrader{HandshakeTimeout: 10 * time.Second, ReadBufferSize: bufferSize, WriteBufferSize: bufferSize,
		WriteBufferPool: &pool, EnableCompression: s.Options.Deflate, CheckOrigin: func(*http.Request) bool { return true }}
	if verdict.Subprotocol != "" {
		up.Subprotocols = []string{verdict.Subprotocol}
	}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	p := newPeer(c, s.Options)
	if verdict.Subprotocol == "" || verdict.Open == nil {
		p.done.Add(1)
		p.Close(websocket.CloseProtocolError, "no common subprotocol")
		p.write()
		_ = c.Close()
		return
	}
	verdict.Open(p)
}

// Shutdown stops accepting. Open connections stay until their owners close them.
func (s *Server) Shutdown() {
	_ = s.server().Close() // the listeners' errors say nothing new
}

// Choose returns the first of ours that the visitor offers too, "" for none.
func Choose(ours, offered []string) string {
	for _, o := range ours {
		for _, f := range offered {
			if o == f {
				return o
			}
		}
	}
	return ""
}
