package hub

import (
	"context"
	"slices"

	"parley/room"
)

// Enter counts a connection of a person to a room until leave is called. The first one is a signal to the others; if
// the person has yet to join, it comes right after the join.
func (h *Hub) Enter(ctx context.Context, id room.ID, person room.PersonID) (leave func(), err error) {
	a, err := h.acquire(id)
	if err != nil {
		return nil, err
	}
	leave = func() {
		_ = a.put(request{urgent: true, ask: func() { a.count(person, -1) }})
		h.release(a)
	}
	done := make(chan answer, 1)
	err = a.put(request{answer: done, ask: func() {
		a.count(person, 1)
		done <- answer{}
	}})
	if err != nil {
		h.release(a)
		return nil, err
	}
	got, err := await(ctx, done)
	if err == nil {
		err = got.err
	}
	if err != nil { // it may count all the same
		leave()
		return nil, err
	}
	return leave, nil
}

// count changes how many connections somebody has, and tells when it was or becomes none.
func (a *actor) count(id room.PersonID, n int) {
	before, after := a.feed.count(id, n)
	p, known := a.state.Person(id)
	if known && !p.Left && (before == 0 || after == 0) {
		a.hub.Signal(a.id, room.Presence{Person: p, Online: after > 0})
	}
}

// welcome tells that those who have just joined are there.
func (a *actor) welcome(joined []room.PersonID) {
	for _, id := range joined {
		if n, _ := a.feed.count(id, 0); n > 0 {
			p, _ := a.state.Person(id)
			a.hub.Signal(a.id, room.Presence{Person: p, Online: true})
		}
	}
}

// everybody lists the members who have a connection. The lock is held.
func (f *feed) everybody() []room.PersonID {
	list := make([]room.PersonID, 0, len(f.online))
	for id := range f.online {
		if !f.left[id] {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

func (f *feed) count(id room.PersonID, n int) (before, after int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before = f.online[id]
	after = before + n
	f.online[id] = after
	if after == 0 {
		delete(f.online, id)
	}
	return before, after
}

// Online tells who has a connection to the room.
func (h *Hub) Online(ctx context.Context, id room.ID) (map[room.PersonID]bool, error) {
	v, err := h.View(ctx, id, room.System, 0)
	return v.Online, err
}
