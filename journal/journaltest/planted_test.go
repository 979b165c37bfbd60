package journaltest

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"parley/journal"
	"parley/journal/memory"
	"parley/room"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSuiteSees plants one bug after the other in a store, and wants the suite to fail for each.
func TestSuiteSees(t *testing.T) {
	if failed := failure(plant(func(*buggy) {})); failed != "" {
		t.Fatalf("a sound store fails %s", failed)
	}
	for name, bug := range map[string]func(*buggy){
		"reads out of order":            func(s *buggy) { s.read = swapped },
		"reads with a hole":             func(s *buggy) { s.read = holed },
		"reads twice":                   func(s *buggy) { s.read = doubled },
		"reads from the wrong place":    func(s *buggy) { s.read = oneLater },
		"reads without the newest":      func(s *buggy) { s.read = stale },
		"reads without hashes":          func(s *buggy) { s.read = each(func(e *room.Entry) { e.Hash = room.Hash{} }) },
		"shows private entries to all":  func(s *buggy) { s.read = each(func(e *room.Entry) { e.To = nil }) },
		"drops what it does not know":   func(s *buggy) { s.read = known },
		"reads on when nobody listens":  func(s *buggy) { s.read = deaf },
		"reads when it is closed":       func(s *buggy) { s.read = after },
		"reads when it is cancelled":    func(s *buggy) { s.read = uncancelled },
		"ignores the swap":              func(s *buggy) { s.append = careless },
		"compares offsets only":         func(s *buggy) { s.append = hashless },
		"acknowledges and drops":        func(s *buggy) { s.append = forgetful },
		"appends half a batch":          func(s *buggy) { s.append = half },
		"appends twice":                 func(s *buggy) { s.append = twice },
		"says conflict for anything":    func(s *buggy) { s.append = grumpy },
		"appends what it refuses":       func(s *buggy) { s.append = sly },
		"appends when it is cancelled":  func(s *buggy) { s.append = uncancelledAppend },
		"leaves the hashes to others":   func(s *buggy) { s.append = unhashed },
		"lists private rooms":           func(s *buggy) { s.cards = indiscreet },
		"lists the oldest first":        func(s *buggy) { s.cards = backwards },
		"lists from the start again":    func(s *buggy) { s.cards = pageless },
		"keeps members who left":        func(s *buggy) { s.append = clingy },
		"keeps the first card":          func(s *buggy) { s.append = firstCard },
		"wakes too early":               func(s *buggy) { s.cards = early },
		"has one epoch for all":         func(s *buggy) { s.epoch = "always" },
		"forgets the last batch":        func(s *buggy) { s.lossy = true },
		"takes another epoch each time": func(s *buggy) { s.moody = true },
		"fails when it is closed twice": func(s *buggy) { s.touchy = true },
	} {
		t.Run(name, func(t *testing.T) {
			failed := failure(plant(bug))
			if failed == "" {
				t.Error("not seen")
			}
			t.Log(failed)
		})
	}
}

// recorder is a T that notes failure, and ends the test's goroutine as testing does.
type recorder struct {
	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // it imitates testing.T, which has one
	failed  bool
	cleanup []func()
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Cleanup(f func())         { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Errorf(string, ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failure names the first case that the driver fails.
func failure(d Driver) string {
	for _, c := range cases {
		if fails(c, d) {
			return c.name
		}
	}
	return ""
}

func fails(c testCase, d Driver) bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := &recorder{ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v", p)
			}
		}()
		c.run(r, d)
	}()
	<-done
	for _, f := range slices.Backward(r.cleanup) {
		f()
	}
	return r.failed
}

// A buggy store is a sound one, except where it is not.
type buggy struct {
	*memory.Store
	append func(*buggy, context.Context, journal.Batch) error
	read   func(*buggy, context.Context, room.ID, room.Offset) iter.Seq2[room.Entry, error]
	cards  func(*buggy, context.Context, journal.Query) iter.Seq2[room.Card, error]
	epoch  string
	lossy  bool // reopening loses the last batch
	moody  bool // reopening changes the epoch
	touchy bool

	mu     sync.Mutex
	done   []journal.Batch
	seen   map[room.ID]bool
	closed atomic.Bool
}

// plant makes a driver whose stores have the bug. Reopening writes again what was acknowledged.
func plant(bug func(*buggy)) Driver {
	open := func() *buggy {
		s := &buggy{Store: memory.New(), seen: map[room.ID]bool{}}
		bug(s)
		if s.epoch == "" {
			s.epoch = s.Store.Epoch()
		}
		return s
	}
	return Driver{
		Open: func(T) journal.Store { return open() },
		Reopen: func(t T, old journal.Store) journal.Store {
			was, s := old.(*buggy), open()
			if !was.moody {
				s.epoch = was.epoch
			}
			batches := was.done
			if was.lossy {
				batches = batches[:len(batches)-1]
			}
			for _, b := range batches {
				if err := s.Append(t.Context(), b); err != nil {
					t.Fatalf("%v", err)
				}
			}
			return s
		},
	}
}

func (s *buggy) Epoch() string { return s.epoch }

func (s *buggy) Close() error {
	if s.touchy && s.closed.Load() {
		return errors.New("closed already")
	}
	s.closed.Store(true)
	return s.Store.Close()
}

func (s *buggy) Append(ctx context.Context, b journal.Batch) error {
	f := func(s *buggy, ctx context.Context, b journal.Batch) error { return s.Store.Append(ctx, b) }
	if s.append != nil {
		f = s.append
	}
	err := f(s, ctx, b)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.done = append(s.done, b)
	}
	return err
}

func (s *buggy) Read(ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	if s.read != nil {
		return s.read(s, ctx, id, after)
	}
	return s.Store.Read(ctx, id, after)
}

func (s *buggy) Cards(ctx context.Context, q journal.Query) iter.Seq2[room.Card, error] {
	if s.cards != nil {
		return s.cards(s, ctx, q)
	}
	return s.Store.Cards(ctx, q)
}

func (s *buggy) all(ctx context.Context, id room.ID, after room.Offset) (entries []room.Entry, err error) {
	for e, err := range s.Store.Read(ctx, id, after) {
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}
