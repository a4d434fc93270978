package session

import (
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// listen opens a socket for plain connections, and one for TLS where it is served. One vehicle may connect, to one of them.
func (s *Session) listen(ctx actor.Context) {
	var plain, secure netip.AddrPort
	taken := new(atomic.Bool)
	open := func(tls bool) (netip.AddrPort, error) {
		l, err := s.f.net.ListenSECC(s.ctx, s.cfg.Interface)
		if err != nil {
			return netip.AddrPort{}, err
		}
		s.listeners = append(s.listeners, l)
		s.serve(ctx, l, tls, taken)
		return netip.ParseAddrPort(l.Addr().String())
	}
	var err error
	if !s.cfg.TLSOnly {
		plain, err = open(false)
	}
	if err == nil && s.cfg.TLS != nil {
		secure, err = open(true)
	}
	if err != nil {
		s.log.Warn().Err(err).Msg("cannot listen for the vehicle yet")
		for _, l := range s.listeners {
			_ = l.Close()
		}
		s.listeners = nil
		s.timers.Set(timerListen, s.retry.Next())
		return
	}
	ctx.Send(s.evse, msg.SessionListening{Gen: s.gen, Plain: plain, TLS: secure})
	ctx.Send(s.evse, msg.SessionState{Gen: s.gen, Stage: msg.StageListening})
}

// serve accepts connections of one socket, in a goroutine of its own.
func (s *Session) serve(ctx actor.Context, l net.Listener, tls bool, taken *atomic.Bool) {
	root, self, bad, iface := ctx.ActorSystem().Root, ctx.Self(), s.f.env.Metrics.BadInput, s.cfg.Interface
	done, server := s.ctx, s.cfg.TLS
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			switch {
			case !network.OnLink(iface, c.RemoteAddr()):
				bad.WithLabelValues("v2g", "source").Inc()
				_ = c.Close()
			case !taken.CompareAndSwap(false, true): // a second vehicle on the same port
				bad.WithLabelValues("v2g", "second_connection").Inc()
				_ = c.Close()
			case tls:
				begun := time.Now()
				t, _, err := server.Handshake(done, c)
				if err != nil {
					root.Send(self, refused{err, time.Since(begun)})
					continue
				}
				s.f.shaken.WithLabelValues("ok").Observe(time.Since(begun).Seconds())
				root.Send(self, accepted{t, true})
			default:
				root.Send(self, accepted{c, false})
			}
		}
	}()
}

// refused ends the session of a vehicle with which no TLS could be agreed. It may come again, to the next session.
func (s *Session) refused(ctx actor.Context, m refused) {
	code := "unknown"
	var e *v2gtls.Error
	if errors.As(m.err, &e) {
		code = string(e.Code)
	}
	s.f.shaken.WithLabelValues(code).Observe(m.took.Seconds())
	if s.over {
		return
	}
	s.begun, s.tls = time.Now().Add(-m.took), true
	s.end(ctx, secc.End{Class: secc.ClassTLS, Why: m.err.Error()})
}

func (s *Session) accept(ctx actor.Context, now time.Time, m accepted) {
	if s.over || s.conn != nil {
		_ = m.conn.Close()
		return
	}
	s.timers.Stop(timerConnect)
	s.conn, s.tls, s.begun = m.conn, m.tls, now
	start := secc.Started{TLS: m.tls, Resume: s.resume}
	_, _ = rand.Read(start.Challenge[:]) // it cannot fail: crypto/rand ends the process instead
	for start.SessionID == [8]byte{} {
		_, _ = rand.Read(start.SessionID[:])
	}
	if s.cfg.Contract != nil {
		s.machine.Offer(s.cfg.Contract())
	}
	s.read(ctx)
	s.step(ctx, now, s.present)
	s.step(ctx, now, start)
}
