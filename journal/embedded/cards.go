package embedded

import (
	"context"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"parley/journal"
	"parley/room"
)

// cardPage is how many cards are read before they are handed out, with nothing held open.
const cardPage = 64

// Cards yields the cards that match.
func (s *Store) Cards(ctx context.Context, q journal.Query) iter.Seq2[room.Card, error] {
	return func(yield func(room.Card, error) bool) {
		for x := newIndex(q); x.from != nil; {
			cards, err := s.cards(ctx, x)
			for _, c := range cards {
				if !yield(c, nil) {
					return
				}
			}
			if err != nil {
				yield(room.Card{}, fmt.Errorf("cards: %w", err))
				return
			}
		}
	}
}

// An index is a range of keys that end with a room's name.
type index struct {
	from, to []byte // from is nil when all was read
	room     func(key []byte) room.ID
}

func newIndex(q journal.Query) *index {
	if !q.Woken.IsZero() {
		return &index{
			from: []byte{prefixWake},
			to:   wakeKey(nil, q.Woken.Add(1), ""),
			room: func(key []byte) room.ID { return room.ID(key[1+8:]) },
		}
	}
	prefix := []byte{prefixPublic}
	if q.Member != "" {
		prefix = memberPrefix(nil, q.Member)
	}
	x := &index{from: prefix, to: after(prefix), room: roomOfPosition}
	if q.After != "" {
		x.from = append(append(append([]byte(nil), prefix...), q.After...), 0)
	}
	return x
}

func (s *Store) cards(ctx context.Context, x *index) ([]room.Card, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	done, err := s.use()
	if err != nil {
		return nil, err
	}
	defer done()
	snap := s.db.NewSnapshot()
	defer func() { _ = snap.Close() }()
	it, err := snap.NewIter(&pebble.IterOptions{LowerBound: x.from, UpperBound: x.to})
	if err != nil {
		return nil, err
	}
	defer func() { _ = it.Close() }()
	var cards []room.Card
	for ok := it.First(); ok; ok = it.Next() {
		if len(cards) == cardPage {
			x.from = append([]byte(nil), it.Key()...)
			return cards, nil
		}
		c, found, err := readCard(snap, x.room(it.Key()))
		if err != nil {
			return cards, err
		}
		if found {
			cards = append(cards, c)
		}
	}
	x.from = nil
	return cards, it.Error()
}
