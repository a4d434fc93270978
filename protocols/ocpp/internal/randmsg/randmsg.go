// Package randmsg makes random messages for tests: values within what every schema allows, optional properties left out
// at random. Only tests import it.
package randmsg

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/internal/wire"
)

type enum interface{ Values() []string }

var (
	enumType = reflect.TypeFor[enum]()
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[wire.Raw]()
)

// Fill sets m to a random value that passes its own Check.
func Fill(r *rand.Rand, m wire.Message) {
	for {
		v := reflect.ValueOf(m).Elem()
		v.SetZero()
		fill(r, v, "", 0)
		if m.Check() == nil {
			return
		}
	}
}

func fill(r *rand.Rand, v reflect.Value, name string, depth int) {
	t := v.Type()
	switch {
	case t == timeType:
		v.Set(reflect.ValueOf(time.Unix(1.7e9+r.Int64N(1e8), r.Int64N(1000)*1e6).UTC()))
		return
	case t == rawType:
		if r.IntN(4) == 0 {
			b, _ := json.Marshal(map[string]any{"vendorId": text(r), text(r): r.IntN(9)})
			v.SetBytes(b)
		}
		return
	case t.Implements(enumType):
		values := v.Interface().(enum).Values()
		v.SetString(values[r.IntN(len(values))])
		return
	}
	switch t.Kind() {
	case reflect.String:
		v.SetString(text(r))
	case reflect.Int:
		v.SetInt(r.Int64N(4))
	case reflect.Float64:
		v.SetFloat(float64(r.IntN(1000)) / 10 * float64(r.IntN(2)))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Pointer:
		if r.IntN(3) > 0 && depth < 6 {
			p := reflect.New(t.Elem())
			fill(r, p.Elem(), name, depth+1)
			v.Set(p)
		}
	case reflect.Slice:
		s := reflect.MakeSlice(t, 1+r.IntN(2), 2)
		for i := range s.Len() {
			fill(r, s.Index(i), name, depth+1)
		}
		v.Set(s)
	case reflect.Struct:
		for i := range t.NumField() {
			fill(r, v.Field(i), t.Field(i).Name, depth+1)
		}
	}
}

func text(r *rand.Rand) string {
	const letters = `abcXYZ 09-_.é\"`
	rs := []rune(letters)
	n := r.IntN(4)
	out := make([]rune, n)
	for i := range out {
		out[i] = rs[r.IntN(len(rs))]
	}
	return string(out)
}
