package hub

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"parley/room"
	"parley/seam"
)

// An actor is one open room. run owns everything below the line; others reach it through the mailbox.
type actor struct {
	hub     *Hub
	id      room.ID
	feed    *feed
	closing chan struct{} // closed by the janitor
	void    atomic.Bool   // there is no such room
	refs    int           // guarded by hub.mu
	idle    time.Time     // guarded by hub.mu: when refs became 0

	mu    sync.Mutex
	inbox []request
	full  bool // ended: nobody reads the inbox any more
	wake  chan struct{}

	// ----
	spare  []request // the last inbox, for the one after the next
	state  *room.State
	epoch  string
	hash   room.Hash // of the entry at the state's head
	card   room.Card // as the store has it
	jobs   map[string]*run
	timer  seam.Timer
	due    time.Time
	ticked time.Time // the due time of the last tick
	resume bool      // jobs wanted now were wanted before this actor began: count an attempt
}

func newActor(h *Hub, id room.ID) *actor {
	return &actor{
		hub: h, id: id, feed: newFeed(h.cfg.Ring), closing: make(chan struct{}), idle: h.cfg.Clock.Now(),
		wake: make(chan struct{}, 1), jobs: make(map[string]*run),
	}
}

// run is the actor's life.
func (a *actor) run() {
	err := a.open()
	for err == nil {
		select {
		case <-a.wake:
		case <-a.closing:
		case <-a.hub.ctx.Done():
		}
		if err = a.over(); err == nil {
			err = a.turn()
		}
	}
	a.end(err)
}

// over tells why the actor's life has ended; nil if it has not.
func (a *actor) over() error {
	if err := context.Cause(a.hub.ctx); err != nil {
		return err
	}
	select {
	case <-a.closing:
		return errClosedIdle
	default:
		return nil
	}
}

// errClosedIdle ends an actor that nobody uses.
var errClosedIdle = errors.New("the room is idle")

// end refuses what still waits, stops the jobs and lets the followers go.
func (a *actor) end(err error) {
	a.mu.Lock()
	waiting := a.inbox
	a.inbox, a.full = nil, true
	a.mu.Unlock()
	a.hub.forget(a)
	for _, r := range waiting {
		if r.answer != nil {
			r.answer <- answer{err: asRefusal(err)}
		}
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	for _, j := range a.jobs {
		j.cancel(err)
	}
	a.feed.end(asRefusal(err))
	if !errors.Is(err, errClosedIdle) && !errors.Is(err, errDraining) {
		a.hub.cfg.Log.Error("room ended", "room", a.id, "err", err)
	}
}

func asRefusal(err error) error {
	var known *room.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, errClosedIdle) {
		return errDraining
	}
	if errors.Is(err, room.ErrDamaged) {
		return &room.Error{Code: room.CodeUnavailable, Text: "the room's log is damaged: its operator can restore it from a backup"}
	}
	return &room.Error{Code: room.CodeUnavailable, Text: "the room's log cannot be reached: try again, with the same key if it is a command"}
}

// open folds the log into a new state.
func (a *actor) open() error {
	if err := a.refold(); err != nil {
		return err
	}
	a.resume = true
	a.settle()
	return nil
}

// refold reads the whole log anew. What followers have not seen yet is shown to them.
func (a *actor) refold() error {
	a.state, a.epoch, a.hash = room.New(a.id, a.hub.cfg.Rules), "", room.Hash{}
	if err := a.readOn(); err != nil {
		return err
	}
	a.card = a.state.Card()
	return nil
}

// show shows entries to the followers.
func (a *actor) show(items []*Item) {
	if a.epoch == "" && a.state.Head() > 0 {
		a.epoch = a.state.Epoch() + "." + a.hub.cfg.Store.Epoch()
	}
	a.feed.publish(items, a.state, a.epoch)
}

// readOn applies the entries that follow the state's head.
func (a *actor) readOn() error {
	var fresh []*Item
	for e, err := range a.hub.cfg.Store.Read(a.hub.ctx, a.id, a.state.Head()) {
		if err != nil {
			return err
		}
		a.state.Apply(&e)
		a.hash = e.Hash
		fresh = appendNewest(fresh, &Item{Entry: &e}, a.hub.cfg.Ring)
	}
	a.show(fresh)
	return nil
}

// appendNewest keeps the newest n items: older ones are read from the store by whoever wants them.
func appendNewest(items []*Item, it *Item, n int) []*Item {
	if len(items) >= 2*n {
		items = append(items[:0], items[len(items)-n:]...)
	}
	return append(items, it)
}

// catchUp reads what another node wrote.
func (a *actor) catchUp() {
	if err := a.readOn(); err != nil {
		a.hub.cfg.Log.Error("catch up", "room", a.id, "offset", a.state.Head(), "err", err)
		return
	}
	a.card = a.state.Card()
}

// turn takes everything out of the mailbox and sees to it. An error ends the actor.
func (a *actor) turn() error {
	seam.Hit("hub.turn")
	a.mu.Lock()
	taken := a.inbox
	a.inbox = a.spare[:0]
	a.mu.Unlock()
	defer clear(taken)
	if a.spare = nil; cap(taken) <= keptInbox {
		a.spare = taken
	}
	for waiting := taken; len(waiting) > 0; {
		n, err := a.commit(waiting)
		if err != nil {
			a.refuse(waiting[n:], err)
			return err
		}
		for n < len(waiting) && waiting[n].ask != nil {
			waiting[n].ask()
			n++
		}
		waiting = waiting[n:]
	}
	a.settle()
	return nil
}

// settle brings jobs and timer in line with the state.
func (a *actor) settle() {
	a.void.Store(a.state.Head() == 0)
	a.syncJobs()
	due := a.state.Due()
	if due.Equal(a.due) {
		return
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	wait := due.Sub(a.hub.cfg.Clock.Now())
	if due.Equal(a.ticked) { // the last tick could not be written: not at once again
		wait = max(wait, a.hub.cfg.Retry)
	}
	a.due, a.timer = due, nil
	if !due.IsZero() {
		a.timer = a.hub.cfg.Clock.AfterFunc(wait, a.tick)
	}
}

// tick tells the state that its time has come.
func (a *actor) tick() {
	_ = a.put(request{meta: room.Meta{By: room.System, Cause: room.Unkeyed + "tick"}, command: room.Tick{}, urgent: true})
	_ = a.put(request{urgent: true, ask: func() { a.ticked, a.due = a.due, time.Time{} }})
}

func (a *actor) view(ctx context.Context, viewer room.Identity, n int) (View, error) {
	var v View
	_, model := viewer.Model()
	err := a.callAs(ctx, model, func() { v, _ = a.feed.view(a.state.View(viewer, n)) })
	switch {
	case err != nil:
		return View{}, err
	case v.Offset == 0:
		return View{}, notFound(a.id)
	}
	return v, nil
}
