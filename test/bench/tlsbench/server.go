package tlsbench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"time"

	"github.com/voltyard/voltyard/actors/kit/v2gconn"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/secc/handshake"
)

// place is where the server is and whom to trust there.
type place struct {
	Addr string
	Root []byte // DER
}

// serve is the server's process, until its standard input ends.
func serve(in io.Reader, out io.Writer) error {
	set, err := testpki.New(pki.ISO2, time.Now())
	if err != nil {
		return err
	}
	leaf := set.Get(pki.SECC)
	ocsp, err := leaf.OCSP(time.Now().Add(-time.Minute), false)
	if err != nil {
		return err
	}
	root := leaf.Root().Cert
	tls, err := v2gtls.NewServer(v2gtls.Config{Identities: []v2gtls.Identity{{Chain: leaf.Chain(), Key: leaf.Key, Root: root, OCSP: ocsp}}})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				conn, _, err := tls.Handshake(context.Background(), c)
				if err != nil {
					return
				}
				defer conn.Close()
				newSession(conn).run()
			}()
		}
	}()
	if err := json.NewEncoder(out).Encode(place{l.Addr().String(), root.Raw}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	_ = l.Close()
	return err
}

// session is one vehicle at an EVSE whose contactor follows at once and where everybody may charge.
type session struct {
	conn    net.Conn
	machine secc.Machine
	present secc.Present
	effects []secc.Effect
	over    bool
}

func newSession(conn net.Conn) *session {
	return &session{conn: conn, machine: handshake.New(secc.Config{EVSEID: "DE*VYD*E1", Volts: 230}),
		present: secc.Present{Connected: true, PilotWants: true, Ready: true, MaxAmps: 16, MaxWatts: 11000, RatedAmps: 32, RatedWatts: 22000, Phases: 3}}
}

func (s *session) run() {
	start := secc.Started{TLS: true}
	_, _ = rand.Read(start.SessionID[:])
	_, _ = rand.Read(start.Challenge[:])
	s.step(s.present)
	s.step(start)
	for !s.over {
		payload, exi, err := v2gconn.Read(s.conn)
		if err != nil {
			return
		}
		s.step(secc.Received{Payload: payload, EXI: exi})
	}
}

func (s *session) step(ev secc.Event) {
	var more []secc.Event
	s.effects = s.machine.Step(time.Now(), ev, s.effects[:0])
	for _, e := range s.effects {
		switch e := e.(type) {
		case secc.Send:
			if v2gconn.Write(s.conn, e.Payload, e.EXI) != nil {
				s.over = true
			}
		case secc.Authorize:
			more = append(more, secc.Authorized{Accepted: true})
		case secc.Contactor:
			s.present.Closed = e.Close
			more = append(more, s.present)
		case secc.End:
			s.over = true
		}
	}
	for _, ev := range more {
		s.step(ev)
	}
}
