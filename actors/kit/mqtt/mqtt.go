// Package mqtt is the one wrapper around the MQTT client library. Nothing in it blocks: publishing while the broker is gone
// drops the message (its owner publishes the whole state again after a reconnect), and what comes in is handed over as
// messages to an actor as long as it gives credit.
package mqtt

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/voltyard/voltyard/actors/kit"
)

// Config is how to reach a broker.
type Config struct {
	URL       string // tcp://, ssl://
	ClientID  string
	Username  string
	Password  string
	TLS       *tls.Config
	WillTopic string // published, retained, with WillText when the connection is lost
	WillText  string
	Subscribe []string
}

// Messages to the owner of a client.
type (
	// Up says that the connection stands and the subscriptions are made.
	Up struct{}
	// Failed says why the broker cannot be reached, or does not let this client hear what it must; trying goes on.
	Failed struct{ Err error }
	// Down says that the connection is lost; it comes back by itself.
	Down struct{ Err error }
	// Message came in. The owner gives its credit back with Client.Done.
	Message struct {
		Topic    string
		Payload  []byte
		Retained bool
		At       time.Time
	}
)

// Client is a connection that comes back by itself, with a growing pause of at most 30 s.
type Client struct {
	c         paho.Client
	credit    kit.Credit
	published prometheus.Counter
	dropped   prometheus.Counter
	last      paho.Token // of the last message that the broker confirms
}

// Metrics are shared by all clients of a process.
type Metrics struct{ Published, Dropped, Overrun prometheus.Counter }

// NewMetrics returns the metrics of a process; the first call registers them.
func NewMetrics(env *kit.Env) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		var there prometheus.AlreadyRegisteredError
		if err := env.Metrics.Registry.Register(c); errors.As(err, &there) {
			return there.ExistingCollector.(prometheus.Counter)
		} else if err != nil {
			panic(err) // a name that is taken by something else is a mistake of ours
		}
		return c
	}
	return &Metrics{
		Published: counter("voltyard_mqtt_published_total", "MQTT messages handed to the broker."),
		Dropped:   counter("voltyard_mqtt_dropped_total", "MQTT messages not sent because the broker was gone."),
		Overrun:   counter("voltyard_mqtt_overrun_total", "MQTT messages that came faster than they could be handled, and were refused."),
	}
}

// farewell is how long Close waits for each of its two steps.
const farewell = 250 * time.Millisecond

// inFlight is how many messages may wait in the owner's mailbox.
const inFlight = 64

// Open begins to connect and returns at once. owner gets Up, Down and Message.
func Open(env *kit.Env, cfg Config, m *Metrics, owner *actor.PID) *Client {
	cl := &Client{credit: kit.NewCredit(inFlight), published: m.Published, dropped: m.Dropped}
	root := env.System.Root
	receive := func(_ paho.Client, msg paho.Message) {
		select {
		case <-cl.credit:
			root.Send(owner, Message{Topic: msg.Topic(), Payload: msg.Payload(), Retained: msg.Retained(), At: time.Now()})
		default:
			m.Overrun.Inc()
		}
	}
	// Only MQTT 3.1.1: in 3.1, to which the library would fall back for good, a broker cannot refuse a subscription.
	o := paho.NewClientOptions().SetProtocolVersion(4).SetStore(paho.NewOrderedMemoryStore()).AddBroker(cfg.URL).SetClientID(cfg.ClientID).SetUsername(cfg.Username).SetPassword(cfg.Password).
		SetTLSConfig(cfg.TLS).SetCleanSession(true).SetAutoReconnect(true).SetMaxReconnectInterval(30 * time.Second).
		SetConnectRetry(true).SetConnectRetryInterval(2 * time.Second).SetConnectTimeout(10 * time.Second).SetKeepAlive(15 * time.Second).
		SetPingTimeout(5 * time.Second).SetWriteTimeout(5 * time.Second).SetDefaultPublishHandler(receive).
		SetConnectionLostHandler(func(_ paho.Client, err error) { root.Send(owner, Down{err}) }).
		SetConnectionNotificationHandler(func(_ paho.Client, n paho.ConnectionNotification) {
			if f, ok := n.(paho.ConnectionNotificationFailed); ok {
				root.Send(owner, Failed{f.Reason})
			}
		}).
		SetOnConnectHandler(func(c paho.Client) { // a goroutine of its own
			for _, t := range cfg.Subscribe {
				switch err := subscribe(c, t, receive); {
				case !c.IsConnectionOpen():
					return // Down is on its way
				case err != nil:
					root.Send(owner, Failed{err})
				}
			}
			root.Send(owner, Up{})
		})
	if cfg.WillTopic != "" {
		o.SetWill(cfg.WillTopic, cfg.WillText, 1, true)
	}
	cl.c = paho.NewClient(o)
	cl.c.Connect()
	return cl
}

// refused is what a broker answers to a subscription that it does not grant (MQTT 3.1.1, 3.9.3).
const refused = 0x80

// subscribe waits for the broker's answer.
func subscribe(c paho.Client, topic string, receive paho.MessageHandler) error {
	t := c.Subscribe(topic, 1, receive)
	if !t.WaitTimeout(10 * time.Second) {
		return fmt.Errorf("subscribe to %s: the broker does not answer", topic)
	}
	if s, ok := t.(*paho.SubscribeToken); ok && s.Result()[topic] == refused {
		return fmt.Errorf("subscribe to %s: the broker refuses it; allow this user to read there", topic)
	}
	if err := t.Error(); err != nil {
		return fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	return nil
}

// Done gives the credit of one Message back.
func (c *Client) Done() { c.credit.Give() }

// Publish hands a message over, or drops it when the broker is gone.
func (c *Client) Publish(topic string, qos byte, retained bool, payload []byte) {
	if !c.c.IsConnectionOpen() {
		c.dropped.Inc()
		return
	}
	if t := c.c.Publish(topic, qos, retained, payload); qos > 0 {
		c.last = t
	}
	c.published.Inc()
}

// Close says good-bye to the broker, waiting a moment for what is under way.
func (c *Client) Close() {
	if c.last != nil && c.c.IsConnectionOpen() { // the good-bye would overtake it
		c.last.WaitTimeout(farewell)
	}
	c.c.Disconnect(uint(farewell / time.Millisecond))
}
