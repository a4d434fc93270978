package exi

// Optional holds a value the schema allows to be absent. It is stored in
// place, so that decoding a message with many small optional fields costs no
// allocation. Large optional structures are pointers instead.
type Optional[T any] struct {
	Value   T
	Present bool
}

// Some returns a present value.
func Some[T any](v T) Optional[T] { return Optional[T]{Value: v, Present: true} }

// Get returns the value and whether it is present.
func (o Optional[T]) Get() (T, bool) { return o.Value, o.Present }

// Or returns the value when present and def otherwise.
func (o Optional[T]) Or(def T) T {
	if o.Present {
		return o.Value
	}
	return def
}

// Set makes v the present value.
func (o *Optional[T]) Set(v T) { *o = Optional[T]{Value: v, Present: true} }

// Clear makes the value absent.
func (o *Optional[T]) Clear() { *o = Optional[T]{} }
