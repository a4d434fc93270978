// Package msg holds every message that crosses the border of an actor, and the stable names of the actors.
//
// Messages are small value structs: whoever sends one keeps no reference to what it points at, so slices and maps inside
// are made fresh by the sender and never changed afterwards. Siblings never import each other; they meet here.
// Quantities are hal/si types: import and charging positive. Times that guard something are readings of the monotonic
// clock of this process (time.Now); times that go to the outside are UTC.
package msg
