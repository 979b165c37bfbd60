package talk

import (
	"context"
	"sync"
	"time"

	"parley/seam"
)

// A watch ends a call whose model says nothing for too long. Its one timer is set anew when it fires, not with each
// word, so that a word costs a look at the clock and no more.
type watch struct {
	clock  seam.Clock
	limit  time.Duration
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	last  time.Time
	timer seam.Timer
	over  bool // the call was ended
	done  bool // nobody is interested any more
}

// watchSilence starts a watch, which calls cancel after limit without a word.
func watchSilence(clock seam.Clock, limit time.Duration, cancel context.CancelCauseFunc) *watch {
	w := &watch{clock: clock, limit: limit, cancel: cancel, last: clock.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = clock.AfterFunc(limit, w.look)
	return w
}

// heard notes that the model said something and returns when.
func (w *watch) heard() time.Time {
	now := w.clock.Now()
	w.mu.Lock()
	w.last = now
	w.mu.Unlock()
	return now
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return
	}
	if left := w.limit - w.clock.Now().Sub(w.last); left > 0 {
		w.timer = w.clock.AfterFunc(left, w.look)
		return
	}
	w.over = true
	w.cancel(ErrSilent)
}

// stop ends the watch and reports whether it ended the call.
func (w *watch) stop() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
	w.timer.Stop()
	return w.over
}
