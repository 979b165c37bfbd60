package terminal

import (
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"parley/client"
)

// A kind is what an item of the story is.
type kind int

const (
	message kind = iota
	notice       // something happened, or an answer to a command
	problem      // something went wrong
)

// A phase is how far a message has come.
type phase int

const (
	settled  phase = iota
	waiting        // written here, not yet stored by the server
	refused        // written here, not taken by the server
	thinking       // asked of a model that has not said a word yet
	speaking       // a model is saying it
)

// An item is one thing the transcript shows. Its texts are clean.
type item struct {
	kind    kind
	phase   phase
	id      string // of the message; while it waits, its client id
	by      string // id of the speaker
	name    string
	colour  int
	model   bool
	demo    bool
	at      time.Time
	raw     string // of a reply under way: its words as they came
	text    string
	replyTo string
	note    string // what to know about it
	card    string // of a poll: how it stands
	offset  uint64 // of a message that the server has stored and not told of yet

	painted painting
}

// A story is what is known of the room and what happened in it.
type story struct {
	me      string
	room    client.Room
	people  []client.Person
	state   client.StateChanged
	items   []*item // what is settled, oldest first
	replies []*item // under way
	outgoing
	byID     map[string]*item
	typing   []typist
	arriving string         // whose join was told last: that they are here is no news
	arrived  int            // counts the messages that came, for whoever does not look
	colours  map[string]int // of the speakers; numbers that a painter knows
	failed   uint64         // offset of the entry that told of the last failure
	council  client.Council
	zone     *time.Location
}

// A typist is somebody who is writing.
type typist struct {
	id    string
	name  string
	until time.Time
}

const typingTime = 6 * time.Second

func newStory(me string) *story {
	return &story{me: me, byID: make(map[string]*item), colours: make(map[string]int), state: client.StateChanged{State: client.Connecting}, zone: time.Local}
}

// apply folds an event. What the person who looks has done is known from it too.
func (s *story) apply(ev client.Event, now time.Time) {
	switch e := ev.(type) {
	case client.StateChanged:
		s.state = e
	case client.Snapshot:
		s.snapshot(e)
	case client.MessageReceived:
		s.received(e)
	case client.Problem:
		s.failed = e.Offset
		s.add(&item{kind: problem, at: e.At, text: Text(e.Err.Message)})
	case client.Typing:
		s.types(e, now)
	case client.Thinking, client.Chunk, client.Done:
		s.applyReply(ev)
	default:
		s.applyRoom(ev)
	}
	s.applyCouncil(ev)
}

func (s *story) snapshot(e client.Snapshot) {
	s.room, s.people = e.Room, e.People
	s.items, s.replies, s.typing = nil, nil, nil
	clear(s.byID)
	s.skip(e.Cursor.Offset)
	for _, m := range e.Room.Models {
		s.colour(m.ID)
	}
	for _, p := range e.People {
		s.colour(p.ID)
	}
	for _, m := range e.Messages {
		s.add(s.item(m))
	}
	for _, r := range e.Replies {
		it := s.reply(r.ID, r.ModelID, r.ReplyTo, r.StartedAt)
		if r.Text != "" {
			it.speak(0, r.Text)
		}
	}
	if e.Reset {
		s.tell(client.Stamp{}, "The server could not tell what happened meanwhile: "+e.Reason)
	}
}

func (s *story) received(e client.MessageReceived) {
	s.stopTyping(e.Message.SenderID)
	s.forget(e.ClientID)
	if old := s.byID[e.Message.ID]; old != nil && old.phase == settled {
		return
	}
	it := s.item(e.Message)
	if old := s.byID[it.id]; old != nil {
		s.replies = slices.DeleteFunc(s.replies, func(r *item) bool { return r == old })
		*old = *it // the same item, so that a reader who has scrolled to it stays there
		it = old
	}
	s.arrived++
	s.add(it)
}

func (s *story) add(it *item) {
	if it.id != "" {
		s.byID[it.id] = it
	}
	s.items = append(s.items, it)
}

// prepend adds older messages, oldest first, that are not known yet.
func (s *story) prepend(messages []client.Message) {
	var older []*item
	for _, m := range messages {
		if s.byID[m.ID] == nil {
			it := s.item(m)
			s.byID[it.id] = it
			s.redraw(it.id)
			older = append(older, it)
		}
	}
	s.items = append(older, s.items...)
}

// item makes an item of a message.
func (s *story) item(m client.Message) *item {
	it := &item{
		id: m.ID, by: m.SenderID, name: Line(m.SenderName), colour: s.colour(m.SenderID), model: m.ByModel, at: m.At,
		text: Text(m.Text), replyTo: m.ReplyTo,
	}
	if known := s.modelOf(m.SenderID); m.ByModel && known != nil {
		it.demo = known.Demo
	}
	switch m.End {
	case client.Interrupted:
		it.note = "interrupted"
	case client.Failed:
		it.note = "broke off here: the model failed"
	case client.Complete:
	}
	return it
}

// tell adds a line of what happened.
func (s *story) tell(at client.Stamp, text string) {
	s.add(&item{kind: notice, at: at.At, text: Text(text)})
}

// complain adds a line of what went wrong.
func (s *story) complain(text string) { s.add(&item{kind: problem, text: Text(text)}) }

// all lists what there is to show, in order.
func (s *story) all() []*item { return slices.Concat(s.items, s.replies, s.pending) }

func (s *story) types(e client.Typing, now time.Time) {
	s.stopTyping(e.UserID)
	if e.Typing && e.UserID != s.me {
		s.typing = append(s.typing, typist{e.UserID, Line(e.UserName), now.Add(typingTime)})
	}
}

func (s *story) stopTyping(id string) {
	s.typing = slices.DeleteFunc(s.typing, func(t typist) bool { return t.id == id })
}

// expire forgets typists that were not heard of for long.
func (s *story) expire(now time.Time) {
	s.typing = slices.DeleteFunc(s.typing, func(t typist) bool { return now.After(t.until) })
}

// colour returns the number of somebody's colour. It comes from the id, so that it is the same every day, unless another
// speaker of the room has that one and a free one is left.
func (s *story) colour(id string) int {
	if c, ok := s.colours[id]; ok {
		return c
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	c := int(h.Sum32() % speakerColours)
	taken := make(map[int]bool)
	for _, other := range s.colours {
		taken[other] = true
	}
	for n := 0; taken[c] && n < speakerColours; n++ {
		c = (c + 1) % speakerColours
	}
	s.colours[id] = c
	return c
}

func (s *story) modelOf(id string) *client.Model {
	for i := range s.room.Models {
		if s.room.Models[i].ID == id {
			return &s.room.Models[i]
		}
	}
	return nil
}

// findModel finds a model by what a person would call it.
func (s *story) findModel(name string) *client.Model {
	name = strings.TrimPrefix(name, "@")
	for i, m := range s.room.Models {
		for _, n := range []string{m.ID, m.Name, strings.ReplaceAll(m.Name, " ", "_")} {
			if strings.EqualFold(n, name) {
				return &s.room.Models[i]
			}
		}
	}
	return nil
}

func (s *story) person(id string) *client.Person {
	for i := range s.people {
		if s.people[i].ID == id {
			return &s.people[i]
		}
	}
	return nil
}

// nameOf is how to call a person or a model.
func (s *story) nameOf(id string) string {
	if p := s.person(id); p != nil && p.Name != "" {
		return Line(p.Name)
	}
	if m := s.modelOf(id); m != nil && m.Name != "" {
		return Line(m.Name)
	}
	return Line(id)
}
