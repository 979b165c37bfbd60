package embedded_test

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"

	"parley/journal"
	"parley/journal/embedded"
	"parley/room"
)

// TestWriteErrors lets the k-th write, sync, creation or renaming fail, for every k in the life of a small store, once
// or from then on. (A short run leaves some out.) What was acknowledged must be there when the folder is opened again, nothing more may be
// acknowledged, and reading must go on.
func TestWriteErrors(t *testing.T) {
	goleak.VerifyNone(t)
	causes := []error{syscall.EIO, syscall.ENOSPC}
	served := 0
	for k := 1; ; k += step(k) {
		f := &faulty{k: int64(k), cause: causes[k/2%2], once: k%2 == 0}
		reached, failed := f.run(t)
		if !reached {
			break
		}
		if failed {
			served++
		}
	}
	if served < 20 {
		t.Errorf("only %d errors reached a store that was open", served)
	}
	abandoned = append(abandoned, goleak.IgnoreCurrent()) // a store that has failed keeps what Pebble cannot let go of
}

// step visits every change in a soak, and a third of them otherwise.
func step(k int) int {
	if os.Getenv("SOAK") != "" {
		return 1
	}
	return 1 + k%5
}

// faulty is a disk whose k-th change fails.
type faulty struct {
	k     int64
	cause error
	once  bool
	ops   atomic.Int64
}

func (f *faulty) String() string { return "" }

func (f *faulty) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpRename, errorfs.OpLink, errorfs.OpFileWrite,
		errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		if n := f.ops.Add(1); n == f.k || n > f.k && !f.once {
			return f.cause
		}
	}
	return nil
}

func (f *faulty) run(t *testing.T) (reached, failed bool) {
	mem := vfs.NewMem()
	small := embedded.Config{Dir: "store", Logger: silent(), Cache: 64 << 10, Memtable: 16 << 10}
	small.FS = errorfs.Wrap(mem, f)
	var acked room.Offset
	l := &log{id: "talk"}
	s, err := embedded.Open(small)
	if err == nil {
		acked, failed = f.append(t, s, l)
		if err := s.Close(); failed && !errors.Is(err, embedded.ErrFailed) {
			t.Errorf("change %d: close: %v", f.k, err)
		}
	}
	reached = f.ops.Load() >= f.k

	small.FS = mem
	s, err = embedded.Open(small)
	if err != nil {
		t.Fatalf("change %d: open again: %v", f.k, err)
	}
	defer func() { _ = s.Close() }()
	if n := count(t, s, l.id); n < acked {
		t.Fatalf("change %d: %d entries, %d were acknowledged", f.k, n, acked)
	}
	return reached, failed
}

// append goes on until an append fails, and wants the next ones to fail, and the log to be readable.
func (f *faulty) append(t *testing.T, s *embedded.Store, l *log) (acked room.Offset, failed bool) {
	for range 40 {
		b := l.batch(12)
		if err := s.Append(context.Background(), b); err != nil {
			if !errors.Is(err, embedded.ErrFailed) || !errors.Is(err, f.cause) {
				t.Errorf("change %d: append: %v", f.k, err)
			}
			for range 2 {
				if err := s.Append(context.Background(), b); !errors.Is(err, embedded.ErrFailed) {
					t.Errorf("change %d: append after a failure: %v", f.k, err)
				}
			}
			if n := count(t, s, l.id); n != l.last {
				t.Errorf("change %d: reads %d entries after a failure, %d were acknowledged", f.k, n, l.last)
			}
			return l.last, true
		}
		l.took(b)
	}
	return l.last, false
}

func count(t *testing.T, s journal.Store, id room.ID) room.Offset {
	t.Helper()
	n := room.Offset(0)
	for _, err := range s.Read(context.Background(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
