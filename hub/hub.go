// Package hub runs the rooms: it is the only place where their logs, their followers and their jobs meet, and the
// only concurrency around a room.
//
// Each open room is an actor: one goroutine that takes everything waiting in its mailbox, decides it, appends the
// resulting entries in one batch and, once they are durable, shows them to the followers. A command's Do returns
// after that.
//
// Promises, per room: entries are seen in the order of their offsets, each exactly once per follower, none before it
// is durable; a follower that resumes with a cursor gets exactly what it missed, or a fresh View that says so. A slow
// follower delays nobody. Signals may be lost; words of a running reply are joined, never reordered.
//
// Not promised: any order between rooms, and that a command whose Do returned an error of code unavailable or a
// cancelled context has had no effect: send it again with the same Cause to find out.
package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"parley/fanout"
	"parley/journal"
	"parley/room"
	"parley/seam"
	"parley/work"
)

// Config says how a Hub runs. Store is required; everything else has a default.
type Config struct {
	Store  journal.Store
	Bus    fanout.Bus  // nil: this is the only node
	Worker work.Worker // nil: jobs are left to other nodes
	Clock  seam.Clock
	Log    *slog.Logger
	Rules  room.Rules

	Ring      int           // entries kept for followers in memory, per room
	Mailbox   int           // commands waiting per room; more are refused as busy
	IdleAfter time.Duration // a room nobody uses is closed after this
	Retry     time.Duration // wait before a job that ended without an outcome is tried again
	Poll      time.Duration // how often rooms whose time has come are opened; with a Bus, which may lose, open ones look at their logs
}

func (c *Config) complete() error {
	if c.Store == nil {
		return errors.New("hub: no store")
	}
	if c.Clock == nil {
		c.Clock = seam.Real()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Rules == (room.Rules{}) {
		c.Rules = room.DefaultRules()
	}
	setDefault(&c.Ring, 2*maxBatchEntries)
	setDefault(&c.Mailbox, 4096)
	setDefault(&c.IdleAfter, 30*time.Second)
	setDefault(&c.Retry, time.Second)
	setDefault(&c.Poll, 5*time.Second)
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// A Hub runs rooms. Its methods may be called from any goroutine at any time.
type Hub struct {
	cfg    Config
	ctx    context.Context //nolint:containedctx // the hub's own life: it ends, with a cause, when the hub closes
	whole  context.Context //nolint:containedctx // never ends: an append that has begun is waited for
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // all goroutines
	actors sync.WaitGroup // those of rooms: they have their followers' last items served
	node   string         // random: begins the causes of unkeyed commands
	serial atomic.Uint64

	pool    *pool
	answers sync.Pool // of the channels on which callers wait: most calls end well

	mu    sync.Mutex
	rooms map[room.ID]*actor
}

// New starts a hub. It opens the rooms that have work to do; Close ends it.
func New(cfg Config) (*Hub, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	h := &Hub{cfg: cfg, ctx: ctx, whole: context.WithoutCancel(ctx), cancel: cancel, node: room.Unkeyed + rand.Text()[:10] + "-", rooms: make(map[room.ID]*actor)}
	h.pool = newPool(h)
	h.answers.New = func() any { return make(chan answer, 1) }
	if cfg.Bus != nil {
		h.wg.Go(h.receive)
		h.wg.Go(func() { seam.Every(ctx, cfg.Clock, cfg.Poll, h.poll) })
	}
	h.wg.Go(func() {
		h.sweep()
		seam.Every(ctx, cfg.Clock, cfg.Poll, h.sweep)
	})
	h.wg.Go(func() { seam.Every(ctx, cfg.Clock, cfg.IdleAfter/2, h.closeIdle) })
	return h, nil
}

// errDraining is what followers and commands get when the hub closes.
var errDraining = &room.Error{Code: room.CodeDraining, Text: "the server is shutting down: reconnect in a moment"}

// Close ends all follows, stops all jobs and waits until nothing of the hub runs any more. What was acknowledged is
// in the store, which stays open. Jobs that were stopped are resumed by the next hub on the store.
func (h *Hub) Close() error {
	h.mu.Lock()
	h.cancel(errDraining)
	h.mu.Unlock()
	h.actors.Wait()
	h.pool.close()
	h.wg.Wait()
	return nil
}

// A Result tells what a command did.
type Result struct {
	Offset  room.Offset // of its first entry, or of the entry an earlier sending of it wrote; 0 if it never wrote any
	Entries int         // how many entries it wrote now; 0 if it was a repetition or changed nothing
}

// Do decides a command and returns when what it led to is durable. By and Cause of meta are the caller's; the hub
// fills in the rest. Refusals are *room.Error.
func (h *Hub) Do(ctx context.Context, id room.ID, meta room.Meta, c room.Command) (Result, error) {
	a, err := h.acquire(id)
	if err != nil {
		return Result{}, err
	}
	defer h.release(a)
	if meta.Cause == "" {
		meta.Cause = h.cause()
	}
	return a.do(ctx, meta, c)
}

// cause makes a cause for a command that came without one, so that it is recognised after an append whose outcome
// was unknown.
func (h *Hub) cause() string { return h.node + strconv.FormatUint(h.serial.Add(1), 36) }

// View shows a room to viewer, with its newest n messages.
func (h *Hub) View(ctx context.Context, id room.ID, viewer room.Identity, n int) (View, error) {
	a, err := h.acquire(id)
	if err != nil {
		return View{}, err
	}
	defer h.release(a)
	return a.view(ctx, viewer, n)
}

// Rules are the limits that rooms are run with here.
func (h *Hub) Rules() room.Rules { return h.cfg.Rules }

// Signal tells the followers of a room, here and on other nodes, something that is not stored. A room that is not
// open has no followers here. It never blocks.
func (h *Hub) Signal(id room.ID, s room.Signal) {
	h.mu.Lock()
	a := h.rooms[id]
	h.mu.Unlock()
	if a != nil {
		a.feed.signal(s)
	}
	if h.cfg.Bus != nil {
		h.cfg.Bus.Publish(fanout.Packet{Room: id, Signal: s})
	}
}

// Cards yields the cards of rooms; see journal.Store.
func (h *Hub) Cards(ctx context.Context, q journal.Query) iter.Seq2[room.Card, error] {
	return func(yield func(room.Card, error) bool) {
		for card, err := range h.cfg.Store.Cards(ctx, q) {
			if err != nil {
				h.cfg.Log.Error("list rooms", "err", err)
				err = asRefusal(err)
			}
			if !yield(card, err) {
				return
			}
		}
	}
}

// NewEpoch returns a random name for a new log.
func NewEpoch() string { return rand.Text()[:10] }

// NewRoomID returns a random id for a new room: 26 characters, 130 bits.
func NewRoomID() room.ID { return room.ID(rand.Text()) }

// acquire returns the actor of a room, opened if need be, and keeps it open until release.
func (h *Hub) acquire(id room.ID) (*actor, error) {
	if !room.ValidID(string(id)) {
		return nil, notFound(id)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Err() != nil {
		return nil, context.Cause(h.ctx)
	}
	a, ok := h.rooms[id]
	if !ok {
		a = newActor(h, id)
		h.rooms[id] = a
		h.actors.Go(a.run)
		if h.cfg.Bus != nil {
			h.cfg.Bus.Subscribe(id)
		}
	}
	a.refs++
	return a, nil
}

func notFound(id room.ID) error {
	return &room.Error{
		Code: room.CodeNotFound, Reason: room.ReasonRoomNotFound,
		Text: fmt.Sprintf("there is no room %q: check the id, or create a room", id),
	}
}

// hold keeps an actor open, from within it.
func (h *Hub) hold(a *actor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.refs++
}

func (h *Hub) release(a *actor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.refs--
	a.idle = h.cfg.Clock.Now()
	if a.refs == 0 && a.void.Load() && h.rooms[a.id] == a { // nothing to keep for the next one who asks
		h.remove(a)
		close(a.closing)
	}
}

// forget takes an actor that ended by itself out of the list of open rooms.
func (h *Hub) forget(a *actor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rooms[a.id] == a {
		h.remove(a)
	}
}

func (h *Hub) remove(a *actor) {
	delete(h.rooms, a.id)
	if h.cfg.Bus != nil {
		h.cfg.Bus.Unsubscribe(a.id)
	}
}

// poll has the open rooms look for what other nodes wrote: the bus may have lost the hint.
func (h *Hub) poll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.rooms {
		_ = a.put(request{urgent: true, ask: a.catchUp})
	}
}

// closeIdle closes the rooms that nobody has used for a while.
func (h *Hub) closeIdle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.cfg.Clock.Now().Add(-h.cfg.IdleAfter)
	for _, a := range h.rooms {
		if a.refs == 0 && !a.idle.After(before) {
			h.remove(a)
			close(a.closing)
		}
	}
}

// sweep opens the rooms that have work to do: since the last hub ended, or because a deadline came while they were closed.
func (h *Hub) sweep() {
	if h.cfg.Worker == nil {
		return
	}
	for card, err := range h.cfg.Store.Cards(h.ctx, journal.Query{Woken: h.cfg.Clock.Now()}) {
		if err != nil {
			h.cfg.Log.Error("sweep", "err", err)
			return
		}
		if a, err := h.acquire(card.Room); err == nil {
			h.release(a)
		}
	}
}

// receive passes on what other nodes tell.
func (h *Hub) receive() {
	for {
		p, err := h.cfg.Bus.Receive(h.ctx)
		if err != nil {
			return
		}
		h.mu.Lock()
		a := h.rooms[p.Room]
		h.mu.Unlock()
		switch {
		case a == nil:
		case p.Signal != nil:
			a.feed.signal(p.Signal)
		default:
			a.hint(p.Head)
		}
	}
}
