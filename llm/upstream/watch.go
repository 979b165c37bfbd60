package upstream

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/seam"
)

// errSilent is the cause of a call that was ended because nothing came any more.
var errSilent = errors.New("the provider went silent")

// A Watch ends a call whose provider says nothing for too long. What counts is what Heard is told of: bytes without a
// word are silence. While the caller is busy with what was said (Pause to Resume), nobody is waiting. Noting the time is
// cheap; a timer compares when it fires. Its methods may be called from any goroutine.
type Watch struct {
	cancel context.CancelCauseFunc
	clock  seam.Clock

	mu     sync.Mutex
	limit  time.Duration // not positive means none
	last   time.Time
	timer  seam.Timer
	paused bool
	fired  bool // the call was ended for its silence
	over   bool
}

// NewWatch begins a call: its context ends with ctx, with Stop, or when limit passes in silence. A limit that is not
// positive is none. Stop has to be called.
func NewWatch(ctx context.Context, clock seam.Clock, limit time.Duration) (context.Context, *Watch) {
	w := &Watch{clock: clock, limit: limit, last: clock.Now()}
	ctx, w.cancel = context.WithCancelCause(ctx)
	if limit > 0 {
		w.mu.Lock() // against a check that comes before its timer is kept
		defer w.mu.Unlock()
		w.timer = clock.AfterFunc(limit, w.check)
	}
	return ctx, w
}

// Heard notes that the provider said something.
func (w *Watch) Heard() {
	now := w.clock.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = now
}

// Pause stops counting, until Resume.
func (w *Watch) Pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused = true
}

// Resume counts from now on.
func (w *Watch) Resume() {
	now := w.clock.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused, w.last = false, now
}

// Hurry sets another limit, counted from now.
func (w *Watch) Hurry(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.limit, w.last = limit, w.clock.Now()
	w.timer = w.clock.AfterFunc(limit, w.check)
}

func (w *Watch) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	left := w.limit - w.clock.Now().Sub(w.last)
	if w.paused {
		left = w.limit
	}
	if left > 0 {
		w.timer = w.clock.AfterFunc(left, w.check)
		return
	}
	w.fired = true
	w.cancel(errSilent)
}

// Stop ends the call and the watch.
func (w *Watch) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.cancel(context.Canceled)
}

// Silent reports whether the watch ended the call.
func (w *Watch) Silent() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fired
}
