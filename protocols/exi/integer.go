package exi

import "math/big"

// Integer is an xs:integer of any size, such as the serial number of a
// certificate. The zero value is 0.
type Integer struct {
	small int64
	big   *big.Int
}

// MakeInteger returns the Integer with value v.
func MakeInteger(v int64) Integer { return Integer{small: v} }

// MakeBigInteger returns the Integer with value v; v is copied.
func MakeBigInteger(v *big.Int) Integer {
	if v.IsInt64() {
		return Integer{small: v.Int64()}
	}
	return Integer{big: new(big.Int).Set(v)}
}

// Big returns the value as a new big.Int.
func (i Integer) Big() *big.Int {
	if i.big != nil {
		return new(big.Int).Set(i.big)
	}
	return big.NewInt(i.small)
}

// Int64 returns the value when it fits.
func (i Integer) Int64() (int64, bool) { return i.small, i.big == nil }

// Cmp compares i with j and returns -1, 0 or 1.
func (i Integer) Cmp(j Integer) int { return i.Big().Cmp(j.Big()) }

// String returns the decimal digits.
func (i Integer) String() string { return i.Big().String() }

// MarshalText implements encoding.TextMarshaler.
func (i Integer) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (i *Integer) UnmarshalText(b []byte) error {
	v, ok := new(big.Int).SetString(string(b), 10)
	if !ok {
		return &Error{Err: ErrValue, Detail: string(b), Expected: "a decimal integer"}
	}
	*i = MakeBigInteger(v)
	return nil
}
