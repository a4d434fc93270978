package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
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

// meterKey is the key of a simulated meter that signs. It is made once and kept, as a real meter's is burnt in.
func meterKey(dir, evse string) (*ecdsa.PrivateKey, error) {
	name := filepath.Join(dir, "simulated-meters", evse+".key")
	der, err := os.ReadFile(name)
	if err == nil {
		key, err := x509.ParseECPrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("key of a simulated meter, %s: %w; remove it for a new one", name, err)
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key of a simulated meter: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err == nil {
		der, err = x509.MarshalECPrivateKey(key)
	}
	if err == nil {
		err = os.WriteFile(name, der, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("key of a simulated meter: %w", err)
	}
	return key, nil
}
