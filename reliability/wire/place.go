package wire

import roompb "parley/proto/gen/api/room"

// A Place is how far a reader has come in a room's log. The zero Place is nowhere.
type Place struct {
	cursor *roompb.Cursor
	part   []*roompb.ServerEvent // of an entry that has more events
}

// Cursor is where to go on; nil before the first event.
func (p *Place) Cursor() *roompb.Cursor {
	p.part = nil // it will be told again from its beginning
	return p.cursor
}

// Take takes the next event of a stream and returns the events of its entry once they are all there; nil for events
// that are not of the log.
func (p *Place) Take(e *roompb.ServerEvent) []*roompb.ServerEvent {
	if s := e.GetRoomState(); s != nil {
		p.cursor, p.part = s.GetCursor(), nil
		return nil
	}
	if e.GetOffset() == 0 {
		return nil
	}
	p.part = append(p.part, e)
	if e.GetMore() {
		return nil
	}
	entry := p.part
	p.cursor, p.part = &roompb.Cursor{Epoch: e.GetEpoch(), Offset: e.GetOffset()}, nil
	return entry
}
