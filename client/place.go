package client

// A place is how far a Session has read the room's log, to the event.
//
// The cursor is the last entry that was read whole. An entry may be told by several events; `read` counts those of the
// entry after the cursor that were read before a cut. A server goes on after the cursor, so it tells that entry from
// its beginning again, and `told` counts how far it has come on the present stream.
type place struct {
	cursor Cursor
	read   progress
	told   progress
}

// progress is how many events of an entry have come.
type progress struct {
	offset uint64
	events int
}

// reconnected starts a new stream, on which entries are told from their beginning.
func (p *place) reconnected() { p.told = progress{} }

// reset starts anew after a snapshot.
func (p *place) reset(c Cursor) { *p = place{cursor: c} }

// admit takes note of an event of the entry at offset and reports whether it is new. More says that another event of
// the same entry follows.
func (p *place) admit(offset uint64, more bool) bool {
	if offset <= p.cursor.Offset {
		return false
	}
	if p.told.offset != offset {
		p.told = progress{offset: offset}
	}
	p.told.events++
	fresh := p.read.offset != offset || p.told.events > p.read.events
	if fresh {
		p.read = p.told
	}
	if !more {
		p.cursor.Offset, p.read = offset, progress{}
	}
	return fresh
}
