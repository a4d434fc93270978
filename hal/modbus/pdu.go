package modbus

import (
	"encoding/binary"
	"fmt"
)

// Function codes (Application Protocol, section 6).
const (
	readCoils      = 1
	readDiscrete   = 2
	readHolding    = 3
	readInput      = 4
	writeCoil      = 5
	writeRegister  = 6
	writeCoils     = 15
	writeRegisters = 16
	readWrite      = 23
	exceptionBit   = 0x80
)

// Largest quantities of one request (Application Protocol, sections 6.1 to 6.17).
const (
	maxReadBits       = 2000
	maxReadRegisters  = 125
	maxWriteBits      = 1968
	maxWriteRegisters = 123
	maxRWWrite        = 121
	maxPDU            = 253
)

// be appends registers in the order of the wire.
func be(b []byte, regs ...uint16) []byte {
	for _, r := range regs {
		b = binary.BigEndian.AppendUint16(b, r)
	}
	return b
}

func outOf(what string, n, most int) error {
	return fmt.Errorf("%w: %d %s, want 1 to %d", ErrRequest, n, what, most)
}

// overflows reports whether n items from at leave the address space.
func overflows(at uint16, n int) bool { return int(at)+n > 1<<16 }

func requestRead(fn byte, at uint16, n int) ([]byte, error) {
	most, what := maxReadRegisters, "registers"
	if fn == readCoils || fn == readDiscrete {
		most, what = maxReadBits, "bits"
	}
	if n < 1 || n > most {
		return nil, outOf(what, n, most)
	}
	if overflows(at, n) {
		return nil, fmt.Errorf("%w: %d %s from %d leave the address space", ErrRequest, n, what, at)
	}
	return be([]byte{fn}, at, uint16(n)), nil
}

func requestWriteCoil(at uint16, on bool) []byte {
	v := uint16(0)
	if on {
		v = 0xFF00
	}
	return be([]byte{writeCoil}, at, v)
}

func requestWriteCoils(at uint16, bits []bool) ([]byte, error) {
	if len(bits) < 1 || len(bits) > maxWriteBits {
		return nil, outOf("bits", len(bits), maxWriteBits)
	}
	if overflows(at, len(bits)) {
		return nil, fmt.Errorf("%w: %d bits from %d leave the address space", ErrRequest, len(bits), at)
	}
	packed := make([]byte, (len(bits)+7)/8)
	for i, b := range bits {
		if b {
			packed[i/8] |= 1 << (i % 8)
		}
	}
	return append(append(be([]byte{writeCoils}, at, uint16(len(bits))), byte(len(packed))), packed...), nil
}

func requestWriteRegisters(at uint16, regs []uint16) ([]byte, error) {
	if len(regs) < 1 || len(regs) > maxWriteRegisters {
		return nil, outOf("registers", len(regs), maxWriteRegisters)
	}
	if overflows(at, len(regs)) {
		return nil, fmt.Errorf("%w: %d registers from %d leave the address space", ErrRequest, len(regs), at)
	}
	return be(append(be([]byte{writeRegisters}, at, uint16(len(regs))), byte(2*len(regs))), regs...), nil
}

func requestReadWrite(readAt uint16, n int, writeAt uint16, regs []uint16) ([]byte, error) {
	if n < 1 || n > maxReadRegisters {
		return nil, outOf("registers to read", n, maxReadRegisters)
	}
	if len(regs) < 1 || len(regs) > maxRWWrite {
		return nil, outOf("registers to write", len(regs), maxRWWrite)
	}
	if overflows(readAt, n) || overflows(writeAt, len(regs)) {
		return nil, fmt.Errorf("%w: the registers leave the address space", ErrRequest)
	}
	return be(append(be([]byte{readWrite}, readAt, uint16(n), writeAt, uint16(len(regs))), byte(2*len(regs))), regs...), nil
}

// check compares a response with its request: exception, function, length and, for writes, the echo.
func check(req, resp []byte) error {
	if len(resp) < 2 {
		return fmt.Errorf("%w: %d bytes", ErrFrame, len(resp))
	}
	if resp[0] == req[0]|exceptionBit {
		if len(resp) != 2 {
			return fmt.Errorf("%w: an exception of %d bytes", ErrFrame, len(resp))
		}
		return Exception(resp[1])
	}
	if resp[0] != req[0] {
		return fmt.Errorf("%w: function %d instead of %d", ErrFrame, resp[0], req[0])
	}
	want := responseLen(req)
	if len(resp) != want {
		return fmt.Errorf("%w: %d bytes instead of %d", ErrFrame, len(resp), want)
	}
	switch req[0] {
	case readCoils, readDiscrete, readHolding, readInput, readWrite:
		if int(resp[1]) != len(resp)-2 {
			return fmt.Errorf("%w: a byte count of %d in %d bytes", ErrFrame, resp[1], len(resp))
		}
	default: // writes repeat address and value, or address and quantity
		if string(resp) != string(req[:5]) {
			return fmt.Errorf("%w: the answer does not repeat the request", ErrFrame)
		}
	}
	return nil
}

// responseLen is the length of the response to a request that is granted.
func responseLen(req []byte) int {
	n := int(binary.BigEndian.Uint16(req[3:]))
	switch req[0] {
	case readCoils, readDiscrete:
		return 2 + (n+7)/8
	case readHolding, readInput, readWrite:
		return 2 + 2*n
	}
	return 5
}

func registers(payload []byte) []uint16 {
	out := make([]uint16, len(payload)/2)
	for i := range out {
		out[i] = binary.BigEndian.Uint16(payload[2*i:])
	}
	return out
}

func bits(payload []byte, n int) []bool {
	out := make([]bool, n)
	for i := range out {
		out[i] = payload[i/8]>>(i%8)&1 == 1
	}
	return out
}
