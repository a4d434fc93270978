package kit

import (
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// guard logs a panic with its stack, counts it, and measures the time a message takes. A panic in Stopping, Stopped or
// Restarting is swallowed: passed on, it would revive the actor or leave its parent waiting for ever.
func (e *Env) guard(kind string) actor.ReceiverMiddleware {
	service := e.Metrics.service.WithLabelValues(kind)
	return func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(c actor.ReceiverContext, env *actor.MessageEnvelope) {
			start := time.Now()
			defer func() {
				service.Observe(time.Since(start).Seconds())
				r := recover()
				if r == nil {
					return
				}
				e.Metrics.Panics.WithLabelValues(kind).Inc()
				e.Log.Error().Str("actor", c.Self().Id).Type("message", env.Message).
					Interface("panic", r).Bytes("stack", debug.Stack()).Msg("actor failed")
				switch env.Message.(type) {
				case *actor.Stopping, *actor.Stopped, *actor.Restarting:
				default:
					panic(r)
				}
			}()
			if m, ok := env.Message.(Crash); ok {
				panic("crash requested: " + m.Why)
			}
			next(c, env)
		}
	}
}

// Crash makes the actor that gets it fail as by a programming error. Only tests of supervision send it.
type Crash struct{ Why string }
