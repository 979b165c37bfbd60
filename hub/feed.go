package hub

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"parley/room"
	"parley/seam"
)

// An Item is what a follower gets next. Exactly one of View, Resumed, Present, Entry and Signal is set.
type Item struct {
	View    *View
	Resumed bool            // the follow goes on at its cursor: the missed entries come next, and then who is Present
	Present []room.PersonID // who is online, in alphabetical order; never nil where it is what the item tells
	Entry   *room.Entry
	Epoch   string // the log that Entry belongs to
	Signal  room.Signal

	ended  *spoken // the reply that Entry ends
	frames [2]atomic.Pointer[[]any]
}

// A Wire is one of the encodings in which items leave the server.
type Wire int

// The wires.
const (
	Proto Wire = iota
	JSON
)

// Frames returns the item as the messages of a wire. It is encoded once, however many followers ask: encode must
// depend on nothing but the item, and nobody may change what it returned.
func (it *Item) Frames(w Wire, encode func(*Item) []any) []any {
	if got := it.frames[w].Load(); got != nil {
		return *got
	}
	frames := encode(it)
	it.frames[w].Store(&frames)
	return frames
}

// A View is a room as one viewer sees it, and who is there.
type View struct {
	room.View
	Cursor Cursor
	Online map[room.PersonID]bool
	Reset  string // why a resume was answered with a view; empty if none was asked for
}

// A Cursor is a place in a room's log. The zero Cursor is nowhere.
type Cursor struct {
	Epoch  string
	Offset room.Offset
}

// A feed is what the followers of a room read: its newest entries, the words of its running replies, its signals and
// who is online. Nothing is queued for anybody: each follower remembers how far it has read.
type feed struct {
	mu      sync.RWMutex
	epoch   string
	ring    ring
	head    room.Offset
	spoken  []*spoken
	signals []stamped // by stamp; each key once
	stamp   uint64
	online  map[room.PersonID]int  // open connections
	left    map[room.PersonID]bool // who left while the room was open
	waiters []*follower            // level with everything above: to be woken when there is more
	err     error                  // why the feed ended
}

// spoken is what a running reply has said so far.
type spoken struct {
	ref     room.ReplyRef
	attempt int
	text    strings.Builder
	last    *Item // the newest delta, shared by all who are level with it
	frozen  bool  // the reply has ended in the log: late words are dropped
}

type stamped struct {
	stamp uint64
	item  *Item
}

// maxSignals bounds the keys remembered for those who are late.
const maxSignals = 256

func newFeed(n int) *feed {
	return &feed{ring: ring{most: n}, online: make(map[room.PersonID]int), left: make(map[room.PersonID]bool)}
}

// publish shows entries to the followers. Those they have seen already, after a refold, are left out.
func (f *feed) publish(items []*Item, s *room.State, epoch string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch = epoch
	for _, it := range items {
		if it.Entry.Offset <= f.head {
			continue
		}
		it.Epoch = f.epoch
		f.ring.add(it)
		f.head = it.Entry.Offset
		f.hear(it)
	}
	f.head = max(f.head, s.Head())
	f.listen(s.Running())
	f.tell()
}

// hear notes what an entry means for what is said: a reply begins anew, or ends.
func (f *feed) hear(it *Item) {
	if v, ok := it.Entry.Event.(room.ReplyResumed); ok {
		for i, s := range f.spoken {
			if s.ref.ID == v.Reply.ID {
				f.spoken[i] = &spoken{ref: s.ref, attempt: v.Attempt}
			}
		}
	}
	if id, ended := endedReply(it.Entry.Event); ended {
		it.ended = f.find(id)
	}
	switch v := it.Entry.Event.(type) {
	case room.PersonJoined:
		delete(f.left, v.Person.ID)
	case room.PersonLeft: // what was signalled before must not be heard after it
		f.left[v.Person.ID] = true
		f.unsay(room.Presence{Person: v.Person}.Key(), room.Typing{Person: v.Person.ID}.Key())
	}
}

// unsay drops the signals with these keys.
func (f *feed) unsay(keys ...string) {
	f.signals = slices.DeleteFunc(f.signals, func(s stamped) bool { return slices.Contains(keys, s.item.Signal.Key()) })
}

// listen keeps the list of what is said in step with the replies that run.
func (f *feed) listen(running []room.Attempt) {
	if len(running) == 0 && len(f.spoken) == 0 {
		return
	}
	list := make([]*spoken, len(running))
	for i, a := range running {
		if list[i] = f.find(a.Reply.ID); list[i] == nil || list[i].attempt != a.N {
			list[i] = &spoken{ref: a.Reply, attempt: a.N}
		}
	}
	f.spoken = list
}

// endedReply returns the reply that the event ends, if it ends one.
func endedReply(event room.Event) (room.Offset, bool) {
	switch v := event.(type) {
	case room.ReplyCompleted:
		return v.Reply.ID, true
	case room.ReplyInterrupted:
		return v.Reply.ID, true
	case room.ReplyFailed:
		return v.Reply.ID, true
	case room.ReplyDeclined:
		return v.Reply.ID, true
	}
	return 0, false
}

func (f *feed) find(id room.Offset) *spoken {
	for _, s := range f.spoken {
		if s.ref.ID == id {
			return s
		}
	}
	return nil
}

// tell wakes everybody who waits. The lock is held.
func (f *feed) tell() {
	for _, w := range f.waiters {
		w.wake()
	}
	clear(f.waiters)
	f.waiters = f.waiters[:0]
}

// signal shows a signal to the followers.
func (f *feed) signal(s room.Signal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if said, ok := s.(room.Said); ok {
		f.say(said)
		return
	}
	f.stamp++
	f.unsay(s.Key())
	if len(f.signals) >= maxSignals {
		f.signals = slices.Delete(f.signals, 0, 1)
	}
	f.signals = append(f.signals, stamped{f.stamp, &Item{Signal: s}})
	f.tell()
}

// say adds words to a running reply. Words that do not follow those heard so far are dropped: the whole text comes
// with the reply's end.
func (f *feed) say(said room.Said) {
	s := f.find(said.Reply.ID)
	if s == nil || s.frozen || said.Attempt != s.attempt || said.Position != s.text.Len() && !seam.Planted("hub.words.gap") {
		return
	}
	s.text.WriteString(said.Text)
	said.Reply = s.ref
	s.last = &Item{Signal: said}
	f.tell()
}

// thaw lets the running replies speak on: their ends, if any were decided, were not written.
func (f *feed) thaw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.spoken {
		s.frozen = false
	}
}

// attempt fills in which attempt at a reply speaks now, here where it runs.
func (f *feed) attempt(s room.Signal) room.Signal {
	said, ok := s.(room.Said)
	if !ok {
		return s
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if running := f.find(said.Reply.ID); running != nil {
		said.Attempt = running.attempt
	}
	return said
}

// words returns what each running reply has said so far; nil if none runs.
func (f *feed) words() map[room.Offset]string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if len(f.spoken) == 0 {
		return nil
	}
	words := make(map[room.Offset]string, len(f.spoken))
	for _, s := range f.spoken {
		words[s.ref.ID] = s.text.String()
	}
	return words
}

// freeze drops the words that come after a reply's end was decided, so that nobody sees more than the log keeps.
func (f *feed) freeze(events []room.Event) {
	for _, event := range events {
		id, ended := endedReply(event)
		if !ended {
			continue
		}
		f.mu.Lock()
		if s := f.find(id); s != nil {
			s.frozen = true
		}
		f.mu.Unlock()
	}
}

// view adds to a room's view what only the feed knows. heard is how much of the running replies it shows.
func (f *feed) view(v room.View) (shown View, heard []heard) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i := range v.Replies {
		if s := f.find(v.Replies[i].Ref.ID); s != nil {
			v.Replies[i].Text = s.text.String()
		}
	}
	return View{View: v, Cursor: Cursor{f.epoch, v.Offset}, Online: f.present(v.People)}, f.allHeard()
}

// present lists the members who have a connection. The lock is held.
func (f *feed) present(people []room.Person) map[room.PersonID]bool {
	online := make(map[room.PersonID]bool, len(f.online))
	for _, p := range people {
		if !p.Left && f.online[p.ID] > 0 {
			online[p.ID] = true
		}
	}
	return online
}

// end lets all followers go.
func (f *feed) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	f.tell()
}
