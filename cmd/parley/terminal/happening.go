package terminal

import (
	"slices"
	"strings"
	"time"

	"parley/client"
)

// applyReply folds what is about a reply under way.
func (s *story) applyReply(ev client.Event) {
	switch e := ev.(type) {
	case client.Thinking:
		if old := s.byID[e.MessageID]; old == nil || old.phase != settled {
			s.reply(e.MessageID, e.ModelID, e.ReplyTo, e.At)
		}
	case client.Chunk:
		it := s.byID[e.MessageID]
		if it == nil {
			it = s.reply(e.MessageID, e.ModelID, e.ReplyTo, e.At)
		}
		if it.phase != settled {
			it.speak(e.Position, e.Text)
		}
	case client.Done:
		s.done(e)
	}
}

// reply begins a reply, or begins it anew.
func (s *story) reply(id, model, replyTo string, at time.Time) *item {
	it := &item{phase: thinking, id: id, by: model, name: s.nameOf(model), colour: s.colour(model), model: true, replyTo: replyTo, at: at}
	if m := s.modelOf(model); m != nil {
		it.demo = m.Demo
	}
	if old := s.byID[id]; old != nil {
		*old = *it
		return old
	}
	s.byID[id] = it
	s.replies = append(s.replies, it)
	return it
}

// speak puts words at a position of the reply; what followed there is void.
func (it *item) speak(position int, words string) {
	if position > len(it.raw) {
		return
	}
	it.raw = it.raw[:position] + words
	it.phase, it.text, it.painted = speaking, Text(strings.ToValidUTF8(it.raw, "")), painting{}
}

// done ends a reply that became no message.
func (s *story) done(e client.Done) {
	i := slices.IndexFunc(s.replies, func(r *item) bool { return r.id == e.MessageID })
	if i < 0 {
		return
	}
	s.replies = slices.Delete(s.replies, i, i+1)
	delete(s.byID, e.MessageID)
	switch name := s.nameOf(e.ModelID); {
	case e.Declined != "":
		s.tell(e.Stamp, name+" did not want to answer: "+e.Declined)
	case s.failed == 0 || s.failed != e.Offset:
		s.tell(e.Stamp, because(name+" was stopped before it said a word", e.Stopped))
	}
}

// applyRoom folds what is about the room, its people and its models.
func (s *story) applyRoom(ev client.Event) {
	switch e := ev.(type) {
	case client.UserJoined:
		s.came(e)
	case client.UserLeft:
		s.went(e)
	case client.UserUpdated:
		s.changed(e)
	case client.Present:
		for i, p := range s.people {
			s.people[i].Online = slices.Contains(e.UserIDs, p.ID)
		}
	case client.ModelAdded:
		s.setModel(e.Model)
		s.tell(e.Stamp, modelLabel(e.Model)+" has a seat now")
	case client.ModelUpdated:
		s.setModel(e.Model)
		s.tell(e.Stamp, modelLabel(e.Model)+" was changed")
	case client.ModelRemoved:
		s.tell(e.Stamp, s.nameOf(e.ModelID)+" has no seat any more")
		s.room.Models = slices.DeleteFunc(slices.Clone(s.room.Models), func(m client.Model) bool { return m.ID == e.ModelID })
	case client.RoomUpdated:
		if e.Room.Description != s.room.Description {
			s.tell(e.Stamp, "The room is about: "+Line(e.Room.Description))
		}
		s.room = e.Room
	}
}

func (s *story) came(e client.UserJoined) {
	known := s.person(e.Person.ID)
	wasOnline := known != nil && known.Online
	s.setPerson(e.Person)
	switch {
	case e.Offset != 0:
		s.tell(e.Stamp, s.nameOf(e.Person.ID)+" joined")
		s.arriving = e.Person.ID
	case s.arriving == e.Person.ID: // told with the join
		s.arriving = ""
	case !wasOnline:
		s.presence(e.Person.ID, " is here")
	}
}

func (s *story) went(e client.UserLeft) {
	if p := s.person(e.UserID); p != nil {
		p.Online = false
	}
	s.stopTyping(e.UserID)
	if e.LeftRoom {
		s.tell(e.Stamp, s.nameOf(e.UserID)+" left the room")
		return
	}
	s.presence(e.UserID, " went away")
}

// presence tells that somebody came or went. Only the last word about somebody is kept, as long as nothing else
// happens: lines that flap do not fill the screen.
func (s *story) presence(id, what string) {
	if n := len(s.items); n > 0 && s.items[n-1].kind == notice && s.items[n-1].by == id {
		s.items = s.items[:n-1]
	}
	s.add(&item{kind: notice, by: id, text: s.nameOf(id) + what})
}

func (s *story) changed(e client.UserUpdated) {
	before := s.person(e.Person.ID)
	was := s.nameOf(e.Person.ID)
	if before != nil && before.Role != e.Person.Role {
		s.tell(e.Stamp, Line(e.Person.Name)+" is "+roleLabel(e.Person.Role)+" now")
	}
	if before != nil {
		e.Person.Online = before.Online // an update does not tell
	}
	s.setPerson(e.Person)
	if is := s.nameOf(e.Person.ID); is != was {
		s.tell(e.Stamp, was+" is called "+is+" now")
	}
}

func (s *story) setPerson(p client.Person) {
	if old := s.person(p.ID); old != nil {
		*old = p
		return
	}
	s.people = append(s.people, p)
}

func (s *story) setModel(m client.Model) {
	if old := s.modelOf(m.ID); old != nil {
		*old = m
		return
	}
	s.room.Models = append(s.room.Models, m)
}

func modelLabel(m client.Model) string {
	name := Line(m.Name)
	if name == "" {
		name = Line(m.ID)
	}
	if m.Demo {
		name += " (demo model)"
	}
	return name
}

func roleLabel(r client.Role) string {
	switch r {
	case client.Admin:
		return "an admin"
	case client.Viewer:
		return "a viewer"
	case client.Member:
	}
	return "a member"
}
