package openai

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/seam"
)

// errSilent is the cause of a call that was ended because nothing came any more.
var errSilent = errors.New("the provider went silent")

// A watch ends a call that stays silent for too long. Words only note the time; a timer compares when it fires.
type watch struct {
	cancel context.CancelCauseFunc
	clock  seam.Clock

	mu     sync.Mutex
	limit  time.Duration // negative means none
	last   time.Time
	timer  seam.Timer
	paused bool // the caller has the turn: what passes is not the provider's silence
	fired  bool // the call was ended for its silence
	over   bool
}

// watch begins a call: its context ends with ctx, with stop, or for silence.
func (m *Model) watch(ctx context.Context) (context.Context, *watch) {
	w := &watch{clock: m.cfg.Clock, limit: m.cfg.Silence, last: m.cfg.Clock.Now()}
	ctx, w.cancel = context.WithCancelCause(ctx)
	if w.limit > 0 {
		w.timer = w.clock.AfterFunc(w.limit, w.check)
	}
	return ctx, w
}

// heard notes that something was said. It ends a pause.
func (w *watch) heard() {
	now := w.clock.Now()
	w.mu.Lock()
	w.last, w.paused = now, false
	w.mu.Unlock()
}

// pause stops counting until something is heard.
func (w *watch) pause() {
	w.mu.Lock()
	w.paused = true
	w.mu.Unlock()
}

// hurry sets another limit, counted from now.
func (w *watch) hurry(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.limit, w.last = limit, w.clock.Now()
	w.timer = w.clock.AfterFunc(limit, w.check)
}

func (w *watch) check() {
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

// stop ends the call and the watch.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.cancel(context.Canceled)
}

// silent reports whether the watch ended the call.
func (w *watch) silent() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fired
}
