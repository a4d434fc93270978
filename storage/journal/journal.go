// Package journal gives records in a database bucket an order: keys that sort by time, and trimming from the old end.
// The audit log and the session traces are journals. It is pure; the recorder does the writing.
package journal

import (
	"encoding/binary"
	"time"
)

// Key makes a key that sorts by time and, within the same instant, by seq.
func Key(at time.Time, seq uint32) []byte {
	k := make([]byte, 12)
	binary.BigEndian.PutUint64(k, uint64(at.UnixNano()))
	binary.BigEndian.PutUint32(k[8:], seq)
	return k
}

// Time returns the time of a key; false when it is not one of this package.
func Time(key []byte) (time.Time, bool) {
	if len(key) != 12 {
		return time.Time{}, false
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(key))).UTC(), true
}

// Excess returns the oldest of the keys beyond the newest keep. Keys must be in order.
func Excess(keys [][]byte, keep int) [][]byte {
	if len(keys) <= keep {
		return nil
	}
	return keys[:len(keys)-keep]
}
