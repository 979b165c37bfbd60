package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"parley/journal"
	"parley/room"
)

// An appending is one batch on its way to the disk. It belongs to its Append until queued, then to the committer
// until done.
type appending struct {
	room   room.ID
	span   journal.Span
	rec    []byte
	card   *room.Card
	data   []byte // the card as it is stored
	joined []room.PersonID
	left   []room.PersonID

	err  error
	done chan struct{} // one send, when err is final
}

var appendings = sync.Pool{New: func() any { return &appending{done: make(chan struct{}, 1)} }}

// Append writes a batch and returns when it is durable. The batch is encoded here, in the caller's goroutine.
func (s *Store) Append(ctx context.Context, b journal.Batch) error {
	if err := s.append(ctx, &b); err != nil {
		return fmt.Errorf("append %s@%d: %w", b.Room, b.After+1, err)
	}
	return nil
}

func (s *Store) append(ctx context.Context, b *journal.Batch) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := s.failed.err(); err != nil {
		return err
	}
	a := appendings.Get().(*appending)
	err := a.encode(b)
	if err == nil {
		err = s.warm(b.Room)
	}
	if err == nil {
		err = s.queue.push(a)
	}
	if err != nil {
		a.release()
		return err
	}
	select {
	case <-a.done:
		err = a.err
		a.release()
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// warm lets the caller wait for the disk, not the committer and all rooms behind it.
func (s *Store) warm(id room.ID) error {
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	return s.heads.warm(s.db, id)
}

func (a *appending) encode(b *journal.Batch) (err error) {
	a.rec, err = journal.AppendRecord(a.rec[:0], b)
	if err != nil {
		return err
	}
	if a.span, err = journal.ReadSpan(a.rec); err != nil {
		return err
	}
	a.room = b.Room
	a.joined, a.left = slices.Clone(b.Joined), slices.Clone(b.Left)
	if b.Card != nil {
		c := *b.Card
		a.card = &c
		a.data, err = json.Marshal(&c)
	}
	return err
}

// keptRecord is the largest buffer that is kept for the next batch.
const keptRecord = 64 << 10

func (a *appending) release() {
	rec := a.rec
	if cap(rec) > keptRecord {
		rec = nil
	}
	*a = appending{done: a.done, rec: rec}
	appendings.Put(a)
}

// A queue is where appendings wait for the committer.
type queue struct {
	mu      sync.Mutex
	waiting []*appending
	closed  bool
	filled  chan struct{} // capacity 1
}

func newQueue() *queue { return &queue{filled: make(chan struct{}, 1)} }

func (q *queue) push(a *appending) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return journal.ErrClosed
	}
	q.waiting = append(q.waiting, a)
	if len(q.waiting) == 1 {
		q.signal()
	}
	return nil
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

// take waits until something is there and returns all of it, or false when the queue is closed and empty. It keeps
// the slice it is given for what comes next.
func (q *queue) take(spare []*appending) ([]*appending, bool) {
	for {
		runtime.Gosched() // whoever is about to append gets into this group
		q.mu.Lock()
		if len(q.waiting) > 0 || q.closed {
			taken := q.waiting
			q.waiting = spare[:0]
			q.mu.Unlock()
			return taken, len(taken) > 0
		}
		q.mu.Unlock()
		<-q.filled
	}
}
