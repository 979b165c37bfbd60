package embedded

import (
	"github.com/cockroachdb/pebble/v2"

	"parley/journal"
	"parley/room"
)

// An indexer writes what belongs to one appending into a batch. After the first error it does nothing more.
type indexer struct {
	w   *pebble.Batch
	id  room.ID
	buf [192]byte
	err error
}

func (x *indexer) key() []byte { return x.buf[:0] }

func (x *indexer) set(key, value []byte) {
	if x.err == nil {
		x.err = x.w.Set(key, value, nil)
	}
}

func (x *indexer) delete(key []byte) {
	if x.err == nil {
		x.err = x.w.Delete(key, nil)
	}
}

// card writes a changed card, and brings its indexes from what they say to what they should say.
func (x *indexer) card(old listing, a *appending) (listing, error) {
	now := old
	if err := journal.CheckCard(old.created, old.position != "", a.card, len(a.joined) > 0); err != nil {
		return old, err
	}
	if a.card != nil {
		now = listingOf(a.card)
		x.set(cardKey(x.key(), x.id), a.data)
		x.list(old, now)
	}
	for _, p := range a.left {
		if now.position != "" {
			x.delete(memberKey(x.key(), p, now.position))
		}
	}
	for _, p := range a.joined {
		x.set(memberKey(x.key(), p, now.position), nil)
	}
	return now, x.err
}

func (x *indexer) list(old, now listing) {
	if now.public && !old.public {
		x.set(publicKey(x.key(), now.position), nil)
	}
	if old.public && !now.public {
		x.delete(publicKey(x.key(), old.position))
	}
	if old.wake.Equal(now.wake) {
		return
	}
	if !old.wake.IsZero() {
		x.delete(wakeKey(x.key(), old.wake, x.id))
	}
	if !now.wake.IsZero() {
		x.set(wakeKey(x.key(), now.wake, x.id), nil)
	}
}
