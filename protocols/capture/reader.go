package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Frame is one captured frame.
type Frame struct {
	Number int // from 1, in file order
	Time   time.Time
	Link   uint16 // link type, as registered for pcap files
	Data   []byte
}

// maxBlock bounds what a file may announce as the length of one block, in
// octets.
const maxBlock = 64 << 20

// ErrFormat means that the input is neither pcap nor pcapng.
var ErrFormat = errors.New("capture: neither pcap nor pcapng")

// Read calls frame for every frame of a capture in pcap or pcapng format, and
// secrets for every block of TLS keys that a pcapng file carries.
func Read(r io.Reader, frame func(Frame), secrets func([]byte)) error {
	br := bufio.NewReader(r)
	magic, err := br.Peek(4)
	if err != nil {
		return ErrFormat
	}
	switch binary.LittleEndian.Uint32(magic) {
	case 0x0a0d0d0a:
		return readPcapng(br, frame, secrets)
	case 0xa1b2c3d4:
		return readPcap(br, binary.LittleEndian, time.Microsecond, frame)
	case 0xa1b23c4d:
		return readPcap(br, binary.LittleEndian, time.Nanosecond, frame)
	case 0xd4c3b2a1:
		return readPcap(br, binary.BigEndian, time.Microsecond, frame)
	case 0x4d3cb2a1:
		return readPcap(br, binary.BigEndian, time.Nanosecond, frame)
	}
	return ErrFormat
}

func readPcap(r io.Reader, order binary.ByteOrder, unit time.Duration, frame func(Frame)) error {
	var head [24]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("capture: file header: %w", err)
	}
	link := uint16(order.Uint32(head[20:]))
	for n := 1; ; n++ {
		var rec [16]byte
		if _, err := io.ReadFull(r, rec[:]); err != nil {
			return endOfFile(err)
		}
		size := order.Uint32(rec[8:])
		if size > maxBlock {
			return fmt.Errorf("capture: frame %d announces %d octets", n, size)
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(r, data); err != nil {
			return endOfFile(err)
		}
		t := time.Unix(int64(order.Uint32(rec[0:])), int64(order.Uint32(rec[4:]))*int64(unit)).UTC()
		frame(Frame{Number: n, Time: t, Link: link, Data: data})
	}
}

// endOfFile turns the end of a file, also one that was cut off, into success.
func endOfFile(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return fmt.Errorf("capture: %w", err)
}
