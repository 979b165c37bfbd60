package hub

import (
	"context"
	"iter"
	"slices"

	"parley/room"
	"parley/seam"
)

const (
	viewMessages = 50  // messages in the view that begins a follow
	pageItems    = 128 // entries taken at once
)

// Follow yields what viewer may see of a room from a cursor on, as it happens: first a View if the cursor is zero or
// cannot be resumed, else Resumed; then every entry that follows, each once and in order, with the signals in
// between. It ends when ctx does, when the consumer leaves the loop, or with an error of code draining or unavailable,
// after which a new Follow with the last cursor goes on.
//
// Nothing is queued: a slow consumer is served from the ring of recent entries and then from the store, and gets the
// words of a running reply in larger pieces.
func (h *Hub) Follow(ctx context.Context, id room.ID, viewer room.Identity, from Cursor) iter.Seq2[*Item, error] {
	return func(yield func(*Item, error) bool) {
		a, err := h.acquire(id)
		if err != nil {
			yield(nil, err)
			return
		}
		defer h.release(a)
		woken := make(chan struct{}, 1)
		f := &follower{actor: a, viewer: viewer, wake: func() {
			select {
			case woken <- struct{}{}:
			default:
			}
		}}
		defer func() { f.forget() }()
		first, err := f.start(ctx, from)
		if err != nil {
			yield(nil, err)
			return
		}
		if yield(first, nil) {
			f.loop(ctx, woken, yield)
		}
	}
}

// A follower is how far one consumer has read. It belongs to whoever serves it; only wake may be called by others.
type follower struct {
	actor  *actor
	viewer room.Identity
	wake   func() // called once after take had nothing, when there is something
	at     room.Offset
	heard  []heard // of the running replies
	stamp  uint64  // of the newest signal seen

	resumed bool // to be told who is present, once it is level
}

// heard is how much of a running reply a follower has.
type heard struct {
	spoken *spoken
	bytes  int
}

// start finds where to begin, and what to begin with.
func (f *follower) start(ctx context.Context, from Cursor) (*Item, error) {
	first := new(Item)
	seam.Hit("hub.follow.start")
	if err := f.actor.call(ctx, func() { f.place(first, from) }); err != nil {
		return nil, err
	}
	if first.View != nil && first.View.Offset == 0 {
		return nil, notFound(f.actor.id)
	}
	if seam.Hit("hub.follow.placed"); seam.Planted("hub.follow.gap") {
		f.at = f.actor.feed.newestOffset()
	}
	return first, nil
}

// place puts the follower at the cursor, or at the head with a view of the room. It runs in the actor, where the
// state and the feed are level.
func (f *follower) place(first *Item, from Cursor) {
	a := f.actor
	f.stamp = a.feed.newest()
	if from.Offset > a.state.Head() { // another node wrote, and its hint has not come
		a.catchUp()
	}
	reset := ""
	switch {
	case from == (Cursor{}):
	case from.Epoch != a.feed.current():
		reset = "the room's history was replaced since"
	case from.Offset > a.state.Head():
		reset = "the cursor is ahead of the room's log"
	default:
		f.at = from.Offset
		f.resumed, first.Resumed = true, true
		return
	}
	view, known := a.feed.view(a.state.View(f.viewer, viewMessages))
	view.Reset = reset
	f.at, f.heard = view.Offset, known
	first.View = &view
}

func (f *follower) loop(ctx context.Context, woken <-chan struct{}, yield func(*Item, error) bool) {
	var items []*Item
	for {
		var err error
		if items, err = f.take(ctx, items[:0]); err != nil {
			yield(nil, err)
			return
		}
		for _, it := range items {
			if !yield(it, nil) {
				return
			}
		}
		if clear(items); len(items) > 0 {
			continue
		}
		select {
		case <-woken:
		case <-ctx.Done():
		}
	}
}

// take appends to dst what there is for the follower: entries, or else signals. If there is nothing it returns dst as
// it is, and wake will be called.
func (f *follower) take(ctx context.Context, dst []*Item) ([]*Item, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		seam.Hit("hub.follow.next")
		items, what, err := f.next(dst)
		if what == behind {
			items, err = f.page(ctx, dst)
		}
		if err != nil || what == level {
			return dst, err
		}
		if items = f.visible(items); len(items) > 0 {
			return items, nil
		}
	}
}

// visible moves the follower past the items and returns those that its viewer may see.
func (f *follower) visible(items []*Item) []*Item {
	shown := items[:0]
	for _, it := range items {
		if it.Entry != nil {
			f.at = it.Entry.Offset
		}
		if it.Entry == nil || it.Entry.VisibleTo(f.viewer) {
			shown = append(shown, it)
		}
	}
	return shown
}

// page appends entries from the store, up to where the ring begins.
func (f *follower) page(ctx context.Context, dst []*Item) ([]*Item, error) {
	seam.Hit("hub.follow.page")
	feed := f.actor.feed
	epoch := feed.current()
	for e, err := range f.actor.hub.cfg.Store.Read(ctx, f.actor.id, f.at) {
		if err != nil {
			return dst, asRefusal(err)
		}
		if len(dst) >= pageItems || !feed.shown(e.Offset) { // in the store, but not acknowledged yet
			break
		}
		dst = append(dst, &Item{Entry: &e, Epoch: epoch})
	}
	return dst, nil
}

// standing is where a follower stands.
type standing int

const (
	ready  standing = iota // there is something for it
	behind                 // what it needs next is no more in the ring
	level                  // it has everything, and is woken when there is more
)

// next appends to dst what there is for the follower: entries from the ring, or else signals.
func (f *follower) next(dst []*Item) ([]*Item, standing, error) {
	feed := f.actor.feed
	feed.mu.Lock()
	defer feed.mu.Unlock()
	if feed.err != nil {
		return dst, ready, feed.err
	}
	var items []*Item
	switch {
	case !feed.ring.covers(f.at, feed.head):
		return dst, behind, nil
	case f.at < feed.head:
		items = f.lastWords(feed.ring.appendAfter(dst, f.at, pageItems))
	case f.resumed:
		f.resumed = false
		items = append(dst, &Item{Present: feed.everybody()})
	default:
		items = f.hear(dst)
	}
	if len(items) > len(dst) {
		return items, ready, nil
	}
	feed.waiters = append(feed.waiters, f)
	return dst, level, nil
}

// forget takes the follower off the list of those to wake, and reports whether it was on it.
func (f *follower) forget() bool {
	feed := f.actor.feed
	feed.mu.Lock()
	defer feed.mu.Unlock()
	n := len(feed.waiters)
	feed.waiters = slices.DeleteFunc(feed.waiters, func(o *follower) bool { return o == f })
	return len(feed.waiters) < n
}

// lastWords puts before the end of a reply what the follower has not heard of it yet, unless it only now learns that
// the reply began.
func (f *follower) lastWords(items []*Item) []*Item {
	for i := 0; i < len(items); i++ {
		s := items[i].ended
		if s == nil || s.ref.ID > f.at {
			continue
		}
		if n := f.heardOf(s); s.text.Len() > n {
			items = slices.Insert(items, i, s.since(n))
			i++
		}
	}
	return items
}

// heardOf returns how many bytes of a reply the follower has.
func (f *follower) heardOf(s *spoken) int {
	for _, h := range f.heard {
		if h.spoken == s {
			return h.bytes
		}
	}
	return 0
}

// hear collects the signals that are new to the follower. The feed is locked.
func (f *follower) hear(items []*Item) []*Item {
	feed := f.actor.feed
	for i := len(feed.signals); i > 0; i-- {
		if feed.signals[i-1].stamp > f.stamp {
			continue
		}
		return f.words(feed.appendSignals(items, i, &f.stamp))
	}
	return f.words(feed.appendSignals(items, 0, &f.stamp))
}

// words collects what running replies have said since.
func (f *follower) words(items []*Item) []*Item {
	feed := f.actor.feed
	if len(feed.spoken) == 0 {
		f.heard = nil
		return items
	}
	if !f.level() {
		f.heard = feed.match(f.heard)
	}
	for i := range f.heard {
		h := &f.heard[i]
		if n := h.spoken.text.Len(); n > h.bytes {
			items = append(items, h.spoken.since(h.bytes))
			h.bytes = n
		}
	}
	return items
}

// level reports whether the follower knows of exactly the replies that run.
func (f *follower) level() bool {
	feed := f.actor.feed
	if len(f.heard) != len(feed.spoken) {
		return false
	}
	for i, h := range f.heard {
		if h.spoken != feed.spoken[i] {
			return false
		}
	}
	return true
}

// since returns the words from a position on.
func (s *spoken) since(n int) *Item {
	if said, ok := s.last.Signal.(room.Said); ok && said.Position == n {
		return s.last
	}
	return &Item{Signal: room.Said{Reply: s.ref, Position: n, Text: s.text.String()[n:]}}
}

// match lists the running replies with how much of each is known.
func (f *feed) match(known []heard) []heard {
	list := make([]heard, len(f.spoken))
	for i, s := range f.spoken {
		list[i].spoken = s
		for _, k := range known {
			if k.spoken == s {
				list[i].bytes = k.bytes
			}
		}
	}
	return list
}

// allHeard lists the running replies with all their words. The lock is held.
func (f *feed) allHeard() []heard {
	list := f.match(nil)
	for i := range list {
		list[i].bytes = list[i].spoken.text.Len()
	}
	return list
}

func (f *feed) appendSignals(items []*Item, from int, stamp *uint64) []*Item {
	for _, s := range f.signals[from:] {
		items = append(items, s.item)
		*stamp = s.stamp
	}
	return items
}

func (f *feed) newest() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.stamp
}

func (f *feed) newestOffset() room.Offset {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.head
}

func (f *feed) current() string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.epoch
}

// shown reports whether the entry has been shown to followers, and so is acknowledged.
func (f *feed) shown(at room.Offset) bool { return at <= f.newestOffset() }
