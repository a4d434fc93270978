// Package txqueue delivers a station's transaction messages to its CSMS: durable before it is acknowledged, in order, at
// least once, every repeat with an identical payload. It is a machine without I/O for the station role and for the local
// controller, which answer for the stations behind them.
//
// A message that never left this process when the connection breaks is marked offline (E11.FR.07); once it may have been
// sent it is never changed again, so the CSMS can tell a repeat from a new event by transaction id and seqNo.
package txqueue

import (
	"encoding/binary"
	"errors"
)

// Kind says which messages may be dropped when the queue is full.
type Kind uint8

// The kinds of messages.
const (
	Start  Kind = iota + 1 // never dropped
	Update                 // intermediate ones are dropped first (E04.FR.08)
	End                    // never dropped
	Other                  // not of a transaction, never dropped
)

// Item is one message.
type Item struct {
	Seq     uint64 // position, also the key in the database
	Kind    Kind
	Action  string
	Tx      string // transaction id, "" for Other
	Payload []byte
}

// Marshal returns the form of the item that is stored.
func (it *Item) Marshal() []byte {
	b := []byte{1, byte(it.Kind)}
	b = appendText(b, it.Action)
	b = appendText(b, it.Tx)
	return append(b, it.Payload...)
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

var errItem = errors.New("stored message of the queue: damaged; remove the record or restore the database")

// Unmarshal reads what Marshal wrote.
func Unmarshal(seq uint64, b []byte) (Item, error) {
	it := Item{Seq: seq}
	if len(b) < 2 || b[0] != 1 || b[1] < byte(Start) || b[1] > byte(Other) {
		return it, errItem
	}
	it.Kind = Kind(b[1])
	b = b[2:]
	for _, field := range []*string{&it.Action, &it.Tx} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return it, errItem
		}
		*field = string(b[size : size+int(n)])
		b = b[size+int(n):]
	}
	it.Payload = append([]byte(nil), b...)
	return it, nil
}
