package reliability

import (
	"context"
	"iter"
	"slices"
	"sync"

	"parley/journal"
	"parley/room"
)

// plant puts the bug between the hub and its store.
func (b bug) plant(s journal.Store) journal.Store {
	switch b {
	case ackEarly:
		return newEarly(s)
	case moves:
		return swapping{s}
	case sound, noDedup:
	}
	return s
}

// early acknowledges when a batch is encoded, and writes it later. It holds back a writer who is too far ahead of the
// disk, so that it loses entries and not its clients.
type early struct {
	journal.Store
	mu      sync.Mutex
	changed *sync.Cond
	waiting []journal.Batch
	taken   int // batches ever accepted
	written int // batches ever written
	writing bool
}

func newEarly(s journal.Store) *early {
	e := &early{Store: s}
	e.changed = sync.NewCond(&e.mu)
	return e
}

const (
	lag  = 8       // how many batches wait before any is written
	most = 4 * lag // how many may wait
)

func (e *early) Append(_ context.Context, b journal.Batch) error {
	if _, err := journal.AppendRecord(nil, &b); err != nil { // fills in the hashes
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.waiting) >= most {
		e.changed.Wait()
	}
	b.Entries = slices.Clone(b.Entries)
	e.waiting = append(e.waiting, b)
	e.taken++
	if len(e.waiting) >= lag {
		e.start()
	}
	return nil
}

func (e *early) start() {
	if !e.writing {
		e.writing = true
		go e.write()
	}
}

// write writes what waits.
func (e *early) write() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.waiting) > 0 {
		b := e.waiting[0]
		e.waiting = e.waiting[1:]
		e.mu.Unlock()
		if err := e.Store.Append(context.Background(), b); err != nil {
			panic(err)
		}
		e.mu.Lock()
		e.written++
		e.changed.Broadcast()
	}
	e.writing = false
}

// flush waits until all that was accepted before is written.
func (e *early) flush() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for upTo := e.taken; e.written < upTo; e.changed.Wait() {
		e.start()
	}
}

func (e *early) Read(ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	e.flush()
	return e.Store.Read(ctx, id, after)
}

func (e *early) Close() error {
	e.flush()
	return e.Store.Close()
}

// swapping exchanges the first two messages of a batch on their way to the disk.
type swapping struct{ journal.Store }

func (s swapping) Append(ctx context.Context, b journal.Batch) error {
	told := b.Entries
	b.Entries = slices.Clone(told)
	var posted []int
	for i, e := range b.Entries {
		if v, ok := e.Event.(room.MessagePosted); ok && len(v.Mentions) == 0 {
			posted = append(posted, i)
		}
	}
	if len(posted) >= 2 {
		x, y := &b.Entries[posted[0]], &b.Entries[posted[1]]
		x.By, x.Cause, x.Event, y.By, y.Cause, y.Event = y.By, y.Cause, y.Event, x.By, x.Cause, x.Event
	}
	err := s.Store.Append(ctx, b)
	for i := range told {
		told[i].Hash = b.Entries[i].Hash
	}
	return err
}
