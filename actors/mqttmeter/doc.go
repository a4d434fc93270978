// Package mqttmeter is the actor that follows a node's meter at the building's broker and tells the balancer what it says.
//
// It tells a reading only while every value that control needs is fresh: a retained message counts for nothing, because
// nobody knows how old it is, and one phase that falls silent silences the meter. The balancer takes a silent meter's
// configured worst case.
//
// Only /ems spawns it.
package mqttmeter
