package mqttmeter

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/mqtt"
	"github.com/voltyard/voltyard/actors/msg"
	"github.com/voltyard/voltyard/hal/metering"
)

// every is how often the balancer hears a reading at most: a meter that chatters must not crowd it.
const every = 100 * time.Millisecond

// Config describes the meter.
type Config struct {
	Node    string
	Sources map[metering.Value]Source
	Fresh   time.Duration // older values count as missing
	Wired   metering.Config
}

// Meter is the actor.
type Meter struct {
	env    *kit.Env
	cfg    Config
	broker mqtt.Config
	log    zerolog.Logger

	timers *kit.Timers
	client *mqtt.Client
	values *collector
	due    bool // something came since the last reading
	said   string
}

// New returns the producer of the actor, or what makes the description unusable.
func New(env *kit.Env, cfg Config, broker mqtt.Config) (func() actor.Actor, error) {
	values := newCollector(cfg.Sources, cfg.Fresh)
	if err := metering.Complete(values.mapped); err != nil {
		return nil, fmt.Errorf("meter of node %s: %w", cfg.Node, err)
	}
	broker.ClientID += "-meter-" + cfg.Node
	broker.Subscribe = values.topics()
	broker.WillTopic = ""
	return func() actor.Actor {
		return &Meter{env: env, cfg: cfg, broker: broker, values: newCollector(cfg.Sources, cfg.Fresh),
			log: env.Log.With().Str("actor", "meter").Str("node", cfg.Node).Logger()}
	}, nil
}

// Receive handles one message.
func (m *Meter) Receive(ctx actor.Context) {
	switch x := ctx.Message().(type) {
	case *actor.Started:
		m.timers = kit.NewTimers(ctx)
		m.client = mqtt.Open(m.env, m.broker, mqtt.NewMetrics(m.env), ctx.Self())
		m.timers.Set("tell", every)
	case mqtt.Message:
		m.client.Done()
		m.take(x)
	case mqtt.Up:
		m.said = ""
		m.log.Info().Str("broker", m.broker.URL).Msg("meter is subscribed")
	case mqtt.Down:
		m.log.Warn().Err(x.Err).Msg("broker of the meter is gone")
	case mqtt.Failed:
		m.once(x.Err, "broker does not serve the meter")
	case kit.Fired:
		if m.timers.Due(x) {
			m.timers.Set("tell", every)
			m.tell(ctx)
		}
	case *actor.Stopping:
		m.timers.StopAll()
		m.client.Close()
	}
}

func (m *Meter) take(x mqtt.Message) {
	if x.Retained {
		return // of unknown age
	}
	m.due = true
	if err := m.values.take(x.At, x.Topic, x.Payload); err != nil {
		m.env.Metrics.BadInput.WithLabelValues("meter", "payload").Inc()
		m.once(err, "meter sends what cannot be read; check values in the site file")
	}
}

// tell passes a reading on when something new came. Nothing new is nothing said: the balancer knows what silence means.
func (m *Meter) tell(ctx actor.Context) {
	if !m.due {
		return
	}
	m.due = false
	r, err := m.values.reading(time.Now())
	if err == nil {
		r, err = m.cfg.Wired.Apply(r)
	}
	if err != nil {
		m.once(err, "meter gives no reading")
		return
	}
	m.said = ""
	ctx.Send(m.env.At(msg.Balancer), msg.NodeReading{Node: m.cfg.Node, Reading: r})
}

// once logs an error that repeats itself one time.
func (m *Meter) once(err error, text string) {
	if s := err.Error(); s != m.said {
		m.said = s
		m.log.Warn().Err(err).Msg(text)
	}
}
