//go:build !race

package virtual

func serialise() func() { return func() {} }
