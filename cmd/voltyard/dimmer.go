package main

import (
	"encoding/json"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/protocols/building"
)

// dimmer plays the building's energy management in the demo: a client of its own at the broker that publishes a limit well
// under the running demand, and later releases it.
type dimmer struct {
	client paho.Client
	topics building.Topics
	log    zerolog.Logger
	n      int
}

const dimmerSource = "bems"

func newDimmer(broker, site string, log zerolog.Logger) (*dimmer, error) {
	d := &dimmer{topics: building.For(site), log: log.With().Str("building", "ems").Logger()}
	d.client = paho.NewClient(paho.NewClientOptions().AddBroker(broker).SetClientID("demo-building").
		SetOnConnectHandler(func(c paho.Client) {
			c.Subscribe(d.topics.LimitAck(dimmerSource), 1, func(_ paho.Client, m paho.Message) {
				d.log.Info().RawJSON("ack", m.Payload()).Msg("the site answers")
			})
		}))
	if t := d.client.Connect(); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
		return nil, fmt.Errorf("demo building: connect to %s: %w", broker, t.Error())
	}
	return d, nil
}

func (d *dimmer) id() string { return fmt.Sprintf("demo-%d", d.n) }

// limit publishes an import limit for the grid connection.
func (d *dimmer) limit(watts float64, valid time.Duration) {
	d.n++
	d.log.Info().Float64("import_w", watts).Msg("the building limits the site")
	d.publish(map[string]any{"id": d.id(), "import_w": watts, "valid_s": valid.Seconds(), "ts": time.Now().UTC().Format(time.RFC3339Nano)})
}

// release lifts the last limit.
func (d *dimmer) release() {
	d.log.Info().Msg("the building releases the site")
	d.publish(map[string]any{"id": d.id(), "release": true, "ts": time.Now().UTC().Format(time.RFC3339Nano)})
}

func (d *dimmer) publish(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		d.log.Error().Err(err).Msg("limit")
		return
	}
	d.client.Publish(d.topics.LimitSet(dimmerSource), 1, false, b).WaitTimeout(5 * time.Second)
}

func (d *dimmer) close() { d.client.Disconnect(100) }
