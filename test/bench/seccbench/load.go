package seccbench

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/voltyard/voltyard/actors/kit/v2gconn"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/protocols/iso15118/evcc"
	evcc2 "github.com/voltyard/voltyard/protocols/iso15118/evcc/v2"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
)

// vehicle is one connection in its charging loop.
type vehicle struct {
	conn    net.Conn
	tls     bool
	payload uint16
	request []byte // of the loop
	took    []time.Duration
	err     error
}

// connect brings all vehicles into their charging loops, one after the other.
func connect(h hello, n int) ([]*vehicle, error) {
	roots, err := pki.ParsePEM(h.Root)
	if err != nil {
		return nil, err
	}
	client := &v2gtls.Client{Trust: &pki.Trust{V2G: roots}}
	var out []*vehicle
	for i := range n {
		v, err := begin(h.Addresses[i], client, i)
		if err != nil {
			return out, fmt.Errorf("vehicle %d: %w", i, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// begin takes a vehicle from the connection to the first response of its loop.
func begin(addr string, client *v2gtls.Client, i int) (*vehicle, error) {
	c, err := net.Dial("tcp6", addr)
	if err != nil {
		return nil, err
	}
	v := &vehicle{conn: c}
	if i%4 >= 2 {
		if v.conn, err = client.Handshake(context.Background(), c); err != nil {
			return nil, err
		}
		v.tls = true
	}
	dc := i%2 == 1
	m := evcc2.New(evcc.Config{EVCCID: [6]byte{2, 0, 0, 0, byte(i >> 8), byte(i)}, DC: dc, Phases: 3,
		Timing: evcc.Timing{Poll: 20 * time.Millisecond, Loop: time.Hour, Message: time.Minute, Long: time.Minute, CurrentDemand: time.Minute}})
	see := evcc.Vehicle{Powered: true, Battery: 400, SoC: 30, Capacity: 60000, Energy: 20000, MaxAmps: 16, MinAmps: 6, MaxWatts: 50000, MaxVolts: 450}
	events := []evcc.Event{see, evcc.Connected{}}
	loop := false
	for {
		var deadline time.Time
		sent := false
		for _, ev := range events {
			for _, e := range m.Step(time.Now(), ev, nil) {
				switch e := e.(type) {
				case evcc.Send:
					if sent = true; loop {
						v.payload, v.request = e.Payload, e.EXI
					}
					if err := v2gconn.Write(v.conn, e.Payload, e.EXI); err != nil {
						return nil, err
					}
				case evcc.SetDeadline:
					deadline = e.At
				case evcc.Progress:
					loop = e.State == "currentDemand" || e.State == "chargingStatus"
				case evcc.End:
					return nil, fmt.Errorf("the session ended: %s", e.Why)
				}
			}
		}
		if v.request != nil && !sent { // the loop's first response has come
			return v, nil
		}
		if !sent {
			time.Sleep(time.Until(deadline))
			events = []evcc.Event{evcc.Deadline{}}
			continue
		}
		payload, exi, err := v2gconn.Read(v.conn)
		if err != nil {
			return nil, err
		}
		events = []evcc.Event{evcc.Received{Payload: payload, EXI: exi}}
	}
}

// loop sends the same request in a fixed cadence and takes the time from its last octet to the last of the response.
func (v *vehicle) loop(first time.Time, cadence, length time.Duration) {
	v.took = make([]time.Duration, 0, int(length/cadence)+1)
	time.Sleep(time.Until(first))
	for next, end := first, first.Add(length); next.Before(end); next = next.Add(cadence) {
		time.Sleep(time.Until(next))
		if v.err = v2gconn.Write(v.conn, v.payload, v.request); v.err != nil {
			return
		}
		sent := time.Now()
		if _, _, v.err = v2gconn.Read(v.conn); v.err != nil {
			return
		}
		v.took = append(v.took, time.Since(sent))
	}
}
