package journaltest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"parley/journal"
	"parley/room"
)

// altered reads what f makes of the entries.
func altered(f func([]room.Entry) []room.Entry) func(*buggy, context.Context, room.ID, room.Offset) iter.Seq2[room.Entry, error] {
	return func(s *buggy, ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
		return func(yield func(room.Entry, error) bool) {
			entries, err := s.all(ctx, id, after)
			for _, e := range f(entries) {
				if !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(room.Entry{}, err)
			}
		}
	}
}

func each(f func(*room.Entry)) func(*buggy, context.Context, room.ID, room.Offset) iter.Seq2[room.Entry, error] {
	return altered(func(entries []room.Entry) []room.Entry {
		for i := range entries {
			f(&entries[i])
		}
		return entries
	})
}

func swapped(s *buggy, ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	return altered(func(e []room.Entry) []room.Entry {
		if len(e) > 2 {
			e[1], e[2] = e[2], e[1]
		}
		return e
	})(s, ctx, id, after)
}

func holed(s *buggy, ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	return altered(func(e []room.Entry) []room.Entry {
		if len(e) > 50 {
			e = slices.Delete(e, 40, 41)
		}
		return e
	})(s, ctx, id, after)
}

func doubled(s *buggy, ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	return altered(func(e []room.Entry) []room.Entry {
		if len(e) > 50 {
			e = slices.Insert(e, 40, e[40])
		}
		return e
	})(s, ctx, id, after)
}

func stale(s *buggy, ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	return altered(func(e []room.Entry) []room.Entry { return e[:len(e)*99/100] })(s, ctx, id, after)
}

func known(s *buggy, ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	return each(func(e *room.Entry) {
		if u, ok := e.Event.(room.Unknown); ok {
			e.Event = room.Unknown{Kind: u.Kind}
		}
	})(s, ctx, id, after)
}

func oneLater(s *buggy, ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	if after == 3 {
		after++
	}
	return s.Store.Read(ctx, id, after)
}

func deaf(s *buggy, ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	return func(yield func(room.Entry, error) bool) {
		for e, err := range s.Store.Read(ctx, id, after) {
			yield(e, err)
		}
	}
}

func after(s *buggy, ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	if s.closed.Load() {
		return func(func(room.Entry, error) bool) {}
	}
	return s.Store.Read(ctx, id, after)
}

func uncancelled(s *buggy, ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	return s.Store.Read(context.WithoutCancel(ctx), id, after)
}

// careless appends at the end, whatever the batch says.
func careless(s *buggy, ctx context.Context, b journal.Batch) error {
	err := s.Store.Append(ctx, b)
	for errors.Is(err, journal.ErrConflict) {
		entries, _ := s.all(ctx, b.Room, 0)
		b.After, b.Prev = room.Offset(len(entries)), room.Hash{}
		if n := len(entries); n > 0 {
			b.Prev = entries[n-1].Hash
		}
		for i := range b.Entries {
			b.Entries[i].Offset = b.After + 1 + room.Offset(i)
		}
		err = s.Store.Append(ctx, b)
	}
	return err
}

func hashless(s *buggy, ctx context.Context, b journal.Batch) error {
	entries, _ := s.all(ctx, b.Room, 0)
	if n := len(entries); n > 0 && b.After == room.Offset(n) {
		b.Prev = entries[n-1].Hash
	}
	return s.Store.Append(ctx, b)
}

func forgetful(s *buggy, ctx context.Context, b journal.Batch) error {
	if b.After == 10 {
		return nil
	}
	return s.Store.Append(ctx, b)
}

func half(s *buggy, ctx context.Context, b journal.Batch) error {
	b.Entries = b.Entries[:(len(b.Entries)+1)/2]
	return s.Store.Append(ctx, b)
}

func twice(s *buggy, ctx context.Context, b journal.Batch) error {
	if err := s.Store.Append(ctx, b); err != nil {
		return err
	}
	last := b.Entries[len(b.Entries)-1]
	b.After, b.Prev, b.Card, b.Joined, b.Left = last.Offset, last.Hash, nil, nil, nil
	b.Entries = slices.Clone(b.Entries)
	for i := range b.Entries {
		b.Entries[i].Offset += room.Offset(len(b.Entries))
	}
	return s.Store.Append(ctx, b)
}

func grumpy(s *buggy, ctx context.Context, b journal.Batch) error {
	if err := s.Store.Append(ctx, b); err != nil {
		return fmt.Errorf("%w: %w", journal.ErrConflict, err)
	}
	return nil
}

func sly(s *buggy, ctx context.Context, b journal.Batch) error {
	if len(b.Entries) == 0 {
		return nil
	}
	return s.Store.Append(ctx, b)
}

func uncancelledAppend(s *buggy, ctx context.Context, b journal.Batch) error {
	return s.Store.Append(context.WithoutCancel(ctx), b)
}

func unhashed(s *buggy, ctx context.Context, b journal.Batch) error {
	mine := b
	mine.Entries = slices.Clone(b.Entries)
	return s.Store.Append(ctx, mine)
}

func clingy(s *buggy, ctx context.Context, b journal.Batch) error {
	b.Left = nil
	return s.Store.Append(ctx, b)
}

func firstCard(s *buggy, ctx context.Context, b journal.Batch) error {
	s.mu.Lock()
	if s.seen[b.Room] {
		b.Card = nil
	}
	s.seen[b.Room] = s.seen[b.Room] || b.Card != nil
	s.mu.Unlock()
	return s.Store.Append(ctx, b)
}

func listed(cards []room.Card) iter.Seq2[room.Card, error] {
	return func(yield func(room.Card, error) bool) {
		for _, c := range cards {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (s *buggy) list(ctx context.Context, q journal.Query) (cards []room.Card) {
	for c, err := range s.Store.Cards(ctx, q) {
		if err == nil {
			cards = append(cards, c)
		}
	}
	return cards
}

func indiscreet(s *buggy, ctx context.Context, q journal.Query) iter.Seq2[room.Card, error] {
	if q.Member == "" && q.Woken.IsZero() {
		q.Member = "ada"
	}
	return s.Store.Cards(ctx, q)
}

func backwards(s *buggy, ctx context.Context, q journal.Query) iter.Seq2[room.Card, error] {
	cards := s.list(ctx, q)
	slices.Reverse(cards)
	return listed(cards)
}

func pageless(s *buggy, ctx context.Context, q journal.Query) iter.Seq2[room.Card, error] {
	q.After = ""
	return s.Store.Cards(ctx, q)
}

func early(s *buggy, ctx context.Context, q journal.Query) iter.Seq2[room.Card, error] {
	if !q.Woken.IsZero() {
		q.Woken = q.Woken.AddDate(1, 0, 0)
	}
	return s.Store.Cards(ctx, q)
}
