package exi

import "strconv"

// List reads an element holding a list: the number of items, then each of them
// as item reads it.
func List[T any](d *Decoder, name string, item func(*Decoder) T) []T {
	if !d.open() {
		return nil
	}
	v := ListAttr(d, name, item)
	d.close()
	return v
}

// ListAttr is List for an attribute.
func ListAttr[T any](d *Decoder, name string, item func(*Decoder) T) []T {
	n, ok := d.varint()
	if !ok || n > uint64(d.remaining()) {
		d.fail(ErrTruncated, name, "list of "+strconv.FormatUint(n, 10)+" items", "")
		return nil
	}
	var out []T
	for range n {
		v := item(d)
		if d.err != nil {
			return nil
		}
		out = append(out, v)
	}
	return out
}

// NextList is List with the start event.
func NextList[T any](d *Decoder, name string, s Site, item func(*Decoder) T) []T {
	if !d.Begin(name, s) {
		return nil
	}
	return List(d, name, item)
}

// PutList writes an element holding a list.
func PutList[T any](e *Encoder, v []T, item func(*Encoder, T)) {
	e.Bits(0, 1)
	PutListAttr(e, v, item)
	e.Bits(0, 1)
}

// PutListAttr is PutList for an attribute.
func PutListAttr[T any](e *Encoder, v []T, item func(*Encoder, T)) {
	e.varint(uint64(len(v)))
	for _, x := range v {
		item(e, x)
	}
}
