package e2e

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit/network"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/actors/sim/ev"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/v2gtp"
	"github.com/voltyard/voltyard/site/limits"
)

// bad counts refused input of one kind.
func (s *site) bad(where, why string) float64 {
	families, _ := s.env.Metrics.Registry.Gather()
	for _, f := range families {
		if f.GetName() != "voltyard_bad_input_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			label := map[string]string{}
			for _, l := range m.GetLabel() {
				label[l.GetName()] = l.GetValue()
			}
			if label["where"] == where && label["why"] == why {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// connect finds the SECC of an EVSE as a vehicle does.
func (s *site) connect(evse string) net.Conn {
	s.t.Helper()
	p := s.place(evse)
	ctx := context.Background()
	sock, to, err := s.net.OpenSDP(ctx, network.Loopback, p.SDPPort)
	if err != nil {
		s.t.Fatal(err)
	}
	defer sock.Close()
	buf := make([]byte, 64)
	for range 20 {
		_, _ = sock.WriteTo(v2gtp.AppendRequest(nil, v2gtp.Request{Security: v2gtp.SecurityNone}), to)
		_ = sock.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
		if n, _, err := sock.ReadFrom(buf); err == nil {
			res, err := v2gtp.ParseResponse(buf[:n])
			if err != nil {
				s.t.Fatal(err)
			}
			c, err := s.net.DialSECC(ctx, network.Loopback, res.Addr)
			if err != nil {
				s.t.Fatal(err)
			}
			return c
		}
	}
	s.t.Fatalf("no SECC answers at %s", evse)
	return nil
}

// closes reports whether the other side closes the connection within 20 s.
func closes(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, err := io.Copy(io.Discard, c)
	_ = c.Close()
	return err == nil || errors.Is(err, io.ErrClosedPipe)
}

func TestBadBytesFromAVehicleHurtNobody(t *testing.T) {
	runSite(t, sixEVSEs, func(s *site) {
		// Another vehicle charges all the while.
		s.arrive(ev.Arrival{Visit: ev.Visit{ID: "good", Model: car, Place: s.place("d1"), Energy: 60000}})
		s.outlets["a1"].Cable().Plug(nil)
		time.Sleep(5 * time.Second)
		sap, _ := hex.DecodeString("01fe80010000000580004000ff") // a header, and EXI that ends in the middle
		for name, b := range map[string][]byte{
			"another protocol":     []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
			"TLS":                  {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03},
			"zeros":                make([]byte, 64),
			"a length of 4 GB":     {0x01, 0xfe, 0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0x80},
			"malformed EXI":        sap,
			"an unexpected type":   v2gtp.AppendHeader(nil, v2gtp.DC, 0),
			"nothing for too long": nil,
			"half a header":        {0x01, 0xfe},
		} {
			c := s.connect("a1")
			if _, err := c.Write(b); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !closes(c) {
				t.Errorf("%s: the connection stays open", name)
			}
			time.Sleep(2 * time.Second)
		}
		if s.bad("v2g", "framing") == 0 {
			t.Error("bad framing is not counted")
		}
		// A second vehicle on the same port is turned away, the first goes on.
		first := s.connect("a1")
		second := s.connect("a1")
		if !closes(second) || s.bad("v2g", "second_connection") != 1 {
			t.Error("a second connection was accepted, or not counted")
		}
		_ = first.Close()
		// Discovery requests that are none.
		sock, to, err := s.net.OpenSDP(context.Background(), network.Loopback, s.place("a1").SDPPort)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		for range 1000 {
			_, _ = sock.WriteTo(bytes.Repeat([]byte{0xff}, 300), to)
		}
		time.Sleep(time.Second)
		if s.bad("sdp", "malformed") == 0 {
			t.Error("malformed discovery is not counted")
		}
		_ = sock.Close()
		s.outlets["a1"].Cable().Unplug()
		// The EVSE serves the next vehicle as if nothing had been.
		time.Sleep(3 * time.Second)
		c := s.outlets["d1"]
		if !c.HAL().Board.Read().Closed || c.Draw().Highest() < 10 {
			t.Error("the other vehicle has noticed")
		}
		s.outlets["a1"].Cable().Plug(nil)
		time.Sleep(time.Second)
		_ = s.connect("a1").Close()
		s.outlets["a1"].Cable().Unplug()
		time.Sleep(10 * time.Minute)
		if st := s.stats.Load(); st.Completed != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestLimitsThatAreNoneAreRefused(t *testing.T) {
	runSite(t, sixEVSEs, func(s *site) {
		w := func(v float64) *si.Watts { x := si.Watts(v); return &x }
		now := time.Now()
		for name, c := range map[string]struct {
			l    limits.Limit
			code limits.Code
		}{
			"expired":        {limits.Limit{Source: "bems", ID: "a", Values: limits.Values{ImportW: w(1)}, Issued: now.Add(-time.Hour), Validity: time.Minute}, limits.Expired},
			"retained":       {limits.Limit{Source: "bems", ID: "a", Values: limits.Values{ImportW: w(1)}, Issued: now, Retained: true}, limits.Retained},
			"negative":       {limits.Limit{Source: "bems", ID: "a", Values: limits.Values{ImportW: w(-1)}, Issued: now}, limits.Negative},
			"not a number":   {limits.Limit{Source: "bems", ID: "a", Values: limits.Values{ImportW: w(math.NaN())}, Issued: now}, limits.NotFinite},
			"unknown node":   {limits.Limit{Source: "bems", ID: "a", Node: "x", Values: limits.Values{ImportW: w(1)}, Issued: now}, limits.UnknownNode},
			"unknown source": {limits.Limit{Source: "nobody", ID: "a", Values: limits.Values{ImportW: w(1)}, Issued: now}, limits.UnknownSource},
			"no value":       {limits.Limit{Source: "bems", ID: "a", Issued: now}, limits.NoValue},
		} {
			before := s.bad("limit", string(c.code))
			s.env.Send(msg.Balancer, msg.ApplyLimit{Limit: c.l, Received: now})
			time.Sleep(100 * time.Millisecond)
			if s.bad("limit", string(c.code)) != before+1 {
				t.Errorf("%s: not refused with %s", name, c.code)
			}
		}
		if v := s.view.Load(); len(v.Limits) != 0 {
			t.Errorf("in force: %+v", v.Limits)
		}
	})
}
