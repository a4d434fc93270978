package ocpp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/evse"
	"github.com/voltyard/voltyard/actors/kit/kittest"
	"github.com/voltyard/voltyard/actors/msg"
	actorstation "github.com/voltyard/voltyard/actors/station"
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/hal/sim"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/site/lease"
)

// build gives the station's EVSE its actor and simulated hardware.
func (l *line) build(c *actorstation.Config) {
	if l.conf.plant == nil {
		return
	}
	l.plant = sim.NewOutlet(*l.conf.plant)
	hw := l.plant.HAL()
	x := &c.Role.EVSEs[0]
	if x.Socket = l.conf.plant.Socket; x.Socket {
		x.ConnectorType = "sType2"
	}
	if m, ok := hw.Meter.(hal.Signer); ok {
		x.Signs, x.PublicKey = true, m.PublicKey()
	}
	c.Role.Display = l.conf.plant.Display
	kittest.Spawn(l.T, l.env, msg.EVSEName("e1"), evse.New(l.env, evse.Config{ID: "e1", Station: "CS1", Phases: 3, MaxAmps: 32, Volts: 230, Auth: evse.AuthRFID, Socket: x.Socket}, hw, evse.Children{}))
}

// allot is a balancer that always has 16 A.
func (l *line) allot(ctx actor.Context) {
	if m, ok := ctx.Message().(msg.EVSEReport); ok && m.GrantSeq == l.grant && time.Now().After(l.granted.Add(time.Second)) {
		l.granted = time.Now()
		l.grant++
		ctx.Send(l.env.At(msg.EVSEName(m.EVSE)), msg.Grant{Grant: lease.Grant{EVSE: m.EVSE, Seq: l.grant, Import: si.Same(16), Phases: 3, Until: time.Now().Add(time.Minute)}})
	}
}

// withPlant runs a test case with the whole station, its EVSE and the hardware, booted at a CSMS that accepts every token but
// "BAD".
func withPlant(plant sim.Config, vars map[string]string, f func(l *line, h *host)) func(*testing.T) {
	return func(t *testing.T) {
		var h *host
		onLine(t, func(l *line) lineConfig {
			h = l.host("one", nil)
			h.reply[v201.ActionAuthorize] = func(q rpc.Message) rpc.Message {
				st := v201.AuthorizationStatusAccepted
				if q.(*v201.AuthorizeRequest).IdToken.IdToken == "BAD" {
					st = v201.AuthorizationStatusInvalid
				}
				return &v201.AuthorizeResponse{IdTokenInfo: v201.IdTokenInfo{Status: st, Language1: "de", Language2: "fr"}}
			}
			return lineConfig{url: "ws://one/ocpp", security: 1, vars: vars, plant: &plant}
		}, func(l *line) {
			h.booted(1)
			f(l, h)
		})
	}
}

// show presents a card at the EVSE.
func (l *line) show(id string) {
	l.env.Send(msg.EVSEName("e1"), msg.Token{EVSE: "e1", ID: id, Kind: string(v201.IdTokenISO14443)})
	time.Sleep(3 * time.Second)
}

// begin plugs a vehicle in and has it charge with a card.
func (l *line) charge(h *host, card string) {
	l.Helper()
	car := l.plant.Cable()
	car.Plug(nil)
	car.Pilot(hal.PilotC)
	car.Draw(si.Same(10))
	time.Sleep(3 * time.Second)
	l.show(card)
	l.want("it charges", h.lastEvent().TransactionInfo.ChargingState == v201.ChargingStateCharging, h.lastEvent())
}

func (l *line) input() hal.Input {
	synctest.Wait()
	return l.plant.HAL().Board.Read()
}

// sent are the requests of an action that came here.
func sent[T any, P interface {
	*T
	rpc.Message
}](h *host) (out []P) {
	h.Helper()
	synctest.Wait()
	for _, raw := range h.record.Requests("CS1", P(new(T)).ActionName()) {
		q := P(new(T))
		if err := q.UnmarshalJSON(raw); err != nil {
			h.Fatal(err)
		}
		out = append(out, q)
	}
	return out
}

func (h *host) lastEvent() *v201.TransactionEventRequest {
	h.Helper()
	all := sent[v201.TransactionEventRequest](h)
	if len(all) == 0 {
		h.Fatal("no transaction event came")
	}
	return all[len(all)-1]
}

// connector is the state of the connector that was told last.
func (h *host) connector() v201.ConnectorStatusEnum {
	h.Helper()
	all := sent[v201.StatusNotificationRequest](h)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1].ConnectorStatus
}
