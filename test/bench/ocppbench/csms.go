package ocppbench

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// csms answers everything at once and thinks about nothing.
type csms struct {
	url    string
	server *http.Server
	events atomic.Int64 // transaction events taken
	mu     sync.Mutex
	conns  map[string]*conn
}

// conn is a websocket whose writes are serialised.
type conn struct {
	mu sync.Mutex
	ws *websocket.Conn
}

func (c *conn) send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ws.WriteMessage(websocket.TextMessage, b)
}

var (
	boot  = []byte(`,"BootNotification",`)
	event = []byte(`,"TransactionEvent",`)
)

func newCSMS(t *tls.Config) (*csms, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	scheme := "ws"
	if t != nil {
		l, scheme = tls.NewListener(l, t), "wss"
	}
	s := &csms{url: fmt.Sprintf("%s://%s/ocpp", scheme, l.Addr()), conns: map[string]*conn{}}
	up := websocket.Upgrader{Subprotocols: []string{"ocpp2.0.1"}, ReadBufferSize: 1024, WriteBufferSize: 1024}
	s.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		own := &conn{ws: c}
		s.mu.Lock()
		s.conns[r.URL.Path[len("/ocpp/"):]] = own
		s.mu.Unlock()
		s.serve(own)
	})}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

func (s *csms) serve(c *conn) {
	var out []byte
	for {
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		if len(b) < 5 || b[1] != '2' {
			continue
		}
		id := b[3:]
		id = id[:bytes.IndexByte(id[1:], '"')+2]
		payload := "{}"
		switch {
		case bytes.Contains(b[:64], event):
			s.events.Add(1)
		case bytes.Contains(b[:64], boot):
			payload = fmt.Sprintf(`{"currentTime":%q,"interval":3600,"status":"Accepted"}`, time.Now().UTC().Format(time.RFC3339))
		}
		out = append(append(append(out[:0], "[3,"...), id...), ',')
		out = append(append(out, payload...), ']')
		if c.send(out) != nil {
			return
		}
	}
}

// call sends a CALL to a station; nobody waits for its answer.
func (s *csms) call(station, id string) bool {
	s.mu.Lock()
	c := s.conns[station]
	s.mu.Unlock()
	return c != nil && c.send(fmt.Appendf(nil, `[2,%q,"TriggerMessage",{"requestedMessage":"Heartbeat"}]`, id)) == nil
}

func (s *csms) close() { _ = s.server.Close() }
