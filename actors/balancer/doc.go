// Package balancer is the actor in which every limit of a site is decided. It keeps the last word of each EVSE, station and
// meter and the limits from outside, and with every change, at least once a second, it takes an immutable snapshot, has
// site/allocate divide what is there, and site/lease put the changes into grants that are safe in every order of messages.
//
// It does no I/O: readings come as messages, grants go as messages, and what the API, the page, MQTT and the trace show is a
// picture (msg.SiteView) that it publishes after each decision. Only /ems spawns it.
package balancer
