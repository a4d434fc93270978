package v2gtls

import "sync"

// Issued is the chain that an EVSE got while the process runs, if it got one. It may be used by many goroutines at once.
type Issued struct {
	mu      sync.Mutex
	id      *Identity
	version uint64
}

// Set replaces the chain for handshakes that begin from now on.
func (i *Issued) Set(id Identity) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.id = &id
	i.version++
}

// Get returns the chain, nil for none, and a number that is another after each Set.
func (i *Issued) Get() (*Identity, uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.id == nil {
		return nil, 0
	}
	id := *i.id
	return &id, i.version
}
