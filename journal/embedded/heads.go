package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"parley/journal"
	"parley/room"
)

// A head is where a room's log ends, and what the indexes say of its card.
type head struct {
	last room.Offset
	hash room.Hash
	card listing
}

// A listing is what the indexes say of a card; the zero one of a room without.
type listing struct {
	created  time.Time
	position string
	public   bool
	wake     time.Time
}

func listingOf(c *room.Card) listing {
	return listing{
		created:  c.Info.CreatedAt,
		position: journal.Position(*c),
		public:   c.Info.Visibility == room.Public,
		wake:     c.Wake,
	}
}

// heads remembers the heads of the rooms in use. Callers bring them in; only the committer changes them, and forgets
// some between two groups when there are more than max.
//
// A head that a caller read must not replace a newer one that was committed and forgotten in the meantime, so it notes
// the number of the last forgetting before, and gives up what it read if that has changed.
type heads struct {
	max int

	mu      sync.Mutex
	rooms   map[room.ID]head
	forgets uint64
}

func newHeads(n int) *heads { return &heads{max: n, rooms: make(map[room.ID]head)} }

// warm lets a caller wait for the disk, so that the committer, and all rooms behind it, need not.
func (h *heads) warm(r pebble.Reader, id room.ID) error {
	h.mu.Lock()
	_, known := h.rooms[id]
	before := h.forgets
	h.mu.Unlock()
	if known {
		return nil
	}
	x, err := readHead(r, id)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.rooms[id]; !known && h.forgets == before {
		h.rooms[id] = x
	}
	return nil
}

// get is for the committer.
func (h *heads) get(r pebble.Reader, id room.ID) (head, error) {
	h.mu.Lock()
	x, known := h.rooms[id]
	h.mu.Unlock()
	if known {
		return x, nil
	}
	return readHead(r, id)
}

// put is for the committer.
func (h *heads) put(id room.ID, x head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rooms[id] = x
}

// forget makes room if there are too many. It must not be called while a batch with some of them is being built: what
// the batch holds is not in the database yet.
func (h *heads) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.rooms) <= h.max {
		return
	}
	h.forgets++
	for id := range h.rooms { // any: those in use come back
		delete(h.rooms, id)
		if len(h.rooms) <= h.max*7/8 {
			return
		}
	}
}

func readHead(r pebble.Reader, id room.ID) (head, error) {
	var x head
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: recordPrefix(nil, id), UpperBound: recordEnd(nil, id)})
	if err != nil {
		return x, err
	}
	defer func() { _ = it.Close() }()
	if !it.Last() {
		return x, it.Error()
	}
	rec, err := it.ValueAndErr()
	if err != nil {
		return x, err
	}
	span, _, err := journal.ReadRecord(rec, id)
	if err != nil {
		_, first, _ := cutRecordKey(it.Key())
		return x, &journal.DamageError{Room: id, Offset: first, Err: err}
	}
	x.last, x.hash = span.Last, span.End
	c, ok, err := readCard(r, id)
	if ok {
		x.card = listingOf(&c)
	}
	return x, err
}

func readCard(r pebble.Reader, id room.ID) (c room.Card, ok bool, err error) {
	data, closer, err := r.Get(cardKey(nil, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return c, false, nil
	}
	if err != nil {
		return c, false, fmt.Errorf("card of %s: %w", id, err)
	}
	defer func() { _ = closer.Close() }()
	if err := json.Unmarshal(data, &c); err != nil {
		return c, false, fmt.Errorf("card of %s: %w: %w", id, room.ErrDamaged, err)
	}
	return c, true, nil
}
