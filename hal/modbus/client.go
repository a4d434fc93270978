package modbus

import (
	"context"
	"fmt"
)

// Client is one unit on a bus. It is safe for concurrent use.
type Client struct {
	bus  *Bus
	unit byte
}

// Client returns the unit with an address: 1 to 247 on a serial line, 0 or 255 for a TCP unit that has none.
func (b *Bus) Client(unit byte) *Client { return &Client{bus: b, unit: unit} }

// String names bus and unit.
func (c *Client) String() string { return fmt.Sprintf("%s unit %d", c.bus.link.name(), c.unit) }

func (c *Client) do(ctx context.Context, req []byte, repeat bool) ([]byte, error) {
	resp, err := c.bus.transact(ctx, c.unit, req, repeat)
	if err != nil {
		return nil, fmt.Errorf("modbus %s, function %d at %d: %w", c, req[0], int(req[1])<<8|int(req[2]), err)
	}
	return resp, nil
}

func (c *Client) read(ctx context.Context, fn byte, at uint16, n int) ([]byte, error) {
	req, err := requestRead(fn, at, n)
	if err != nil {
		return nil, err
	}
	return c.do(ctx, req, true)
}

// ReadCoils reads n coils, 1 to 2000 (function 1).
func (c *Client) ReadCoils(ctx context.Context, at uint16, n int) ([]bool, error) {
	resp, err := c.read(ctx, readCoils, at, n)
	if err != nil {
		return nil, err
	}
	return bits(resp[2:], n), nil
}

// ReadDiscrete reads n discrete inputs, 1 to 2000 (function 2).
func (c *Client) ReadDiscrete(ctx context.Context, at uint16, n int) ([]bool, error) {
	resp, err := c.read(ctx, readDiscrete, at, n)
	if err != nil {
		return nil, err
	}
	return bits(resp[2:], n), nil
}

// ReadHolding reads n holding registers, 1 to 125 (function 3).
func (c *Client) ReadHolding(ctx context.Context, at uint16, n int) ([]uint16, error) {
	resp, err := c.read(ctx, readHolding, at, n)
	if err != nil {
		return nil, err
	}
	return registers(resp[2:]), nil
}

// ReadInput reads n input registers, 1 to 125 (function 4).
func (c *Client) ReadInput(ctx context.Context, at uint16, n int) ([]uint16, error) {
	resp, err := c.read(ctx, readInput, at, n)
	if err != nil {
		return nil, err
	}
	return registers(resp[2:]), nil
}

// WriteCoil switches a coil (function 5). A write whose answer is lost is not repeated: whether it took effect is not known.
func (c *Client) WriteCoil(ctx context.Context, at uint16, on bool) error {
	_, err := c.do(ctx, requestWriteCoil(at, on), false)
	return err
}

// WriteRegister sets a holding register (function 6). It is not repeated.
func (c *Client) WriteRegister(ctx context.Context, at, value uint16) error {
	_, err := c.do(ctx, be([]byte{writeRegister}, at, value), false)
	return err
}

// WriteCoils switches 1 to 1968 coils (function 15). It is not repeated.
func (c *Client) WriteCoils(ctx context.Context, at uint16, on []bool) error {
	req, err := requestWriteCoils(at, on)
	if err == nil {
		_, err = c.do(ctx, req, false)
	}
	return err
}

// WriteRegisters sets 1 to 123 holding registers (function 16). It is not repeated.
func (c *Client) WriteRegisters(ctx context.Context, at uint16, values []uint16) error {
	req, err := requestWriteRegisters(at, values)
	if err == nil {
		_, err = c.do(ctx, req, false)
	}
	return err
}

// ReadWrite sets 1 to 121 holding registers and then reads n, 1 to 125, in one transaction (function 23). It is not repeated.
func (c *Client) ReadWrite(ctx context.Context, readAt uint16, n int, writeAt uint16, values []uint16) ([]uint16, error) {
	req, err := requestReadWrite(readAt, n, writeAt, values)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(ctx, req, false)
	if err != nil {
		return nil, err
	}
	return registers(resp[2:]), nil
}
