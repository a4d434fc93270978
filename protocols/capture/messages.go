package capture

import (
	"bytes"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// Message is a V2GTP message found in a capture.
type Message struct {
	Frame     int // number of the frame that completed it
	Time      time.Time
	Src, Dst  netip.AddrPort
	Encrypted bool // it came through TLS
	Type      v2gtp.PayloadType
	Payload   []byte
}

// Note is something about a connection that keeps messages from being seen.
type Note struct {
	Src, Dst netip.AddrPort
	Text     string
}

// maxPayload bounds the payload of a V2GTP message, in octets. Longer lengths
// are taken for a loss of synchronisation.
const maxPayload = 1 << 20

// Messages returns all V2GTP messages of a capture in the order in which they
// were completed. keylog is a TLS key log in NSS format or nil; keys inside the
// capture are used as well.
func Messages(r io.Reader, keylog io.Reader) ([]Message, []Note, error) {
	keys := NewKeyLog()
	if keylog != nil {
		text, err := io.ReadAll(keylog)
		if err != nil {
			return nil, nil, err
		}
		keys.Add(text)
	}
	var out []Message
	tcp := newTracker()
	err := Read(r, func(f Frame) {
		p, ok := parsePacket(&f)
		switch {
		case !ok:
		case p.tcp:
			tcp.add(p)
		default:
			keys.Add(p.payload)
			if t, body, err := v2gtp.Parse(p.payload); err == nil {
				out = append(out, Message{Frame: f.Number, Time: f.Time, Src: p.src, Dst: p.dst, Type: t, Payload: body})
			}
		}
	}, keys.Add)
	if err != nil {
		return nil, nil, err
	}
	var notes []Note
	for _, c := range tcp.all {
		note := c.messages(keys, func(m Message) { out = append(out, m) })
		if note != "" {
			notes = append(notes, Note{c.dirs[0].src, c.dirs[0].dst, note})
		}
	}
	slices.SortStableFunc(out, func(a, b Message) int { return a.Frame - b.Frame })
	return out, notes, nil
}

// messages finds the messages of both directions of a connection.
func (c *connection) messages(keys *KeyLog, found func(Message)) (note string) {
	a, b := c.dirs[0].reassemble(), c.dirs[1].reassemble()
	if isTLS(a) || isTLS(b) {
		if !clientHello(a) && clientHello(b) {
			c.dirs[0], c.dirs[1] = c.dirs[1], c.dirs[0]
			a, b = b, a
		}
		plain, err := decrypt(a, b, keys)
		for dir, s := range plain {
			split(s, c.dirs[dir], true, found)
		}
		if err != nil {
			return "TLS: " + err.Error()
		}
		return ""
	}
	for dir, pieces := range [][]piece{a, b} {
		for _, s := range pieces {
			split(s, c.dirs[dir], false, found)
		}
	}
	return ""
}

// split cuts a stretch of a stream into messages. Where it finds no header it
// goes on at the next place that looks like one.
func split(s piece, f *flow, encrypted bool, found func(Message)) {
	for at := 0; at < len(s.data); {
		h, err := v2gtp.ParseHeader(s.data[at:])
		if err != nil || h.Length > maxPayload {
			next := bytes.Index(s.data[at+1:], []byte{0x01, 0xfe})
			if next < 0 {
				return
			}
			at += 1 + next
			continue
		}
		end := at + v2gtp.HeaderLen + int(h.Length)
		if end > len(s.data) {
			return
		}
		frame := s.frameAt(end - 1)
		found(Message{
			Frame: frame.Number, Time: frame.Time, Src: f.src, Dst: f.dst, Encrypted: encrypted,
			Type: h.Type, Payload: s.data[at+v2gtp.HeaderLen : end],
		})
		at = end
	}
}
