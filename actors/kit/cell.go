package kit

import "sync/atomic"

// Cell publishes an immutable value: one actor stores, anyone loads. What it points at is never changed after Store.
type Cell[T any] struct{ p atomic.Pointer[T] }

// Store publishes v.
func (c *Cell[T]) Store(v *T) { c.p.Store(v) }

// Load returns the last value, nil before the first.
func (c *Cell[T]) Load() *T { return c.p.Load() }
