package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Record types of TLS.
const (
	recordChangeCipher = 20
	recordHandshake    = 22
	recordApplication  = 23
)

// Handshake types.
const (
	helloClient = 1
	helloServer = 2
	finished    = 20
	keyUpdate   = 24
)

var errNoKeys = errors.New("no keys for this connection")

// record is one TLS record.
type record struct {
	typ     byte
	version uint16
	header  []byte
	body    []byte
	end     int // index after it in the piece
}

// isTLS reports whether a stream begins with a TLS handshake record.
func isTLS(s []piece) bool {
	return len(s) > 0 && len(s[0].data) > 5 && s[0].data[0] == recordHandshake && s[0].data[1] == 3 && s[0].data[2] <= 4
}

func clientHello(s []piece) bool { return isTLS(s) && s[0].data[5] == helloClient }

// records splits a stream into records.
func records(data []byte) []record {
	var out []record
	for at := 0; at+5 <= len(data); {
		n := int(binary.BigEndian.Uint16(data[at+3:]))
		end := at + 5 + n
		if end > len(data) {
			break
		}
		out = append(out, record{data[at], binary.BigEndian.Uint16(data[at+1:]), data[at : at+5], data[at+5 : end], end})
		at = end
	}
	return out
}

// hello is what the decryption needs to know of the handshake.
type hello struct {
	clientRandom, serverRandom []byte
	suite                      uint16
	tls13                      bool
	encryptThenMAC             bool
}

// readHello finds the client's and the server's hello.
func readHello(client, server []record) (hello, error) {
	var h hello
	c := handshake(client, helloClient)
	s := handshake(server, helloServer)
	if len(c) < 34 || len(s) < 38 {
		return h, errors.New("the handshake is not in the capture")
	}
	h.clientRandom, h.serverRandom = c[2:34], s[2:34]
	rest := s[34:]
	sid := int(rest[0])
	if len(rest) < 1+sid+3 {
		return h, errors.New("malformed ServerHello")
	}
	rest = rest[1+sid:]
	h.suite = binary.BigEndian.Uint16(rest)
	if rest = rest[3:]; len(rest) >= 2 {
		h.extensions(rest[2:])
	}
	return h, nil
}

func (h *hello) extensions(b []byte) {
	for len(b) >= 4 {
		typ, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if len(b) < 4+n {
			return
		}
		switch {
		case typ == 43 && n == 2:
			h.tls13 = binary.BigEndian.Uint16(b[4:]) == 0x0304
		case typ == 22:
			h.encryptThenMAC = true
		}
		b = b[4+n:]
	}
}

// handshake returns the body of the last plain handshake message of a type, so
// that after a HelloRetryRequest the final hello counts.
func handshake(rs []record, want byte) (body []byte) {
	var stream []byte
	for _, r := range rs {
		if r.typ == recordHandshake {
			stream = append(stream, r.body...)
		} else if r.typ == recordApplication {
			break
		}
	}
	for len(stream) >= 4 {
		n := int(stream[1])<<16 | int(stream[2])<<8 | int(stream[3])
		if len(stream) < 4+n {
			break
		}
		if stream[0] == want {
			body = stream[4 : 4+n]
		}
		stream = stream[4+n:]
	}
	return body
}

// opener decrypts the records of one direction in order. It returns the inner
// type and the plain text.
type opener interface {
	open(r record) (typ byte, plain []byte, err error)
}

// decrypt returns the application data of both directions.
func decrypt(client, server []piece, keys *KeyLog) (out [2]piece, err error) {
	if len(client) == 0 || len(server) == 0 {
		return out, errors.New("only one direction was captured")
	}
	c, s := records(client[0].data), records(server[0].data)
	h, err := readHello(c, s)
	if err != nil {
		return out, err
	}
	var dirs [2]opener
	if h.tls13 {
		dirs, err = open13(h, keys)
	} else {
		dirs, err = open12(h, keys)
	}
	if err != nil {
		return out, err
	}
	var errs [2]error
	out[0], errs[0] = applicationData(&client[0], c, dirs[0], h.tls13)
	out[1], errs[1] = applicationData(&server[0], s, dirs[1], h.tls13)
	if len(client) > 1 || len(server) > 1 {
		errs[0] = errors.Join(errs[0], errors.New("octets are missing in the capture"))
	}
	return out, errors.Join(errs[0], errs[1])
}

// applicationData decrypts one direction.
func applicationData(src *piece, rs []record, o opener, tls13 bool) (piece, error) {
	var out piece
	encrypted := false
	for i, r := range rs {
		if r.typ == recordChangeCipher {
			encrypted = !tls13 || encrypted
			continue
		}
		if tls13 {
			encrypted = r.typ == recordApplication
		}
		if !encrypted {
			continue
		}
		typ, plain, err := o.open(r)
		if err != nil {
			return out, fmt.Errorf("record %d: %w", i+1, err)
		}
		if typ == recordApplication && len(plain) > 0 {
			out.data = append(out.data, plain...)
			out.marks = append(out.marks, mark{len(out.data), src.frameAt(r.end - 1)})
		}
	}
	return out, nil
}
