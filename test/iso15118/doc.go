// Package iso15118 tests the SECC machines from outside: every message with every response code that applies, request orders at
// random, and recorded sessions of real vehicles. `go test -v ./test/iso15118` prints what is covered.
package iso15118
