package exi

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"
)

// stream writes a header, shift bits of filling and what write adds.
func stream(t *testing.T, shift uint, write func(*Encoder)) []byte {
	t.Helper()
	var e Encoder
	e.Reset(nil)
	e.Bits(0, shift)
	write(&e)
	b, err := e.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reader returns a decoder positioned after the filling.
func reader(b []byte, shift uint) *Decoder {
	d := new(Decoder)
	d.Reset(b, nil)
	d.Bits(shift)
	return d
}

// TestValuesAtEveryOffset writes and reads values of each datatype at all
// offsets within a byte.
func TestValuesAtEveryOffset(t *testing.T) {
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890123456789", 10)
	texts := []string{"", "a", "seven77", "eight888", "nine99999", strings.Repeat("long ", 50), "Süd", "充電🔌", "tab\tline\n"}
	rng := rand.New(rand.NewPCG(1, 2))
	for shift := range uint(8) {
		for range 40 {
			octets := make([]byte, rng.IntN(40))
			for i := range octets {
				octets[i] = byte(rng.Uint32())
			}
			u, i := rng.Uint64()>>rng.IntN(64), int64(rng.Uint64())>>rng.IntN(64)
			text := texts[rng.IntN(len(texts))]
			b := stream(t, shift, func(e *Encoder) {
				e.Unsigned("u", u)
				e.Signed("i", i)
				e.NextSigned("i", i)
				e.Binary("b", octets)
				e.Short("s", MakeShortBytes(octets))
				e.Text("t", text)
				e.Integer("n", MakeBigInteger(huge))
				e.Ranged("r", -3, -3, 3)
				e.NextEnum("e", 25, 26)
				e.Bool("f", true)
			})
			d := reader(b, shift)
			if got := d.Unsigned("u", 1<<64-1); got != u {
				t.Errorf("unsigned %d became %d", u, got)
			}
			if got := d.Signed("i", -1<<63, 1<<63-1); got != i {
				t.Errorf("signed %d became %d", i, got)
			}
			if got := d.NextSigned("i", -1<<63, 1<<63-1, 0); got != i {
				t.Errorf("next signed %d became %d", i, got)
			}
			if got := d.Binary("b"); !bytes.Equal(got, octets) {
				t.Errorf("octets %x became %x", octets, got)
			}
			if got := d.Short("s"); got != MakeShortBytes(octets) {
				t.Errorf("short %x became %s", octets, got)
			}
			if got := d.Text("t"); got != text {
				t.Errorf("text %q became %q", text, got)
			}
			if got := d.Integer("n"); got.Big().Cmp(huge) != 0 {
				t.Errorf("integer %s became %s", huge, got)
			}
			if got := d.Ranged("r", -3, 3); got != -3 {
				t.Errorf("ranged -3 became %d", got)
			}
			if got := d.NextEnum("e", 26, 0); got != 25 {
				t.Errorf("enumerated 25 became %d", got)
			}
			if !d.Bool("f") {
				t.Error("true became false")
			}
			if info, err := d.Finish(); err != nil || info != (Info{}) {
				t.Fatalf("shift %d: %+v, %v", shift, info, err)
			}
		}
	}
}

// TestEncodeWithoutRoom holds that the result does not depend on how much room
// the buffer has.
func TestEncodeWithoutRoom(t *testing.T) {
	write := func(dst []byte) []byte {
		var e Encoder
		e.Reset(dst)
		for i := range 50 {
			e.Text("t", strings.Repeat("x", i))
			e.Bits(1, 3)
		}
		b, err := e.Finish()
		if err != nil {
			t.Fatal(err)
		}
		return b[len(dst):]
	}
	want := write(make([]byte, 0, 1<<16))
	for room := range 40 {
		if got := write(make([]byte, 3, 3+room)); !bytes.Equal(got, want) {
			t.Fatalf("room %d: %x", room, got)
		}
	}
}

// TestStringTable reads references to earlier strings, which the profile does
// not use but a lenient reader resolves.
func TestStringTable(t *testing.T) {
	b := stream(t, 0, func(e *Encoder) {
		e.TextAttr("", "first")
		e.TextAttr("", "second")
		e.Bits(0, 8) // a hit among the values of this name, of which there is one
		e.Bits(1, 8) // a hit among all values
		e.Bits(0, 1) // the first of two
	})
	read := func(d *Decoder) []string {
		return []string{d.TextAttr("a"), d.TextAttr("b"), d.TextAttr("b"), d.TextAttr("c")}
	}
	var d Decoder
	d.Reset(b, nil)
	read(&d)
	if !d.Retry() {
		t.Fatal("no second pass was asked for")
	}
	got := read(&d)
	info, err := d.Finish()
	if err != nil || info.Hits != 2 || strings.Join(got, " ") != "first second second first" {
		t.Errorf("%q, %+v, %v", got, info, err)
	}
	d.Reset([]byte{Header, 0}, nil)
	d.TextAttr("a")
	if d.Retry(); d.TextAttr("a") != "" || !d.Failed() {
		t.Error("a reference to nothing was accepted")
	}
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		want error
		read func(*Decoder)
	}{
		"empty":           {nil, ErrTruncated, func(*Decoder) {}},
		"header":          {[]byte{0xa0}, ErrHeader, func(*Decoder) {}},
		"trailing":        {[]byte{0x80, 0, 0, 0, 0}, ErrTrailing, func(d *Decoder) { d.Bits(1) }},
		"long string":     {[]byte{0x80, 0xff, 0xff, 0x7f, 0}, ErrTruncated, func(d *Decoder) { d.TextAttr("x") }},
		"long binary":     {[]byte{0x80, 0xff, 0xff, 0x7f, 0}, ErrTruncated, func(d *Decoder) { d.BinaryAttr("x") }},
		"endless integer": {append([]byte{0x80}, bytes.Repeat([]byte{0xff}, 20)...), ErrValue, func(d *Decoder) { d.UnsignedAttr("x", 1<<64-1) }},
		"enumeration":     {[]byte{0x80, 0xe0}, ErrValue, func(d *Decoder) { d.EnumAttr("x", 5) }},
		"range":           {[]byte{0x80, 0xff}, ErrValue, func(d *Decoder) { d.RangedAttr("x", 0, 100) }},
		"control":         {[]byte{0x80, 3, 0x1b}, ErrValue, func(d *Decoder) { d.TextAttr("x") }},
		"surrogate":       {[]byte{0x80, 3, 0x80, 0xb0, 0x03}, ErrValue, func(d *Decoder) { d.TextAttr("x") }},
	} {
		var d Decoder
		d.Reset(c.b, nil)
		c.read(&d)
		_, err := d.Finish()
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// BenchmarkSize reads large inputs that could tempt a decoder into more than linear work: the time for an element must be
// the same for both sizes.
func BenchmarkSize(b *testing.B) {
	for name, c := range map[string]struct {
		write func(e *Encoder, n int)
		read  func(d *Decoder)
	}{
		"integer": {
			func(e *Encoder, n int) {
				e.IntegerAttr("", MakeBigInteger(new(big.Int).Lsh(big.NewInt(1), uint(n)*7)))
			},
			func(d *Decoder) { d.IntegerAttr("x") },
		},
		"unicode": {
			func(e *Encoder, n int) { e.TextAttr("", strings.Repeat("é", n)) },
			func(d *Decoder) { d.TextAttr("x") },
		},
		"undeclared attributes": {
			func(e *Encoder, n int) {
				for i := range n {
					e.Bits(1, 1)                       // the second level
					e.Bits(3, 3)                       // an attribute
					e.Bits(0, uint(bits.Len(uint(i)))) // in a new namespace
					e.varint(0)                        // that is empty
					e.varint(2)                        // with a new local name
					e.Bits('n', 8)
					e.TextAttr("", "") // and no value
				}
				e.Bits(0, 1)
			},
			func(d *Decoder) {
				_ = d.Begin("x", AtStart)
			},
		},
	} {
		for _, n := range []int{4000, 32000} {
			var e Encoder
			e.Reset(nil)
			c.write(&e, n)
			in, err := e.Finish()
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					var d Decoder
					d.Reset(in, nil)
					c.read(&d)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
			})
		}
	}
}
