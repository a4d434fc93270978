package port

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// ask sends a discovery request and returns the answer; false when none comes.
func ask(t *testing.T, c net.PacketConn, to net.Addr, b []byte) (v2gtp.Response, bool) {
	t.Helper()
	if _, err := c.WriteTo(b, to); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
	buf := make([]byte, 64)
	n, _, err := c.ReadFrom(buf)
	if err != nil {
		return v2gtp.Response{}, false
	}
	r, err := v2gtp.ParseResponse(buf[:n])
	if err != nil {
		t.Fatal(err)
	}
	return r, true
}

func TestDiscoveryAnswersWithWhatIsServed(t *testing.T) {
	plain, tls := netip.MustParseAddrPort("[::1]:40001"), netip.MustParseAddrPort("[::1]:40002")
	wantPlain, wantTLS := v2gtp.AppendRequest(nil, v2gtp.Request{Security: v2gtp.SecurityNone}), v2gtp.AppendRequest(nil, v2gtp.Request{Security: v2gtp.SecurityTLS})
	for name, c := range map[string]struct {
		serves   msg.SessionListening
		ask      []byte
		answered bool
		addr     netip.AddrPort
		security v2gtp.Security
	}{
		"plain":                           {msg.SessionListening{Plain: plain, TLS: tls}, wantPlain, true, plain, v2gtp.SecurityNone},
		"TLS":                             {msg.SessionListening{Plain: plain, TLS: tls}, wantTLS, true, tls, v2gtp.SecurityTLS},
		"TLS where there is none":         {msg.SessionListening{Plain: plain}, wantTLS, true, plain, v2gtp.SecurityNone},
		"plain where there is TLS only":   {msg.SessionListening{TLS: tls}, wantPlain, true, tls, v2gtp.SecurityTLS},
		"before the session listens":      {msg.SessionListening{}, wantPlain, false, plain, 0},
		"something that is no request":    {msg.SessionListening{Plain: plain}, []byte("hello there"), false, plain, 0},
		"a request for another transport": {msg.SessionListening{Plain: plain}, v2gtp.AppendRequest(nil, v2gtp.Request{Security: v2gtp.SecurityNone, Transport: 0x10}), false, plain, 0},
	} {
		t.Run(name, func(t *testing.T) {
			kittest.Run(t, func(t *testing.T, env *kit.Env) {
				n := network.NewMemory()
				evse := kittest.NewProbe(t, env, "evse", nil)
				p := kittest.Spawn(t, env, "port", New(env, n, Config{EVSE: "a1", Interface: network.Loopback, SDPPort: 15118}, 3, evse.PID))
				env.System.Root.Send(p, c.serves)
				time.Sleep(time.Millisecond)
				sock, to, err := n.OpenSDP(context.Background(), network.Loopback, 15118)
				if err != nil {
					t.Fatal(err)
				}
				defer sock.Close()
				for range 2 {
					r, ok := ask(t, sock, to, c.ask)
					if ok != c.answered || ok && (r.Addr != c.addr || r.Security != c.security) {
						t.Errorf("%+v, %v", r, ok)
					}
				}
				told := kittest.Of[msg.PortDiscovered](evse.Take())
				if want := map[bool]int{true: 1}[c.answered]; len(told) != want {
					t.Errorf("the EVSE heard %d times of a discovery, want %d", len(told), want)
				}
			})
		})
	}
}

func TestAFloodOfRequestsIsNotAnswered(t *testing.T) {
	kittest.Run(t, func(t *testing.T, env *kit.Env) {
		n := network.NewMemory()
		evse := kittest.NewProbe(t, env, "evse", nil)
		p := kittest.Spawn(t, env, "port", New(env, n, Config{EVSE: "a1", Interface: network.Loopback, SDPPort: 15118}, 3, evse.PID))
		env.System.Root.Send(p, msg.SessionListening{Plain: netip.MustParseAddrPort("[::1]:40001")})
		sock, to, err := n.OpenSDP(context.Background(), network.Loopback, 15118)
		if err != nil {
			t.Fatal(err)
		}
		defer sock.Close()
		req := v2gtp.AppendRequest(nil, v2gtp.Request{Security: v2gtp.SecurityNone})
		answers := 0
		for range 500 { // one each millisecond
			_, _ = sock.WriteTo(req, to)
			_ = sock.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, _, err := sock.ReadFrom(make([]byte, 64)); err == nil {
				answers++
				time.Sleep(time.Millisecond)
			}
		}
		if answers < 20 || answers > 45 {
			t.Errorf("%d of 500 requests in half a second were answered, want about 30", answers)
		}
	})
}
