// Package seam holds the places where a test takes the world's part: the clock and named crash points.
//
// The file system's seam is pebble's vfs.FS (package embedded), the model's is llm.Model, the bus is fanout.Bus.
package seam

import (
	"context"
	"time"
)

// A Clock tells the time. The zero Clock does not exist: pass Real() or a test's own.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in its own goroutine after d, unless the timer is stopped before.
	AfterFunc(d time.Duration, f func()) Timer
}

// A Timer is a call that has not been made yet.
type Timer interface {
	// Stop reports whether it prevented the call.
	Stop() bool
}

// Real returns the machine's clock.
func Real() Clock { return realClock{} }

type realClock struct{}

func (realClock) Now() time.Time                            { return time.Now() }
func (realClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// Every calls f again and again, d after the last call returned, until ctx ends.
func Every(ctx context.Context, c Clock, d time.Duration, f func()) {
	tick := make(chan struct{}, 1)
	for {
		t := c.AfterFunc(d, func() { tick <- struct{}{} })
		select {
		case <-tick:
			f()
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}
