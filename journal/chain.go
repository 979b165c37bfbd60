package journal

import (
	"fmt"

	"parley/room"
)

// A Chain reads the records of one room in order and verifies that each continues the one before. It belongs to one
// goroutine.
type Chain struct {
	id    room.ID
	after room.Offset // entries up to here are not wanted
	end   Span        // of the last record read
}

// NewChain begins to read the entries of room id that follow after. The first record it is given must be the one that
// holds after+1, or an earlier one.
func NewChain(id room.ID, after room.Offset) *Chain {
	return &Chain{id: id, after: min(after, ^room.Offset(0)-2)}
}

// Wanted is the offset of the next entry that Read is to return.
func (c *Chain) Wanted() room.Offset { return max(c.Next(), c.after+1) }

// Next is the offset at which the next record begins; 0 if none was read yet.
func (c *Chain) Next() room.Offset {
	if c.end.First == 0 {
		return 0
	}
	return c.end.Last + 1
}

// Damage says that the log of the room cannot be trusted after what was read so far.
func (c *Chain) Damage(err error) *DamageError {
	return &DamageError{Room: c.id, Offset: c.Wanted(), Err: err}
}

// Read verifies the next record, stored under the offset first, and returns those of its entries that are wanted.
func (c *Chain) Read(first room.Offset, rec []byte) ([]room.Entry, error) {
	s, entries, err := ReadRecord(rec, c.id)
	if err == nil {
		err = c.follows(first, s)
	}
	if err != nil {
		return nil, &DamageError{Room: c.id, Offset: c.untrusted(first), Err: err}
	}
	c.end = s
	if c.after < s.First {
		return entries, nil
	}
	return entries[min(c.after-s.First+1, room.Offset(len(entries))):], nil
}

func (c *Chain) follows(first room.Offset, s Span) error {
	if s.First != first {
		return fmt.Errorf("the record of %d under %d: %w", s.First, first, room.ErrDamaged)
	}
	if s.First == 1 && s.Prev != (room.Hash{}) {
		return fmt.Errorf("the log does not begin at offset 1: %w", room.ErrDamaged)
	}
	next := c.Next()
	if next == 0 && s.First > c.after+1 {
		return fmt.Errorf("the log goes on at offset %d: %w", s.First, room.ErrDamaged)
	}
	if next != 0 && (s.First != next || s.Prev != c.end.End) {
		return fmt.Errorf("the record at offset %d does not continue the one before: %w", s.First, room.ErrDamaged)
	}
	return nil
}

func (c *Chain) untrusted(first room.Offset) room.Offset {
	if next := c.Next(); next != 0 {
		return next
	}
	return min(first, c.after+1)
}
