package terminal

import (
	"slices"
	"time"
)

// outgoing is what was written here and is not yet settled.
type outgoing struct {
	pending []*item
	known   uint64 // up to here, what is stored is in a snapshot and will not be told again
}

// write adds a message that is on its way to the server.
func (s *story) write(clientID, text string, now time.Time) {
	s.pending = append(s.pending, &item{
		phase: waiting, id: clientID, by: s.me, name: s.nameOf(s.me), colour: s.colour(s.me), at: now, text: Text(text),
	})
}

// forget drops a message that has arrived.
func (o *outgoing) forget(clientID string) {
	o.pending = slices.DeleteFunc(o.pending, func(p *item) bool { return clientID != "" && p.id == clientID })
}

// stored notes that the server has a message. It stays until the event that tells of it comes, so that nothing flickers.
func (o *outgoing) stored(clientID string, offset uint64) {
	for _, p := range o.pending {
		if p.id == clientID {
			p.offset, p.phase, p.painted = offset, settled, painting{}
		}
	}
	o.skip(o.known)
}

// skip drops messages that a snapshot has shown.
func (o *outgoing) skip(known uint64) {
	o.known = known
	o.pending = slices.DeleteFunc(o.pending, func(p *item) bool { return p.offset != 0 && p.offset <= known })
}

// refuse marks a message that the server did not take.
func (o *outgoing) refuse(clientID, why string) {
	for _, p := range o.pending {
		if p.id == clientID {
			p.phase, p.note, p.painted = refused, "not sent: "+Line(why), painting{}
		}
	}
}
