// Package mosquitto proves the building's interface against a broker and clients written by others: Eclipse Mosquitto, as
// Debian packages it (mosquitto, mosquitto-clients). Each test starts a broker of its own on loopback, runs the real
// voltyard binary against it, and watches and limits the site with mosquitto_sub and mosquitto_pub. Without these programs
// the tests skip.
package mosquitto
