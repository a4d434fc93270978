package station

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
)

// screen is what the driver at an EVSE is to see.
type screen struct {
	messages []hal.ScreenText // of the CSMS, for everyone or for the transaction
	personal *hal.ScreenText  // for the driver: a tariff, for instance
	cost     *hal.ScreenCost
}

func (s *Station) show(ctx actor.Context, e role.Show) {
	c := &s.evses[e.EVSE-1].screen
	c.messages = nil
	for _, m := range e.Messages {
		c.messages = append(c.messages, hal.ScreenText{Text: m.Message.Content, Language: m.Message.Language})
	}
	s.draw(ctx, e.EVSE)
}

func (s *Station) priced(ctx actor.Context, e role.Cost) {
	s.evses[e.EVSE-1].screen.cost = &hal.ScreenCost{Total: e.Total, Currency: e.Currency, Final: e.Final}
	s.draw(ctx, e.EVSE)
}

func (s *Station) personal(ctx actor.Context, e role.Personal) {
	c := &s.evses[e.EVSE-1].screen
	if e.Message.Content == "" {
		if c.personal == nil {
			return
		}
		c.personal = nil
	} else {
		c.personal = &hal.ScreenText{Text: e.Message.Content, Language: e.Message.Language}
	}
	s.draw(ctx, e.EVSE)
}

// wipe takes away what was for the driver before: the tariff when the vehicle goes, the cost when the next one comes. A driver who
// has shown a card before plugging in keeps the tariff.
func (s *Station) wipe(ctx actor.Context, n int, arrives bool) {
	c := &s.evses[n-1].screen
	if c.personal == nil && (c.cost == nil || !arrives) {
		return
	}
	if _, permitted := s.role.Permitted(n); !arrives || !permitted {
		c.personal = nil
	}
	if arrives {
		c.cost = nil
	}
	s.draw(ctx, n)
}

func (s *Station) draw(ctx actor.Context, n int) {
	c := s.evses[n-1].screen
	out := hal.Screen{Cost: c.cost}
	if c.personal != nil {
		out.Messages = append(out.Messages, *c.personal)
	}
	out.Messages = append(out.Messages, c.messages...)
	s.send(ctx, n, msg.Show{EVSE: s.id(n), Screen: out})
}
