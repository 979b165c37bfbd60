package embedded

import (
	"context"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"parley/journal"
	"parley/room"
)

// Read takes entries from the database in pages of growing size and hands them out with nothing held open, so a slow
// reader costs only its page.
const (
	firstPage = 64
	lastPage  = 1024
)

// Read yields the entries of a room that follow after.
func (s *Store) Read(ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	return func(yield func(room.Entry, error) bool) {
		p := pager{s: s, id: id, chain: journal.NewChain(id, after)}
		for size := firstPage; !p.over; size = min(size*2, lastPage) {
			err := p.page(ctx, size)
			for _, e := range p.entries {
				if !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(room.Entry{}, fmt.Errorf("read %s after %d: %w", id, after, err))
				return
			}
		}
	}
}

// A pager reads one room page by page.
type pager struct {
	s       *Store
	id      room.ID
	chain   *journal.Chain
	entries []room.Entry
	over    bool // there is no page after this one
}

// page reads records until they hold n entries or the log ends. The entries before an error are sound.
func (p *pager) page(ctx context.Context, n int) error {
	p.entries = nil
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	done, err := p.s.use()
	if err != nil {
		return err
	}
	defer done()
	it, err := p.s.db.NewIter(&pebble.IterOptions{
		LowerBound: recordPrefix(nil, p.id),
		UpperBound: recordEnd(nil, p.id),
	})
	if err != nil {
		return err
	}
	defer func() { _ = it.Close() }()
	limit := p.s.flight.limit(p.id)
	for ok := p.seek(it); ok && len(p.entries) < n; ok = it.Next() {
		if end, err := p.record(it, limit); end || err != nil {
			p.over = true
			return err
		}
	}
	if err := it.Error(); err != nil {
		return p.damage(err)
	}
	p.over = !it.Valid()
	return nil
}

// seek goes to the record that holds the next entry wanted.
func (p *pager) seek(it *pebble.Iterator) bool {
	if next := p.chain.Next(); next != 0 {
		return it.SeekGE(recordKey(nil, p.id, next))
	}
	if it.SeekLT(recordKey(nil, p.id, p.chain.Wanted()+1)) {
		return true
	}
	return it.Error() == nil && it.First()
}

func (p *pager) record(it *pebble.Iterator, limit room.Offset) (end bool, err error) {
	_, first, ok := cutRecordKey(it.Key())
	if !ok {
		return false, p.chain.Damage(fmt.Errorf("key %x: %w", it.Key(), room.ErrDamaged))
	}
	if first >= limit {
		return true, nil
	}
	rec, err := it.ValueAndErr()
	if err != nil {
		return false, p.damage(err)
	}
	entries, err := p.chain.Read(first, rec)
	p.entries = append(p.entries, entries...)
	return false, err
}

// damage names the place if it is the bytes that are bad, not the access to them.
func (p *pager) damage(err error) error {
	if pebble.IsCorruptionError(err) {
		return p.chain.Damage(err)
	}
	return err
}
