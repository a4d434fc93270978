// Package building is the interface of a site to the building around it: the tree of MQTT topics beneath voltyard/<site>, and
// the payloads of limits and acknowledgements. It is pure; the building actor speaks it.
//
// State is retained, scalars are plain text in SI units (W, A, Wh, %), import and charging positive. Commands are JSON on
// topics that end in /set, are never retained, and each is answered on the same topic with /ack in place of /set.
package building
