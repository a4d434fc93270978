package hal

import "context"

// DigitalInput is one contact at the controller: a relay of the grid operator's receiver, a switch.
type DigitalInput interface {
	// Read returns true for a closed contact; it returns within ctx. An error means that nothing is known.
	Read(ctx context.Context) (closed bool, err error)
	Close() error
}
