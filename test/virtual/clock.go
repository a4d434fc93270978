package virtual

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// Clock is a clock as an operating system has it: its wall time can be set, its monotonic reading only goes on. In virtual time
// time.Now has no monotonic reading, and nothing in package time makes one, so that it is put together here.
type Clock struct {
	begun time.Time
	off   atomic.Int64
}

// NewClock returns a clock that is right. Make it inside of Test.
func NewClock() *Clock { return &Clock{begun: time.Now()} }

// Set has the wall time be off by d from now on; positive is ahead.
func (c *Clock) Set(d time.Duration) { c.off.Store(int64(d)) }

// Off is by how much the wall time is off.
func (c *Clock) Off() time.Duration { return time.Duration(c.off.Load()) }

// Now is time.Now by this clock. A Time with a monotonic reading has a flag in bit 63, the wall seconds since 1885 in bits 30 to
// 62, the nanoseconds below, and the monotonic nanoseconds beside.
func (c *Clock) Now() time.Time {
	wall := time.Now().Add(c.Off())
	var t time.Time
	type parts struct {
		wall uint64
		ext  int64
	}
	p := (*parts)(unsafe.Pointer(&t))
	since1885 := wall.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	p.wall = 1<<63 | uint64(since1885)<<30 | uint64(wall.Nanosecond())
	p.ext = int64(time.Since(c.begun)) + 1
	return t
}
