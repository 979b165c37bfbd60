// Package memory is a journal.Store that forgets everything when the process ends: for tests, and for a server that
// need not remember. It keeps the same records as a durable driver.
//
// Appends to all rooms share one lock. Read sees the log as it is when a page of it is read, so entries appended
// while it runs may be seen or not.
package memory

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"parley/journal"
	"parley/room"
)

// A Store keeps logs in memory. Its methods may be called from any goroutine.
type Store struct {
	epoch string

	mu     sync.RWMutex
	closed bool
	rooms  map[room.ID]*log
}

type log struct {
	records [][]byte
	spans   []journal.Span
	card    *room.Card
	members map[room.PersonID]bool
}

var _ journal.Store = (*Store)(nil)

// New makes an empty store.
func New() *Store { return &Store{epoch: rand.Text(), rooms: map[room.ID]*log{}} }

// Epoch names this store's history, which no other one continues.
func (s *Store) Epoch() string { return s.epoch }

// Close lets the methods refuse further work. It may be called again.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Append writes a batch.
func (s *Store) Append(ctx context.Context, b journal.Batch) error {
	err := ctx.Err()
	var rec []byte
	if err == nil {
		rec, err = journal.AppendRecord(nil, &b)
	}
	if err == nil {
		err = s.commit(&b, rec)
	}
	if err != nil {
		return fmt.Errorf("append %s@%d: %w", b.Room, b.After+1, err)
	}
	return nil
}

func (s *Store) commit(b *journal.Batch, rec []byte) error {
	span, err := journal.ReadSpan(rec)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return journal.ErrClosed
	}
	l := s.rooms[b.Room]
	if l == nil {
		l = &log{members: map[room.PersonID]bool{}}
	}
	if last, hash := l.head(); b.After != last || b.Prev != hash {
		return journal.ErrConflict
	}
	if err := l.check(b); err != nil {
		return err
	}
	l.add(b, rec, span)
	s.rooms[b.Room] = l
	return nil
}

func (l *log) check(b *journal.Batch) error {
	if l.card == nil {
		return journal.CheckCard(time.Time{}, false, b.Card, len(b.Joined) > 0)
	}
	return journal.CheckCard(l.card.Info.CreatedAt, true, b.Card, len(b.Joined) > 0)
}

func (l *log) head() (room.Offset, room.Hash) {
	if len(l.spans) == 0 {
		return 0, room.Hash{}
	}
	end := l.spans[len(l.spans)-1]
	return end.Last, end.End
}

func (l *log) add(b *journal.Batch, rec []byte, span journal.Span) {
	l.records, l.spans = append(l.records, rec), append(l.spans, span)
	if b.Card != nil {
		c := *b.Card
		c.Info.Models = slices.Clone(c.Info.Models)
		l.card = &c
	}
	for _, p := range b.Left {
		delete(l.members, p)
	}
	for _, p := range b.Joined {
		l.members[p] = true
	}
}

// Read yields the entries of a room that follow after.
func (s *Store) Read(ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	return func(yield func(room.Entry, error) bool) {
		chain := journal.NewChain(id, after)
		for {
			entries, more, err := s.next(ctx, chain, id)
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(room.Entry{}, fmt.Errorf("read %s after %d: %w", id, after, err))
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// next reads the next record into the chain.
func (s *Store) next(ctx context.Context, c *journal.Chain, id room.ID) (_ []room.Entry, more bool, _ error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	rec, first, err := s.record(id, c.Wanted())
	if err != nil || rec == nil {
		return nil, false, err
	}
	entries, err := c.Read(first, rec)
	return entries, err == nil, err
}

// record finds the record that holds the entry at an offset, or nil if the log ends before.
func (s *Store) record(id room.ID, at room.Offset) ([]byte, room.Offset, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, 0, journal.ErrClosed
	}
	l := s.rooms[id]
	if l == nil {
		return nil, 0, nil
	}
	i, _ := slices.BinarySearchFunc(l.spans, at, func(p journal.Span, at room.Offset) int { return cmp.Compare(p.Last, at) })
	if i == len(l.spans) {
		return nil, 0, nil
	}
	return l.records[i], l.spans[i].First, nil
}

// Cards yields the cards that match.
func (s *Store) Cards(ctx context.Context, q journal.Query) iter.Seq2[room.Card, error] {
	return func(yield func(room.Card, error) bool) {
		cards, err := s.cards(q)
		for _, c := range cards {
			if err = ctx.Err(); err != nil {
				break
			}
			if !yield(c, nil) {
				return
			}
		}
		if err != nil {
			yield(room.Card{}, fmt.Errorf("cards: %w", err))
		}
	}
}

func (s *Store) cards(q journal.Query) ([]room.Card, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, journal.ErrClosed
	}
	var cards []room.Card
	for _, l := range s.rooms {
		if l.card != nil && l.matches(q) {
			cards = append(cards, *l.card)
		}
	}
	slices.SortFunc(cards, func(a, b room.Card) int {
		if !q.Woken.IsZero() {
			return cmp.Or(a.Wake.Compare(b.Wake), cmp.Compare(a.Room, b.Room))
		}
		return cmp.Compare(journal.Position(a), journal.Position(b))
	})
	return cards, nil
}

func (l *log) matches(q journal.Query) bool {
	switch {
	case !q.Woken.IsZero():
		return !l.card.Wake.IsZero() && !l.card.Wake.After(q.Woken)
	case journal.Position(*l.card) <= q.After:
		return false
	case q.Member != "":
		return l.members[q.Member]
	}
	return l.card.Info.Visibility == room.Public
}
