// Package password keeps stations' passwords as salted hashes (OCPP 2.0.1, A01.FR.08) and compares what a station shows with
// them. The wrapper of bcrypt: comparing is slow on purpose, so few are under way at a time, and what was right once is
// remembered under a key that dies with the process.
package password

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// Lengths of a password (OCPP 2.0.1 part 2, BasicAuthPassword: 16 to 40 characters); bcrypt itself takes 72 octets.
const (
	Min = 16
	Max = 40
)

// cost is how slow a comparison is: about 50 ms on a small processor.
const cost = 10

// Hash makes the salted hash of a password.
func Hash(pass string) (string, error) {
	if len(pass) < Min || len(pass) > Max {
		return "", fmt.Errorf("a password of OCPP has %d to %d characters, not %d", Min, Max, len(pass))
	}
	h, err := bcrypt.GenerateFromPassword([]byte(pass), cost)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return string(h), nil
}

// IsHash reports whether a stored secret is a hash.
func IsHash(stored string) bool { return strings.HasPrefix(stored, "$2") && len(stored) == 60 }

// Check refuses a stored secret that begins like a hash and is none.
func Check(stored string) error {
	if !strings.HasPrefix(stored, "$2") {
		return nil
	}
	if _, err := bcrypt.Cost([]byte(stored)); err != nil {
		return fmt.Errorf("the stored hash of a password is damaged: %w", err)
	}
	return nil
}

// Verifier compares passwords. It may be used by many goroutines at once.
type Verifier struct {
	key   [32]byte
	slots chan struct{}

	mu    sync.Mutex
	known map[string][sha256.Size]byte // by station: the mark of hash and password that were right
}

// NewVerifier makes one.
func NewVerifier() *Verifier {
	v := &Verifier{slots: make(chan struct{}, 1), known: map[string][sha256.Size]byte{}}
	_, _ = rand.Read(v.key[:]) // never fails
	return v
}

// Right reports whether the password is the stored one, a hash or not. It takes its time, until ctx ends. The number of
// stations must be bounded by the caller.
func (v *Verifier) Right(ctx context.Context, station, stored, shown string) bool {
	if !IsHash(stored) {
		return subtle.ConstantTimeCompare([]byte(stored), []byte(shown)) == 1
	}
	mark := v.mark(stored, shown)
	v.mu.Lock()
	known, ok := v.known[station]
	v.mu.Unlock()
	if ok && hmac.Equal(known[:], mark[:]) {
		return true
	}
	if len(shown) > Max {
		return false
	}
	select {
	case v.slots <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-v.slots }()
	if bcrypt.CompareHashAndPassword([]byte(stored), []byte(shown)) != nil {
		return false
	}
	v.mu.Lock()
	v.known[station] = mark
	v.mu.Unlock()
	return true
}

func (v *Verifier) mark(stored, shown string) [sha256.Size]byte {
	h := hmac.New(sha256.New, v.key[:])
	h.Write([]byte(stored)) // always 60 octets, so that nothing can move from one to the other
	h.Write([]byte(shown))
	return [sha256.Size]byte(h.Sum(nil))
}
