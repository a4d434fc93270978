package capture

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// open opens a published capture, or skips.
func open(t *testing.T, name string) *os.File {
	dir := os.Getenv("VOLTYARD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(dir, "vectors", "captures", name))
	if err != nil {
		t.Skipf("published captures are not here (%s); set VOLTYARD_SHARED to the folder that has them", name)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestPublishedCaptures counts the messages of recorded sessions, in clear text
// and through TLS with the keys inside the capture.
func TestPublishedCaptures(t *testing.T) {
	for name, want := range map[string]struct{ all, encrypted int }{
		"audi-dc-iso2.pcap":                          {1494, 0},
		"tesla-3-din.pcap":                           {4430, 0},
		"vw-ac-iso2.pcap":                            {20, 0},
		"dspace/ISO-20_TLS13_DC_DS5366_Josev.pcapng": {114, 112},
		"dspace/ISO-20_mTLS_DC_DS5366_Josev.pcapng":  {112, 110},
		"dspace/ISO-2_AC_PnC_TLS_Contract_MeteringReceipt_DS5366_RiseV2G.pcapng": {64, 62},
	} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			ms, notes, err := Messages(open(t, name), nil)
			if err != nil || len(notes) > 0 {
				t.Fatalf("%v, %v", notes, err)
			}
			encrypted := 0
			for _, m := range ms {
				if m.Encrypted {
					encrypted++
				}
				if err := (v2gtp.Header{Type: m.Type, Length: uint32(len(m.Payload))}).Check(); err != nil {
					t.Errorf("frame %d: %v", m.Frame, err)
				}
			}
			if len(ms) != want.all || encrypted != want.encrypted {
				t.Errorf("%d messages, %d of them encrypted; want %d and %d", len(ms), encrypted, want.all, want.encrypted)
			}
		})
	}
}

// frame builds an Ethernet frame with a TCP segment.
func frame(src, dst netip.AddrPort, seq uint32, flags byte, payload []byte) []byte {
	b := make([]byte, 14, 128)
	binary.BigEndian.PutUint16(b[12:], 0x86dd)
	ip := make([]byte, 40)
	ip[0], ip[6] = 0x60, protoTCP
	binary.BigEndian.PutUint16(ip[4:], uint16(20+len(payload)))
	s, d := src.Addr().As16(), dst.Addr().As16()
	copy(ip[8:], s[:])
	copy(ip[24:], d[:])
	tcp := make([]byte, 20)
	binary.BigEndian.PutUint16(tcp, src.Port())
	binary.BigEndian.PutUint16(tcp[2:], dst.Port())
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12], tcp[13] = 5<<4, flags
	return append(append(append(b, ip...), tcp...), payload...)
}

// pcap writes frames as a pcap file.
func pcap(frames ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0)
	for i, f := range frames {
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b
}

// TestReassembly puts segments together that arrive twice, out of order and
// across the end of the sequence numbers.
func TestReassembly(t *testing.T) {
	ev, secc := netip.MustParseAddrPort("[fe80::1]:50000"), netip.MustParseAddrPort("[fe80::2]:61000")
	var stream []byte
	for i := range 3 {
		payload := bytes.Repeat([]byte{0x80 + byte(i)}, 10+i)
		stream = append(v2gtp.AppendHeader(stream, v2gtp.EXI, len(payload)), payload...)
	}
	start := uint32(0xfffffff0)
	seg := func(from, to int) []byte { return frame(ev, secc, start+1+uint32(from), 0x18, stream[from:to]) }
	file := pcap(
		frame(ev, secc, start, 2, nil),
		seg(0, 12), seg(30, len(stream)), seg(0, 12), seg(10, 30),
	)
	ms, notes, err := Messages(bytes.NewReader(file), nil)
	if err != nil || len(notes) > 0 || len(ms) != 3 {
		t.Fatalf("%d messages, %v, %v", len(ms), notes, err)
	}
	for i, m := range ms {
		if m.Frame != 5 {
			t.Errorf("message %d was complete with frame %d", i, m.Frame)
		}
		if m.Src != ev || m.Dst != secc || len(m.Payload) != 10+i || m.Payload[0] != 0x80+byte(i) {
			t.Errorf("message %d: %+v", i, m)
		}
	}
}

func TestNotACapture(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("hello, world"), {0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0}} {
		ms, _, err := Messages(bytes.NewReader(b), nil)
		if err == nil && len(ms) > 0 {
			t.Errorf("%x has %d messages", b, len(ms))
		}
	}
}

func FuzzMessages(f *testing.F) {
	ev, secc := netip.MustParseAddrPort("[fe80::1]:50000"), netip.MustParseAddrPort("[fe80::2]:61000")
	f.Add(pcap(frame(ev, secc, 1, 0x18, v2gtp.AppendHeader(nil, v2gtp.EXI, 0))))
	f.Add(pcap(frame(ev, secc, 1, 0x18, []byte{22, 3, 3, 0, 4, 1, 0, 0, 0})))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = Messages(bytes.NewReader(b), bytes.NewReader([]byte("CLIENT_RANDOM 00 00\n")))
	})
}
