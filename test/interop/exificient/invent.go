package exificient

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/schemasets"
	"github.com/voltyard/voltyard/protocols/iso15118/xmldsig"
)

// inventor fills message structs with made-up content.
type inventor struct {
	set   *schemasets.Set
	rng   *rand.Rand
	share float64 // of the optional parts that are present
	ids   int
}

// octetLengths are the lengths of binary values to choose from; some schemas
// demand exact ones.
var octetLengths = []int{1, 6, 8, 16, 16, 20, 32, 64, 64, 94, 132, 133, 206, 84}

// words are what strings are made of.
var words = []string{
	"Ladepark", "Süd", "DE*VLT*E4711", "bay 7", "€/kWh", "urn:voltyard:example", "WMIV1234567890ABCDEX", "EUR", "de", "充電",
}

// fill sets v to made-up content. name is that of the field it belongs to.
func (in *inventor) fill(v reflect.Value, name string) error {
	switch x := v.Addr().Interface().(type) {
	case *exi.ShortBytes:
		b := make([]byte, []int{6, 8, 8}[in.rng.IntN(3)])
		in.random(b)
		*x = exi.MakeShortBytes(b)
		return nil
	case *exi.Integer:
		if in.rng.IntN(2) == 0 {
			*x = exi.MakeInteger(in.rng.Int64N(100000) - 50000)
		} else {
			n := new(big.Int).Lsh(big.NewInt(in.rng.Int64()), uint(in.rng.IntN(97)))
			*x = exi.MakeBigInteger(n)
		}
		return nil
	case *[]byte:
		*x = make([]byte, octetLengths[in.rng.IntN(len(octetLengths))])
		in.random(*x)
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		return in.fillStruct(v)
	case reflect.Interface:
		return in.member(v)
	case reflect.Slice:
		n := 1 + in.rng.IntN(2)
		if name == "TxSpecData" || name == "RxSpecData" || name == "PulseSequenceOrder" || name == "CurveDataPoint" {
			n = 2 + in.rng.IntN(2)
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			if err := in.fill(v.Index(i), name); err != nil {
				return err
			}
		}
	case reflect.String:
		v.SetString(in.text(name))
	case reflect.Bool:
		v.SetBool(in.rng.IntN(2) == 1)
	case reflect.Uint8:
		if s, ok := v.Interface().(fmt.Stringer); ok {
			in.enum(v, s)
			return nil
		}
		v.SetUint(uint64(1 + in.rng.IntN(20)))
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1 + in.rng.Uint64N([]uint64{9, 200, 30000}[in.rng.IntN(3)]))
	case reflect.Int8:
		v.SetInt(in.rng.Int64N(7) - 3)
		if !strings.Contains(name, "Multiplier") && name != "Exponent" {
			v.SetInt(in.rng.Int64N(101))
		}
	default:
		v.SetInt(in.rng.Int64N([]int64{5, 300, 30000}[in.rng.IntN(3)]) - 100)
	}
	return nil
}

func (in *inventor) random(b []byte) {
	for i := range b {
		b[i] = byte(in.rng.Uint32())
	}
}

func (in *inventor) text(name string) string {
	if name == "ID" {
		in.ids++
		return fmt.Sprintf("id%d", in.ids)
	}
	if in.rng.IntN(6) == 0 {
		return words[in.rng.IntN(len(words))] + " " + words[in.rng.IntN(len(words))]
	}
	return words[in.rng.IntN(len(words))]
}

// enum chooses one of an enumeration's values.
func (in *inventor) enum(v reflect.Value, s fmt.Stringer) {
	n := 0
	for ; n < 255; n++ {
		v.SetUint(uint64(n))
		if strings.HasSuffix(v.Interface().(fmt.Stringer).String(), fmt.Sprintf("(%d)", n)) {
			break
		}
	}
	v.SetUint(uint64(in.rng.IntN(n)))
}

// fillStruct fills the fields, the optional ones by chance.
func (in *inventor) fillStruct(v reflect.Value) error {
	t := v.Type()
	for i := range t.NumField() {
		f, tag := v.Field(i), t.Field(i).Tag.Get("exi")
		switch {
		case strings.HasSuffix(tag, ",bare"):
		case tag == "*":
			if err := in.items(f); err != nil {
				return err
			}
		case strings.HasPrefix(f.Type().Name(), "Optional["):
			if in.rng.Float64() < in.share {
				f.FieldByName("Present").SetBool(true)
				if err := in.fill(f.FieldByName("Value"), t.Field(i).Name); err != nil {
					return err
				}
			}
		case f.Type() == reflect.TypeFor[*xmldsig.KeyInfo](), f.Type() == reflect.TypeFor[[]xmldsig.Object]():
			// refused inside the signatures of ISO 15118
		case f.Kind() == reflect.Pointer:
			if in.rng.Float64() < in.share {
				f.Set(reflect.New(f.Type().Elem()))
				if err := in.fill(f.Elem(), t.Field(i).Name); err != nil {
					return err
				}
			}
		default:
			if err := in.fill(f, t.Field(i).Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// items fills a repeated choice with one item that has one alternative.
func (in *inventor) items(v reflect.Value) error {
	item := reflect.New(v.Type().Elem()).Elem()
	f := item.Field(in.rng.IntN(item.NumField()))
	f.Set(reflect.New(f.Type().Elem()))
	if err := in.fill(f.Elem(), ""); err != nil {
		return err
	}
	v.Set(reflect.Append(v, item))
	return nil
}

// member stores a made-up member of a substitution group, unless one is there.
func (in *inventor) member(v reflect.Value) error {
	if !v.IsNil() {
		return in.fill(v.Elem().Elem(), "")
	}
	var all []exi.Element
	for _, name := range globals(in.set) {
		if e := in.set.NewElement(name); e != nil && reflect.TypeOf(e).Implements(v.Type()) {
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		return fmt.Errorf("no member for %s", v.Type())
	}
	e := all[in.rng.IntN(len(all))]
	v.Set(reflect.ValueOf(e))
	return in.fill(v.Elem().Elem(), "")
}
