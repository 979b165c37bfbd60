package client

import (
	"context"
	"errors"

	roompb "parley/proto/gen/api/room"
)

// A Draft is a message to send. "@name" in its text asks a model to reply.
type Draft struct {
	Text     string
	ReplyTo  string   // id of the message it answers, or empty
	Mentions []string // ids or names of models to ask beside those the text mentions
	ClientID string   // to recognise its MessageReceived by, 64 characters at most and never used before; random if empty
}

// Send says something in the room and returns the offset of its entry once the server has stored it. It waits through
// broken connections, and returns an *Error if the server refuses, or ErrBusy.
func (s *Session) Send(ctx context.Context, d Draft) (offset uint64, err error) {
	m := &roompb.SendMessage{Content: d.Text, Mentions: d.Mentions}
	if d.ReplyTo != "" {
		m.ReplyTo = &d.ReplyTo
	}
	return s.do(ctx, &roompb.ClientMessage{
		Payload: &roompb.ClientMessage_Message{Message: m}, ClientId: d.ClientID,
	})
}

// AddModel gives a model a seat in the room. Without an ID it gets one made from its name. It returns as Send does.
func (s *Session) AddModel(ctx context.Context, m Model) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{Payload: &roompb.ClientMessage_AddLlm{AddLlm: &roompb.AddLLM{Llm: m.wire()}}})
}

// A ModelChange says what to change of a model: whatever is not nil.
type ModelChange struct {
	Model   *string
	Persona *string
	Name    *string
	Title   *string
	Style   *Style
	Avatar  *string
}

// UpdateModel changes a model. It returns as Send does.
func (s *Session) UpdateModel(ctx context.Context, id string, c ModelChange) (offset uint64, err error) {
	u := &roompb.UpdateLLM{
		LlmId: id, Model: c.Model, Persona: c.Persona, DisplayName: c.Name, Title: c.Title, Avatar: c.Avatar,
	}
	if c.Style != nil {
		u.ChatStyle = c.Style.wire().Enum()
	}
	return s.do(ctx, &roompb.ClientMessage{Payload: &roompb.ClientMessage_UpdateLlm{UpdateLlm: u}})
}

// RemoveModel takes a model's seat away. It returns as Send does.
func (s *Session) RemoveModel(ctx context.Context, id string) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{
		Payload: &roompb.ClientMessage_RemoveLlm{RemoveLlm: &roompb.RemoveLLM{LlmId: id}},
	})
}

// Describe sets the room's description. It returns as Send does.
func (s *Session) Describe(ctx context.Context, text string) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{Payload: &roompb.ClientMessage_UpdateRoomDescription{
		UpdateRoomDescription: &roompb.UpdateRoomDescription{Description: text},
	}})
}

// SetRole gives a member another role. Only an admin may. It returns as Send does.
func (s *Session) SetRole(ctx context.Context, user string, r Role) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{
		Payload: &roompb.ClientMessage_SetRole{SetRole: &roompb.SetRole{UserId: user, Role: r.wire()}},
	})
}

// SetPrivate says whether the room is left out of lists. Only an admin may. It returns as Send does.
func (s *Session) SetPrivate(ctx context.Context, private bool) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{Payload: &roompb.ClientMessage_SetVisibility{
		SetVisibility: &roompb.SetVisibility{Visibility: visibilityOf(private)},
	}})
}

// Leave ends the membership, and the session with it. It returns nil once that is certain.
func (s *Session) Leave(ctx context.Context) error {
	_, err := s.do(ctx, &roompb.ClientMessage{Payload: &roompb.ClientMessage_Leave{Leave: &roompb.LeaveRoom{}}})
	if errors.Is(err, ErrLeft) {
		return nil
	}
	return err
}

// Rename changes the name this person is shown under. The session joins once more to tell it; a server that refuses
// the name ends the session.
func (s *Session) Rename(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.join
	o.Name = name
	if err := sendable(joinMessage(o, Cursor{})); err != nil {
		return err
	}
	s.join = o
	s.rejoin()
	return s.err
}

// Typing tells the others that this person is writing, or not any more. It is lost when there is no connection.
func (s *Session) Typing(on bool) error {
	return s.signal(&roompb.ClientMessage{
		Payload: &roompb.ClientMessage_Typing{Typing: &roompb.TypingIndicator{IsTyping: on}},
	})
}

// Interrupt stops a reply, or with an empty messageID all running replies of the model. The words so far stay as a
// message. A refusal comes as a Problem. It returns ErrOffline when there is no connection.
func (s *Session) Interrupt(model, messageID string) error {
	i := &roompb.InterruptLLM{LlmId: model}
	if messageID != "" {
		i.MessageId = &messageID
	}
	return s.signal(&roompb.ClientMessage{Payload: &roompb.ClientMessage_Interrupt{Interrupt: i}})
}
