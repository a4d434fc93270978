package evse

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal"
)

// signTime is how long the meter may take to sign; longer than the station role waits.
const signTime = 5 * time.Second

// mostSigning is how many signatures may be under way; more are refused.
const mostSigning = 8

// sign has the meter sign a reading, beside the actor's turns: meters take their time. Only the answer goes to the station role.
func (e *EVSE) sign(ctx actor.Context, m msg.SignMeter) {
	to, root := e.env.At(msg.StationName(e.cfg.Station)), ctx.ActorSystem().Root
	meter, ok := e.hw.Meter.(hal.Signer)
	if ok {
		select {
		case <-e.signing:
		default:
			ok = false
		}
	}
	if !ok {
		ctx.Send(to, msg.MeterSigned{EVSE: e.cfg.ID, Token: m.Token})
		return
	}
	credit, log, id := e.signing, e.log, e.cfg.ID
	go func() {
		defer credit.Give()
		c, cancel := context.WithTimeout(context.Background(), signTime)
		defer cancel()
		r, err := meter.Sign(c, m.Moment)
		if err != nil {
			log.Error().Err(err).Msg("the meter does not sign")
			r = hal.MeterReading{}
		}
		root.Send(to, msg.MeterSigned{EVSE: id, Token: m.Token, Reading: r})
	}()
}
