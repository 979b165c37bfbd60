package hub

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/fanout"
	"parley/journal"
	"parley/room"
	"parley/seam"
)

// Limits of one batch: what one append may carry.
const (
	maxBatchEntries = 512
	maxBatchText    = 256 << 10 // bytes of text after which a batch takes no further command
	keptInbox       = 256       // commands in a mailbox that is used again
	maxConflicts    = 16        // appends in a row that somebody else won, before the callers are told to try again
)

// An actor is one open room. run owns everything below the line; others reach it through the mailbox.
type actor struct {
	hub     *Hub
	id      room.ID
	feed    *feed
	closing chan struct{} // closed by the janitor
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
	resume bool // jobs wanted now were wanted before this actor began: count an attempt
}

// A request is something for the actor to do. Exactly one of command and ask is set.
type request struct {
	meta    room.Meta
	command room.Command
	answer  chan answer // nil if nobody waits
	urgent  bool        // taken even when the mailbox is full: the room's own work
	ask     func()
}

type answer struct {
	result Result
	err    error
}

func newActor(h *Hub, id room.ID) *actor {
	return &actor{
		hub: h, id: id, feed: newFeed(h.cfg.Ring), closing: make(chan struct{}), idle: h.cfg.Clock.Now(),
		wake: make(chan struct{}, 1), jobs: make(map[string]*run),
	}
}

var errBusy = &room.Error{Code: room.CodeBusy, Text: "the room has more to do than it can take: try again in a moment"}

// put adds a request to the mailbox and reports whether it will be seen to.
func (a *actor) put(r request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.full {
		return errDraining
	}
	if len(a.inbox) >= a.hub.cfg.Mailbox && !r.urgent {
		return errBusy
	}
	a.inbox = append(a.inbox, r)
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return nil
}

func (a *actor) do(ctx context.Context, meta room.Meta, c room.Command) (Result, error) {
	_, person := meta.By.Person()
	ch := a.hub.answers.Get().(chan answer)
	if err := a.put(request{meta: meta, command: c, answer: ch, urgent: !person}); err != nil {
		return Result{}, err
	}
	got, err := await(ctx, ch)
	if err != nil {
		return Result{}, err
	}
	a.hub.answers.Put(ch)
	return got.result, got.err
}

// call runs f in the actor and waits for it.
func (a *actor) call(ctx context.Context, f func()) error {
	done := make(chan answer, 1)
	err := a.put(request{answer: done, ask: func() {
		f()
		done <- answer{}
	}})
	if err != nil {
		return err
	}
	got, err := await(ctx, done)
	if err != nil {
		return err
	}
	return got.err
}

// await waits for an answer. One that is there is taken, even if ctx has ended meanwhile.
func await(ctx context.Context, ch <-chan answer) (answer, error) {
	select {
	case got := <-ch:
		return got, nil
	case <-ctx.Done():
	}
	select {
	case got := <-ch:
		return got, nil
	default:
		return answer{}, context.Cause(ctx)
	}
}

// hint says that the log may have grown to head elsewhere.
func (a *actor) hint(head room.Offset) {
	_ = a.put(request{urgent: true, ask: func() {
		if head > a.state.Head() {
			a.catchUp()
		}
	}})
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

func (a *actor) refuse(rs []request, err error) {
	for _, r := range rs {
		if r.answer != nil {
			r.answer <- answer{err: asRefusal(err)}
		}
	}
}

// commit decides the commands at the front of rs, appends what they lead to in one batch and answers them. It
// returns how many it saw to. An error means that nothing is known about them.
func (a *actor) commit(rs []request) (int, error) {
	for range maxConflicts {
		b := a.decide(rs)
		if len(b.entries) == 0 {
			if b.doubtful() && a.behind() {
				continue
			}
			b.answer()
			return b.taken, nil
		}
		err := a.append(b)
		if err == nil {
			b.answer()
			return b.taken, nil
		}
		answered, err := a.recover(b, err)
		if err != nil {
			return 0, err
		}
		if answered {
			return b.taken, nil
		}
	}
	a.refuse(rs, errBusy)
	return len(rs), nil
}

// doubtful reports whether a command led to nothing because of what the state says. If entries are appended, the
// append itself shows whether the state was up to date.
func (b *batch) doubtful() bool {
	for _, got := range b.answers {
		if got.err != nil || got.result.Offset == 0 {
			return true
		}
	}
	return false
}

// behind reads what other nodes wrote, and reports whether there was anything.
func (a *actor) behind() bool {
	if a.hub.cfg.Bus == nil {
		return false
	}
	head := a.state.Head()
	a.catchUp()
	return a.state.Head() > head
}

// A batch is what one append carries, and what to tell whom when it is durable.
type batch struct {
	entries []room.Entry
	answers []answer
	rs      []request
	taken   int
	text    int // bytes
	joined  []room.PersonID
	left    []room.PersonID
}

func (b *batch) answer() {
	for i, got := range b.answers {
		if ch := b.rs[i].answer; ch != nil {
			ch <- got
		}
	}
}

// decide decides commands until the batch is full or something else than a command waits, applying as it goes.
func (a *actor) decide(rs []request) *batch {
	b := &batch{rs: rs, answers: make([]answer, 0, len(rs))}
	now := a.hub.cfg.Clock.Now().UTC()
	for _, r := range rs {
		if r.command == nil || len(b.entries) >= maxBatchEntries || b.text >= maxBatchText {
			break
		}
		r.meta.At = now
		b.answers = append(b.answers, a.decideOne(b, r))
		b.taken++
	}
	return b
}

func (a *actor) decideOne(b *batch, r request) answer {
	if at, ok := a.state.Landed(r.meta.By, r.meta.Cause); ok && !seam.Planted("hub.no.dedup") {
		return answer{result: Result{Offset: at}}
	}
	r.meta.Said = a.feed.words()
	events, err := a.state.Decide(r.meta, r.command)
	if err != nil || len(events) == 0 {
		return answer{err: err}
	}
	first := a.state.Head() + 1
	for _, event := range events {
		b.entries = append(b.entries, room.Entry{
			Room: a.id, Offset: a.state.Head() + 1, At: r.meta.At, By: r.meta.By, Cause: r.meta.Cause, Event: event,
		})
		a.state.Apply(&b.entries[len(b.entries)-1])
		b.note(event)
	}
	a.feed.freeze(events)
	return answer{result: Result{Offset: first, Entries: len(events)}}
}

// note remembers whose membership the event changes, and how much text it carries.
func (b *batch) note(event room.Event) {
	switch v := event.(type) {
	case room.MessagePosted:
		b.text += len(v.Text)
	case room.ReplyCompleted:
		b.text += len(v.Text)
	case room.ReplyInterrupted:
		b.text += len(v.Text)
	case room.ReplyFailed:
		b.text += len(v.Text)
	case room.RoomDescribed, room.ModelAdded, room.ModelUpdated:
		b.text += maxBatchText / 8 // personas
	case room.PersonJoined:
		b.joined = append(b.joined, v.Person.ID)
	case room.PersonLeft:
		b.left = append(b.left, v.Person.ID)
	}
}

// append makes the batch durable and shows it to the followers.
func (a *actor) append(b *batch) error {
	first := b.entries[0].Offset
	batch := journal.Batch{
		Room: a.id, After: first - 1, Prev: a.hash, Entries: b.entries, Joined: b.joined, Left: b.left,
	}
	card := a.state.Card()
	if !card.Equal(a.card) {
		batch.Card = &card
	}
	fresh := newItems(b.entries)
	if seam.Planted("hub.publish.early") {
		a.show(fresh)
	}
	seam.Hit("hub.append.before")
	if err := a.hub.cfg.Store.Append(a.hub.whole, batch); err != nil {
		return err
	}
	seam.Hit("hub.append.after")
	a.card = card
	a.hash = b.entries[len(b.entries)-1].Hash
	a.show(fresh)
	a.welcome(b.joined)
	if bus := a.hub.cfg.Bus; bus != nil {
		bus.Publish(fanout.Packet{Room: a.id, Head: a.state.Head()})
	}
	return nil
}

func newItems(entries []room.Entry) []*Item {
	items := make([]Item, len(entries))
	list := make([]*Item, len(entries))
	for i := range entries {
		items[i].Entry = &entries[i]
		list[i] = &items[i]
	}
	return list
}

// recover finds out what became of a batch whose append failed. The state is folded anew, since it holds entries
// that may not exist. Nothing was written after a conflict: the batch is to be decided again. Otherwise the causes
// tell what landed, and everybody is answered.
func (a *actor) recover(b *batch, failure error) (answered bool, err error) {
	seam.Hit("hub.recover")
	before := b.entries[0].Offset - 1
	if err := a.refold(); err != nil {
		return false, err
	}
	if errors.Is(failure, journal.ErrConflict) {
		return false, nil
	}
	a.hub.cfg.Log.Error("append", "room", a.id, "offset", before+1, "err", failure)
	landedAt, err := a.landedSince(before)
	if err != nil {
		return false, err
	}
	for i, r := range b.rs[:b.taken] {
		if r.answer != nil {
			r.answer <- b.answers[i].given(landedAt[landing{r.meta.By, r.meta.Cause}], before, failure)
		}
	}
	return true, nil
}

// given turns the answer that was to follow an append into the one to give after its failure: at is where the command
// landed all the same, 0 if it did not. What was decided after entries that do not exist, refusals included, is void.
func (got answer) given(at, before room.Offset, failure error) answer {
	switch {
	case at != 0:
		return answer{result: Result{Offset: at, Entries: got.result.Entries}}
	case got.err == nil && got.result.Offset <= before:
		return got
	}
	return answer{err: asRefusal(failure)}
}

// A landing names a command in the log.
type landing struct {
	by    room.Identity
	cause string
}

// landedSince maps the commands that led to entries after an offset to the first entry of each.
func (a *actor) landedSince(after room.Offset) (map[landing]room.Offset, error) {
	landed := make(map[landing]room.Offset)
	for e, err := range a.hub.cfg.Store.Read(a.hub.ctx, a.id, after) {
		if err != nil {
			return nil, err
		}
		key := landing{e.By, e.Cause}
		if _, known := landed[key]; !known {
			landed[key] = e.Offset
		}
	}
	return landed, nil
}

// settle brings jobs and timer in line with the state.
func (a *actor) settle() {
	a.syncJobs()
	due := a.state.Due()
	if due.Equal(a.due) {
		return
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	a.due, a.timer = due, nil
	if !due.IsZero() {
		a.timer = a.hub.cfg.Clock.AfterFunc(due.Sub(a.hub.cfg.Clock.Now()), a.tick)
	}
}

// tick tells the state that its time has come.
func (a *actor) tick() {
	_ = a.put(request{meta: room.Meta{By: room.System, Cause: room.Unkeyed + "tick"}, command: room.Tick{}, urgent: true})
	_ = a.put(request{urgent: true, ask: func() { a.due = time.Time{} }})
}

func (a *actor) view(ctx context.Context, viewer room.Identity, n int) (View, error) {
	var v View
	err := a.call(ctx, func() { v, _ = a.feed.view(a.state.View(viewer, n)) })
	switch {
	case err != nil:
		return View{}, err
	case v.Offset == 0:
		return View{}, notFound(a.id)
	}
	return v, nil
}
