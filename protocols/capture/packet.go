package capture

import (
	"encoding/binary"
	"net/netip"
)

// Link types this package understands.
const (
	linkEthernet = 1
	linkRaw      = 101
	linkCooked   = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkCooked2  = 276
)

// IP protocol numbers.
const (
	protoTCP = 6
	protoUDP = 17
)

// packet is a UDP datagram or TCP segment.
type packet struct {
	frame    *Frame
	src, dst netip.AddrPort
	tcp      bool
	seq      uint32 // TCP only
	syn      bool
	payload  []byte
}

// parsePacket takes a frame apart. It reports false for anything but UDP and
// TCP over IP.
func parsePacket(f *Frame) (packet, bool) {
	typ, b := networkLayer(f)
	p := packet{frame: f}
	var proto byte
	var src, dst netip.Addr
	switch typ {
	case 0x86dd:
		src, dst, proto, b = parseIPv6(b)
	case 0x0800:
		src, dst, proto, b = parseIPv4(b)
	default:
		return p, false
	}
	switch {
	case proto == protoUDP && len(b) >= 8:
		n := int(binary.BigEndian.Uint16(b[4:]))
		if n < 8 || n > len(b) {
			n = len(b)
		}
		p.payload = b[8:n]
	case proto == protoTCP && len(b) >= 20:
		head := int(b[12]>>4) * 4
		if head < 20 || head > len(b) {
			return p, false
		}
		p.tcp, p.seq, p.syn = true, binary.BigEndian.Uint32(b[4:]), b[13]&2 != 0
		p.payload = b[head:]
	default:
		return p, false
	}
	p.src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(b))
	p.dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:]))
	return p, true
}

// networkLayer returns the EtherType and what follows the link header.
func networkLayer(f *Frame) (uint16, []byte) {
	b, head := f.Data, 14
	switch f.Link {
	case linkEthernet:
	case linkCooked:
		head = 16
	case linkCooked2:
		if len(b) < 20 {
			return 0, nil
		}
		return binary.BigEndian.Uint16(b), b[20:]
	case linkRaw, linkIPv4, linkIPv6:
		if len(b) > 0 && b[0]>>4 == 4 {
			return 0x0800, b
		}
		return 0x86dd, b
	default:
		return 0, nil
	}
	if len(b) < head {
		return 0, nil
	}
	typ := binary.BigEndian.Uint16(b[head-2:])
	b = b[head:]
	for (typ == 0x8100 || typ == 0x88a8) && len(b) >= 4 {
		typ, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	return typ, b
}

func parseIPv4(b []byte) (src, dst netip.Addr, proto byte, payload []byte) {
	if len(b) < 20 {
		return
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if fragment := binary.BigEndian.Uint16(b[6:]) & 0x3fff; fragment != 0 || head < 20 || total < head || head > len(b) {
		return
	}
	return netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9], b[head:min(total, len(b))]
}

func parseIPv6(b []byte) (src, dst netip.Addr, proto byte, payload []byte) {
	if len(b) < 40 {
		return
	}
	src, dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	proto = b[6]
	payload = b[40:min(len(b), 40+int(binary.BigEndian.Uint16(b[4:])))]
	for proto == 0 || proto == 43 || proto == 60 { // extension headers
		if len(payload) < 8 {
			return src, dst, 0, nil
		}
		n := 8 + int(payload[1])*8
		if n > len(payload) {
			return src, dst, 0, nil
		}
		proto, payload = payload[0], payload[n:]
	}
	return src, dst, proto, payload
}
