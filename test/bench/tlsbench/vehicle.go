package tlsbench

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/voltyard/voltyard/actors/kit/v2gconn"
	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/appproto"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// vehicle is one that sends what it has to, in the right order, and no more.
type vehicle struct {
	conn net.Conn
	id   exi.ShortBytes
	next []byte
}

func client(at place) (*v2gtls.Client, error) {
	root, err := x509.ParseCertificate(at.Root)
	if err != nil {
		return nil, err
	}
	return &v2gtls.Client{Trust: &pki.Trust{V2G: []*x509.Certificate{root}}, RequireOCSP: true}, nil
}

func connect(at place) (*vehicle, error) {
	v, err := client(at)
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", at.Addr)
	if err != nil {
		return nil, err
	}
	conn, err := v.Handshake(context.Background(), c)
	if err != nil {
		return nil, err
	}
	return &vehicle{conn: conn, id: exi.MakeShortBytes(make([]byte, 8))}, nil
}

func (v *vehicle) close() { _ = v.conn.Close() }

func (v *vehicle) exchange(in []byte) ([]byte, error) {
	if err := v2gconn.Write(v.conn, secc.PayloadEXI, in); err != nil {
		return nil, err
	}
	_, out, err := v2gconn.Read(v.conn)
	return out, err
}

func (v *vehicle) ask(req v2.BodyElement) (v2.BodyElement, error) {
	in, err := (&v2.V2GMessage{Header: v2.MessageHeader{SessionID: v.id}, Body: v2.Body{BodyElement: req}}).AppendEXI(nil)
	if err != nil {
		return nil, err
	}
	out, err := v.exchange(in)
	if err != nil {
		return nil, fmt.Errorf("%T: %w", req, err)
	}
	res, err := v2.Decode(out)
	if err != nil {
		return nil, fmt.Errorf("%T: %w", req, err)
	}
	v.id = res.Header.SessionID
	return res.Body.BodyElement, nil
}

// begin goes from the choice of the protocol into the loop.
func (v *vehicle) begin() error {
	hello := &appproto.SupportedAppProtocolReq{AppProtocol: []appproto.AppProtocol{{ProtocolNamespace: "urn:iso:15118:2:2013:MsgDef", VersionNumberMajor: 2, SchemaID: 1, Priority: 1}}}
	in, err := hello.AppendEXI(nil)
	if err != nil {
		return err
	}
	if _, err := v.exchange(in); err != nil {
		return err
	}
	amps := &v2.ACEVChargeParameter{EAmount: v2.WattHours(20000), EVMaxVoltage: v2.Volts(400), EVMaxCurrent: v2.Amps(16), EVMinCurrent: v2.Amps(6)}
	for _, req := range []v2.BodyElement{
		&v2.SessionSetupReq{EVCCID: exi.MakeShortBytes([]byte{2, 0, 0, 0, 0, 1})},
		&v2.ServiceDiscoveryReq{},
		&v2.PaymentServiceSelectionReq{SelectedPaymentOption: v2.PaymentOptionExternalPayment, SelectedServiceList: v2.SelectedServiceList{SelectedService: []v2.SelectedService{{ServiceID: 1}}}},
		&v2.AuthorizationReq{}, &v2.AuthorizationReq{}, // the first is told to wait
		&v2.ChargeParameterDiscoveryReq{RequestedEnergyTransferMode: v2.EnergyTransferModeACThreePhaseCore, EVChargeParameter: amps},
		&v2.PowerDeliveryReq{ChargeProgress: v2.ChargeProgressStart, SAScheduleTupleID: 1},
	} {
		if _, err := v.ask(req); err != nil {
			return err
		}
	}
	v.next, err = (&v2.V2GMessage{Header: v2.MessageHeader{SessionID: v.id}, Body: v2.Body{BodyElement: &v2.ChargingStatusReq{}}}).AppendEXI(nil)
	if err != nil {
		return err
	}
	res, err := v.ask(&v2.ChargingStatusReq{})
	if err != nil {
		return err
	}
	if r, ok := res.(*v2.ChargingStatusRes); !ok || r.ResponseCode != v2.ResponseCodeOK {
		return fmt.Errorf("the vehicle does not charge: %+v", res)
	}
	return nil
}

// loop is one turn of the charging loop; it takes from the last byte of the request to the last byte of the response.
func (v *vehicle) loop() (time.Duration, error) {
	if err := v2gconn.Write(v.conn, secc.PayloadEXI, v.next); err != nil {
		return 0, err
	}
	sent := time.Now()
	_, _, err := v2gconn.Read(v.conn)
	return time.Since(sent), err
}

// arrive is the process of the vehicles that connect at once. It is told where, and then when.
func arrive(o options, in io.Reader, out io.Writer) error {
	lines, answer := bufio.NewReader(in), json.NewEncoder(out)
	var at place
	first, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	if err := json.Unmarshal(first, &at); err != nil {
		return err
	}
	v, err := client(at)
	if err != nil {
		return err
	}
	if err := answer.Encode(true); err != nil {
		return err
	}
	for {
		if _, err := lines.ReadBytes('\n'); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := answer.Encode(together(o.connect, v, at)); err != nil {
			return err
		}
	}
}

func together(n int, v *v2gtls.Client, at place) burst {
	var b burst
	var mu sync.Mutex
	var all sync.WaitGroup
	conns := make([]net.Conn, 0, n)
	began := time.Now()
	for range n {
		all.Go(func() {
			c, err := net.Dial("tcp", at.Addr)
			if err == nil {
				c, err = v.Handshake(context.Background(), c)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				b.Failed++
				return
			}
			conns = append(conns, c)
		})
	}
	all.Wait()
	b.Took = time.Since(began)
	for _, c := range conns {
		_ = c.Close()
	}
	return b
}
