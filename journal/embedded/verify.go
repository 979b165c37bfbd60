package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"parley/room"
)

// Verify reads every room whole and yields what is damaged, or another error that kept it from reading on.
func (s *Store) Verify(ctx context.Context) iter.Seq[error] {
	return func(yield func(error) bool) {
		for id, err := range s.rooms(ctx) {
			if err == nil {
				err = s.verify(ctx, id)
			}
			if err != nil && !yield(err) {
				return
			}
		}
	}
}

func (s *Store) verify(ctx context.Context, id room.ID) error {
	for _, err := range s.Read(ctx, id, 0) {
		if err != nil {
			return err
		}
	}
	return nil
}

// rooms yields every room that has a log.
func (s *Store) rooms(ctx context.Context) iter.Seq2[room.ID, error] {
	return func(yield func(room.ID, error) bool) {
		for from := []byte{prefixRoom}; from != nil; {
			ids, err := s.roomPage(ctx, from)
			for _, id := range ids {
				if !yield(id, nil) {
					return
				}
			}
			if err != nil {
				yield("", fmt.Errorf("rooms: %w", err))
				return
			}
			from = nil
			if len(ids) > 0 {
				from = append(roomKey(nil, ids[len(ids)-1]), 0)
			}
		}
	}
}

func (s *Store) roomPage(ctx context.Context, from []byte) (ids []room.ID, err error) {
	done, err := s.use()
	if err != nil {
		return nil, err
	}
	defer done()
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: from, UpperBound: after([]byte{prefixRoom})})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok && len(ids) < cardPage; ok = it.Next() {
		ids = append(ids, room.ID(it.Key()[1:]))
	}
	return ids, errors.Join(it.Error(), ctx.Err())
}
