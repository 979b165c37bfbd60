// Package journal is the contract with the store of the rooms' logs. journaltest is the suite every driver passes.
//
// A Store keeps one append-only log per room. Appends to one room are totally ordered by a compare-and-swap on the
// offset they follow; appends to different rooms are independent. What Append acknowledged is durable: it survives a
// crash of the process and a loss of power, whole and in order. What it did not acknowledge is there whole or not at
// all.
//
// Not promised: that a Card is as new as its log (a driver may derive it later), and any order between rooms.
package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"parley/room"
)

// A Store keeps logs. All methods may be called from any goroutine at any time.
type Store interface {
	// Append writes a batch whole or not at all and returns when it is durable. What cannot be a batch, or is larger
	// than MaxRecord, is refused. ErrConflict means that the log does
	// not end where the batch begins: somebody else wrote. After any other error the outcome is unknown until the
	// log is read again.
	Append(ctx context.Context, b Batch) error
	// Read yields the entries of a room that follow after, in order, checking the hash chain as it goes. A room
	// without entries yields nothing. A damaged log ends with a *DamageError that names the first entry which cannot
	// be trusted. The entries that Append acknowledged before the call are all seen; of later ones, none that is not
	// durable.
	Read(ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error]
	// Cards yields the cards of rooms that match, newest room first (by Info.CreatedAt, then id).
	Cards(ctx context.Context, q Query) iter.Seq2[room.Card, error]
	// Epoch names this store's history. It changes when history was replaced, such as by restoring a backup, so that
	// a cursor into the old one is recognised.
	Epoch() string
	// Close waits for running appends and releases the store.
	Close() error
}

// A Batch is what one Append writes: the entries that follow After, and what changed beside them.
type Batch struct {
	Room    room.ID
	After   room.Offset     // the offset the first entry follows; 0 begins the log
	Prev    room.Hash       // the hash of the entry at After; zero at 0
	Entries []room.Entry    // at After+1, After+2 ...; Append fills in their Hash
	Card    *room.Card      // the room's card, if it changed; its CreatedAt never does
	Joined  []room.PersonID // who became a member, for Query.Member; the room has a card by then
	Left    []room.PersonID // who is none any more
}

// A Query selects cards.
type Query struct {
	Member room.PersonID // rooms this person is a member of; empty selects public rooms
	Woken  time.Time     // if set, instead: every room whose Wake is set and not after this time, the earliest first
	After  string        // go on after the card with this position, from an earlier page; not with Woken
}

// Position is where a card stands in the order of Cards, for Query.After.
func Position(c room.Card) string {
	return fmt.Sprintf("%016x/%s", uint64(1<<63-1-c.Info.CreatedAt.UnixNano()), c.Room)
}

// The errors of a Store.
var (
	ErrConflict = errors.New("the log does not end where the batch begins")
	ErrClosed   = errors.New("the store is closed")
)

// A DamageError says that stored bytes are not what was written. Entries before Offset are sound.
type DamageError struct {
	Room   room.ID
	Offset room.Offset // the first entry that cannot be trusted
	Err    error
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("the log of room %s is damaged at offset %d: %v; restore a backup or move the room away",
		e.Room, e.Offset, e.Err)
}

func (e *DamageError) Unwrap() []error { return []error{room.ErrDamaged, e.Err} }

// CheckCard refuses a change of a room's card that no index can follow: old says when the room was created, if it
// has a card.
func CheckCard(old time.Time, has bool, c *room.Card, joined bool) error {
	if joined && c == nil && !has {
		return errors.New("somebody joined a room without a card")
	}
	if c != nil && has && !c.Info.CreatedAt.Equal(old) {
		return fmt.Errorf("the room was created at %v, its new card says %v", old, c.Info.CreatedAt)
	}
	return nil
}
