package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/voltyard/voltyard/hal/si"
)

// register is the memory of a simulated meter: two figures in a file, written with every change, which survive the process.
type register struct {
	imports, exports si.WattHours
	file             *os.File
}

func openRegister(dir, evse string) (*register, error) {
	dir = filepath.Join(dir, "simulated-meters")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("simulated meter: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, evse), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("simulated meter: %w", err)
	}
	r := &register{file: f}
	var b [16]byte
	if n, _ := f.ReadAt(b[:], 0); n == len(b) {
		r.imports = si.WattHours(math.Float64frombits(binary.LittleEndian.Uint64(b[:8])))
		r.exports = si.WattHours(math.Float64frombits(binary.LittleEndian.Uint64(b[8:])))
	}
	if !si.Finite(r.imports, r.exports) || r.imports < 0 || r.exports < 0 {
		r.imports, r.exports = 0, 0
	}
	return r, nil
}

// keep writes the registers in one piece.
func (r *register) keep(imports, exports si.WattHours) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], math.Float64bits(float64(imports)))
	binary.LittleEndian.PutUint64(b[8:], math.Float64bits(float64(exports)))
	_, _ = r.file.WriteAt(b[:], 0) // a simulated meter that forgets is no harm
}

func (r *register) close() { _ = r.file.Close() }
