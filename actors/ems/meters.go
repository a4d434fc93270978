package ems

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/voltyard/voltyard/actors/balancer"
	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/mqttmeter"
	"github.com/voltyard/voltyard/configs"
	"github.com/voltyard/voltyard/hal/metering"
	"github.com/voltyard/voltyard/hal/si"
)

// makeMeter returns the actor that brings a node's readings.
func makeMeter(env *kit.Env, node string, m configs.Meter, p Parts) (func() actor.Actor, error) {
	if m.Driver == "mqtt" {
		cfg := mqttmeter.Config{Node: node, Sources: map[metering.Value]mqttmeter.Source{}, Fresh: time.Duration(m.StaleS * float64(time.Second)), Wired: Wiring(m)}
		for _, v := range m.Values {
			cfg.Sources[metering.Value(v.Value)] = mqttmeter.Source{Topic: v.Topic, Field: v.Field, Scale: v.Scale}
		}
		return mqttmeter.New(env, cfg, p.Broker)
	}
	dev := p.Meters[node]
	if dev == nil {
		return nil, fmt.Errorf("node %s: its meter %s has no driver", node, m.ID)
	}
	return balancer.NewPoller(env, node, dev), nil
}

// Wiring is how a meter of the site file is wired.
func Wiring(m configs.Meter) metering.Config {
	return metering.Config{Ratio: m.Ratio, Invert: m.Invert, MaxA: si.Amps(m.MaxA)}
}
