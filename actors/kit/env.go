package kit

import (
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"
)

// Env is what an actor needs from the process around it. It is made once and never changed.
type Env struct {
	System  *actor.ActorSystem
	Log     zerolog.Logger
	Metrics *Metrics
	Born    time.Time // when the process began its work
}

// NewEnv makes an actor system whose own log goes to log at warning level and above.
func NewEnv(log zerolog.Logger) *Env {
	quiet := log.Level(max(log.GetLevel(), zerolog.WarnLevel))
	sys := actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return slog.New(zerolog.NewSlogHandler(quiet)).With("component", "actor")
		}),
		actor.WithDeadLetterThrottleInterval(10*time.Millisecond),
		actor.WithDeadLetterThrottleCount(1),
	)
	return &Env{System: sys, Log: log, Metrics: NewMetrics(), Born: time.Now()}
}

// At returns the address of the local actor with this name (see actors/msg); it does not say whether the actor lives.
// It stays good when the actor is respawned under the same name.
func (e *Env) At(name string) *actor.PID { return e.System.NewLocalPID(name) }

// Send sends a message from outside any actor.
func (e *Env) Send(name string, m any) { e.System.Root.Send(e.At(name), m) }

// Props are the properties of every actor: guarded, measured, with an unbounded mailbox (whoever reads from a socket
// takes credit, see Credit, so that no mailbox grows without bound). kind is the label in metrics and log: "evse", "port".
func (e *Env) Props(kind string, make func() actor.Actor) *actor.Props {
	return actor.PropsFromProducer(make,
		actor.WithReceiverMiddleware(e.guard(kind)),
		actor.WithMailbox(func() actor.Mailbox { return newMailbox(actor.Unbounded(newMailboxProbe(e.Metrics, kind))()) }),
	)
}
