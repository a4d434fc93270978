// Package fileinput is the driver of digital inputs that the kernel shows as files, such as
// /sys/class/gpio/gpio17/value: 1 is a closed contact, 0 an open one. cmd opens them; the balancer's poller reads them.
package fileinput

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
)

// Input is one file.
type Input struct {
	path   string
	invert bool
}

// New returns the input at path; invert has 1 mean open. The file is opened anew at each reading, so that one that comes
// later, or is replaced, is read.
func New(path string, invert bool) *Input { return &Input{path, invert} }

// Read returns true for a closed contact.
func (i *Input) Read(context.Context) (bool, error) {
	f, err := os.Open(i.path)
	if err != nil {
		return false, fmt.Errorf("digital input: %w; export the line, or correct its path", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, 16))
	if err != nil {
		return false, fmt.Errorf("digital input: %w", err)
	}
	switch string(bytes.TrimSpace(text)) {
	case "1":
		return !i.invert, nil
	case "0":
		return i.invert, nil
	}
	return false, fmt.Errorf("digital input %s holds %q; want 0 or 1", i.path, text)
}

// Close does nothing: no file is kept open.
func (i *Input) Close() error { return nil }
