package room

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// MessagePosted says that a person wrote something. Its offset is the message's id.
type MessagePosted struct {
	Name     string    `json:"name"` // the writer's, as it was then
	Text     string    `json:"text"`
	ReplyTo  Offset    `json:"reply_to,omitempty"`
	Mentions []ModelID `json:"mentions,omitempty"`
}

func (MessagePosted) apply(s *State, e *Entry) { s.applyMessage(e) }

// PostMessage says something in the room. Every model that Text mentions, or that Hints name, is asked to reply.
type PostMessage struct {
	Text    string
	ReplyTo Offset   // 0 if it answers nothing in particular
	Hints   []string // ids or names a client believes are mentioned; unknown ones are ignored
}

func (c PostMessage) decide(s *State, m Meta) ([]Event, error) { return s.post(m, c) }

// End says what ended a message that a model wrote.
type End string

// The ends. A person's message has none.
const (
	Complete    End = "complete"
	Interrupted End = "interrupted"
	Failed      End = "failed"
)

// A Message is something said in the room, by a person or a model.
type Message struct {
	ID      Offset // the id of the message; a reply has it from the moment it was asked for
	Entry   Offset // the entry that holds its text
	By      Identity
	Name    string
	Text    string
	ReplyTo Offset
	At      time.Time
	End     End
	Poll    Offset // the poll it opens; 0 if it is no poll

	Autopilot Offset // the autopilot whose goal or guidance it is; 0 if it is neither
}

// MessageOf reads the message an entry holds, if it holds one.
func MessageOf(e *Entry) (Message, bool) {
	m := Message{ID: e.Offset, Entry: e.Offset, By: e.By, At: e.At}
	switch v := e.Event.(type) {
	case MessagePosted:
		m.Name, m.Text, m.ReplyTo = v.Name, v.Text, v.ReplyTo
	case ReplyCompleted:
		m.said(v.Reply, v.Text, Complete)
	case ReplyInterrupted:
		m.said(v.Reply, v.Text, Interrupted)
	case ReplyFailed:
		m.said(v.Reply, v.Text, Failed)
	case PollOpened:
		m.By, m.Name, m.Text, m.Poll = v.Opener(e.By), v.Name, v.Question, e.Offset
	case AutopilotStarted:
		m.Name, m.Text, m.Autopilot = v.Name, v.Goal, e.Offset
	case AutopilotGuided:
		m.Name, m.Text, m.ReplyTo, m.Autopilot = v.Name, v.Text, v.Autopilot, v.Autopilot
	}
	return m, m.Text != ""
}

func (m *Message) said(r ReplyRef, text string, end End) {
	m.ID, m.By, m.Name, m.ReplyTo = r.ID, ModelIdentity(r.Model), r.Name, r.Trigger
	m.Text, m.End = text, end
}

func (s *State) post(m Meta, c PostMessage) ([]Event, error) {
	p, err := s.writer(m.By)
	if err != nil {
		return nil, err
	}
	if err := s.checkText(c.Text); err != nil {
		return nil, err
	}
	if c.ReplyTo > s.head {
		return nil, invalid("reply_to %d: there is no such message yet", c.ReplyTo)
	}
	asked := s.mentioned(c)
	if len(asked) > s.spare() {
		return nil, refuse(CodeBusy, "%d replies are under way, and at most %d may be: interrupt one, or wait", len(s.replies), s.rules.MaxReplies)
	}
	events := []Event{MessagePosted{Name: p.Name, Text: c.Text, ReplyTo: c.ReplyTo, Mentions: asked}}
	like := ReplyRequested{Reply: ReplyRef{Trigger: s.head + 1}, For: p.ID}
	return append(events, s.ask(m, asked, like)...), nil
}

func (s *State) checkText(text string) error {
	switch {
	case len(text) > s.rules.MessageBytes:
		return invalid("the message has %d bytes, at most %d are allowed: send it in parts",
			len(text), s.rules.MessageBytes).because(ReasonMessageTooLarge)
	case !utf8.ValidString(text):
		return invalid("the message is not valid UTF-8").because(ReasonInvalidUTF8)
	case strings.TrimSpace(text) == "":
		return invalid("the message is empty").because(ReasonEmptyMessage)
	}
	return nil
}

// mentioned lists the models a person's message asks, in the order of the room's list.
func (s *State) mentioned(c PostMessage) []ModelID {
	asked := Mentions(c.Text, s.info.Models, true)
	if len(c.Hints) == 0 {
		return asked
	}
	hints := hinted(c.Hints, s.info.Models)
	return s.pick(func(id ModelID) bool { return slices.Contains(asked, id) || slices.Contains(hints, id) })
}

// pick lists the models that are wanted, in the order of the room's list.
func (s *State) pick(wanted func(ModelID) bool) (ids []ModelID) {
	for _, m := range s.info.Models {
		if wanted(m.ID) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// remembered is a message and who may see it.
type remembered struct {
	Message
	to []Identity
}

func (s *State) applyMessage(e *Entry) {
	m, ok := MessageOf(e)
	if !ok {
		return
	}
	if len(s.messages) >= 2*s.rules.Window {
		s.messages = slices.Delete(s.messages, 0, len(s.messages)-s.rules.Window)
	}
	s.messages = append(s.messages, remembered{m, e.To})
}

// newest lists the newest n messages that viewer may see, oldest first.
func (s *State) newest(viewer Identity, n int) []Message {
	list := make([]Message, 0, max(0, min(n, len(s.messages))))
	for i := len(s.messages) - 1; i >= 0 && len(list) < n; i-- {
		if visible(s.messages[i].to, viewer) {
			list = append(list, s.messages[i].Message)
		}
	}
	slices.Reverse(list)
	return list
}
