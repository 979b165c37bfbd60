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

// early acknowledges when a batch is encoded, and writes it later.
type early struct {
	journal.Store
	mu      sync.Mutex
	idle    *sync.Cond
	waiting []journal.Batch
	writing bool
}

func newEarly(s journal.Store) *early {
	e := &early{Store: s}
	e.idle = sync.NewCond(&e.mu)
	return e
}

// lag is how many batches wait before any is written.
const lag = 8

func (e *early) Append(_ context.Context, b journal.Batch) error {
	if _, err := journal.AppendRecord(nil, &b); err != nil { // fills in the hashes
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	b.Entries = slices.Clone(b.Entries)
	e.waiting = append(e.waiting, b)
	if len(e.waiting) >= lag && !e.writing {
		e.writing = true
		go e.write()
	}
	return nil
}

// write writes what waits.
func (e *early) write() {
	for {
		e.mu.Lock()
		if len(e.waiting) == 0 {
			e.writing = false
			e.idle.Broadcast()
			e.mu.Unlock()
			return
		}
		b := e.waiting[0]
		e.waiting = e.waiting[1:]
		e.mu.Unlock()
		if err := e.Store.Append(context.Background(), b); err != nil {
			panic(err)
		}
	}
}

// flush waits until everything is written.
func (e *early) flush() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.writing && len(e.waiting) > 0 {
		e.writing = true
		go e.write()
	}
	for e.writing {
		e.idle.Wait()
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
