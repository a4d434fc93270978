package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"
)

// Block types of pcapng.
const (
	blockSection  = 0x0a0d0d0a
	blockInterf   = 1
	blockSimple   = 3
	blockEnhanced = 6
	blockSecrets  = 10
)

// secretsTLS is the type of a decryption secrets block with a TLS key log.
const secretsTLS = 0x544c534b

// iface is an interface description.
type iface struct {
	link  uint16
	units float64 // ticks of the time stamp in a second
}

// readPcapng reads sections of blocks.
func readPcapng(r io.Reader, frame func(Frame), secrets func([]byte)) error {
	order := binary.ByteOrder(binary.LittleEndian)
	var ifaces []iface
	number := 0
	for {
		var head [12]byte
		if _, err := io.ReadFull(r, head[:8]); err != nil {
			return endOfFile(err)
		}
		typ := binary.LittleEndian.Uint32(head[:])
		got := 8
		if typ == blockSection {
			if _, err := io.ReadFull(r, head[8:]); err != nil {
				return endOfFile(err)
			}
			got = 12
			order = binary.LittleEndian
			if binary.LittleEndian.Uint32(head[8:]) != 0x1a2b3c4d {
				order = binary.BigEndian
			}
			ifaces = nil
		} else {
			typ = order.Uint32(head[:])
		}
		size := order.Uint32(head[4:])
		if size < 12 || size > maxBlock || int(size) < got {
			return fmt.Errorf("capture: block of %d octets", size)
		}
		body := make([]byte, int(size)-got)
		if _, err := io.ReadFull(r, body); err != nil {
			return endOfFile(err)
		}
		body = body[:max(0, len(body)-4)]
		switch typ {
		case blockInterf:
			ifaces = append(ifaces, readInterface(order, body))
		case blockEnhanced, blockSimple:
			number++
			if f, ok := readPacket(order, typ, body, ifaces); ok {
				f.Number = number
				frame(f)
			}
		case blockSecrets:
			if len(body) >= 8 && order.Uint32(body) == secretsTLS {
				n := min(int(order.Uint32(body[4:])), len(body)-8)
				secrets(body[8 : 8+n])
			}
		}
	}
}

func readInterface(order binary.ByteOrder, body []byte) iface {
	f := iface{units: 1e6}
	if len(body) < 8 {
		return f
	}
	f.link = order.Uint16(body)
	for opts := body[8:]; len(opts) >= 4; {
		code, n := order.Uint16(opts), int(order.Uint16(opts[2:]))
		if code == 0 || len(opts) < 4+n {
			break
		}
		if code == 9 && n >= 1 { // time stamp resolution
			if v := opts[4]; v&0x80 != 0 {
				f.units = math.Pow(2, float64(v&0x7f))
			} else {
				f.units = math.Pow(10, float64(v))
			}
		}
		opts = opts[min(len(opts), 4+(n+3)&^3):]
	}
	return f
}

func readPacket(order binary.ByteOrder, typ uint32, body []byte, ifaces []iface) (Frame, bool) {
	if typ == blockSimple {
		if len(body) < 4 || len(ifaces) == 0 {
			return Frame{}, false
		}
		n := min(int(order.Uint32(body)), len(body)-4)
		return Frame{Link: ifaces[0].link, Data: body[4 : 4+n]}, true
	}
	if len(body) < 20 || int64(order.Uint32(body)) >= int64(len(ifaces)) {
		return Frame{}, false
	}
	f := ifaces[order.Uint32(body)]
	ticks := uint64(order.Uint32(body[4:]))<<32 | uint64(order.Uint32(body[8:]))
	n := min(int64(order.Uint32(body[12:])), int64(len(body)-20))
	sec, frac := math.Modf(float64(ticks) / f.units)
	if f.units == 1e6 {
		return Frame{Time: time.UnixMicro(int64(ticks)).UTC(), Link: f.link, Data: body[20 : 20+n]}, true
	}
	return Frame{Time: time.Unix(int64(sec), int64(frac*1e9)).UTC(), Link: f.link, Data: body[20 : 20+n]}, true
}
