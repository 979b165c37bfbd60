package client

import (
	"time"

	roompb "parley/proto/gen/api/room"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// Role says what a person may do in a room.
type Role string

// The roles: an admin may do everything, a member writes, a viewer only watches.
const (
	Admin  Role = "admin"
	Member Role = "member"
	Viewer Role = "viewer"
)

// Style is how a model is asked to answer. The empty one leaves it to the model.
type Style string

// The styles.
const (
	Conversational Style = "conversational"
	Detailed       Style = "detailed"
	Bullet         Style = "bullet"
)

// End says what ended a message that a model wrote. A person's message has none.
type End string

// The ends.
const (
	Complete    End = "complete"
	Interrupted End = "interrupted" // somebody stopped the model; the text is what it had said by then
	Failed      End = "failed"      // the model broke down; the text is what it had said by then
)

// A Room is what is known of a room without joining it.
type Room struct {
	ID          string
	Name        string
	Description string
	CreatedAt   time.Time
	CreatedBy   string
	Private     bool // left out of lists; whoever has its id may join
	Models      []Model
}

// A Person is somebody who joined a room at some time.
type Person struct {
	ID     string
	Name   string
	Role   Role
	Title  string
	Avatar string
	Online bool
}

// A Model is a language model with a seat in a room.
type Model struct {
	ID      string
	Model   string // the provider's name for it; empty means the server's default
	Persona string
	Name    string
	Title   string
	Style   Style
	Avatar  string
	Demo    bool // set by the server: a scripted demonstration, not a language model
}

// A Message is something said in a room.
type Message struct {
	ID         string
	SenderID   string
	SenderName string
	ByModel    bool
	Text       string
	ReplyTo    string // id of the message it answers, or empty
	At         time.Time
	End        End
	PollID     string // set if the message is a poll; the text is its question

	AutopilotID string // set if the message is the goal of an autopilot, or guidance for it
}

// A Reply is what a model is saying. It becomes a Message with the same id.
type Reply struct {
	ID        string
	ModelID   string
	ReplyTo   string
	Text      string // the words so far
	StartedAt time.Time
	Turn      *Turn // its place in an autopilot; nil if it has none
}

// A Cursor is a place in a room's log: everything up to Offset is known. Both parts mean nothing without each other.
type Cursor struct {
	Epoch  string
	Offset uint64
}

func roomFrom(r *roompb.RoomInfo) Room {
	return Room{
		ID: r.GetRoomId(), Name: r.GetName(), Description: r.GetDescription(),
		CreatedAt: timeFrom(r.GetCreatedAt()), CreatedBy: r.GetCreatedBy(),
		Private: r.GetVisibility() == roompb.RoomVisibility_ROOM_VISIBILITY_PRIVATE,
		Models:  each(r.GetLlms(), modelFrom),
	}
}

func personFrom(p *roompb.Participant) Person {
	return Person{
		ID: p.GetId(), Name: p.GetName(), Role: roleFrom(p.GetRole()), Title: p.GetTitle(),
		Avatar: p.GetAvatar(), Online: p.GetIsOnline(),
	}
}

func modelFrom(m *roompb.LLMConfig) Model {
	return Model{
		ID: m.GetId(), Model: m.GetModel(), Persona: m.GetPersona(), Name: m.GetDisplayName(), Title: m.GetTitle(),
		Style: styleFrom(m.GetChatStyle()), Avatar: m.GetAvatar(), Demo: m.GetDemo(),
	}
}

func (m Model) wire() *roompb.LLMConfig {
	return &roompb.LLMConfig{
		Id: m.ID, Model: m.Model, Persona: m.Persona, DisplayName: m.Name, Title: m.Title,
		ChatStyle: m.Style.wire(), Avatar: m.Avatar,
	}
}

func messageFrom(m *roompb.Message) Message {
	return Message{
		ID: m.GetMessageId(), SenderID: m.GetSenderId(), SenderName: m.GetSenderName(),
		ByModel: m.GetSenderType() == roompb.ParticipantType_LLM, Text: m.GetContent(), ReplyTo: m.GetReplyTo(),
		At: timeFrom(m.GetTimestamp()), End: endFrom(m.GetEnd()), PollID: m.GetPollId(),
		AutopilotID: m.GetAutopilotId(),
	}
}

func replyFrom(r *roompb.Reply) Reply {
	return Reply{
		ID: r.GetMessageId(), ModelID: r.GetLlmId(), ReplyTo: r.GetReplyTo(), Text: r.GetContent(),
		StartedAt: timeFrom(r.GetStartedAt()), Turn: turnFrom(r.GetTurn()),
	}
}

func cursorFrom(c *roompb.Cursor) Cursor { return Cursor{c.GetEpoch(), c.GetOffset()} }

func (c Cursor) wire() *roompb.Cursor {
	if c == (Cursor{}) {
		return nil
	}
	return &roompb.Cursor{Epoch: c.Epoch, Offset: c.Offset}
}

func roleFrom(r roompb.Role) Role {
	switch r {
	case roompb.Role_ADMIN:
		return Admin
	case roompb.Role_MEMBER:
		return Member
	case roompb.Role_VIEWER:
		return Viewer
	case roompb.Role_ROLE_UNSPECIFIED:
	}
	return ""
}

func (r Role) wire() roompb.Role {
	switch r {
	case Admin:
		return roompb.Role_ADMIN
	case Member:
		return roompb.Role_MEMBER
	case Viewer:
		return roompb.Role_VIEWER
	}
	return roompb.Role_ROLE_UNSPECIFIED
}

func styleFrom(s roompb.ChatStyle) Style {
	switch s {
	case roompb.ChatStyle_CHAT_STYLE_CONVERSATIONAL:
		return Conversational
	case roompb.ChatStyle_CHAT_STYLE_DETAILED:
		return Detailed
	case roompb.ChatStyle_CHAT_STYLE_BULLET:
		return Bullet
	case roompb.ChatStyle_CHAT_STYLE_UNSPECIFIED:
	}
	return ""
}

func (s Style) wire() roompb.ChatStyle {
	switch s {
	case Conversational:
		return roompb.ChatStyle_CHAT_STYLE_CONVERSATIONAL
	case Detailed:
		return roompb.ChatStyle_CHAT_STYLE_DETAILED
	case Bullet:
		return roompb.ChatStyle_CHAT_STYLE_BULLET
	}
	return roompb.ChatStyle_CHAT_STYLE_UNSPECIFIED
}

func endFrom(e roompb.MessageEnd) End {
	switch e {
	case roompb.MessageEnd_MESSAGE_END_COMPLETE:
		return Complete
	case roompb.MessageEnd_MESSAGE_END_INTERRUPTED:
		return Interrupted
	case roompb.MessageEnd_MESSAGE_END_FAILED:
		return Failed
	case roompb.MessageEnd_MESSAGE_END_UNSPECIFIED:
	}
	return ""
}

func timeFrom(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func each[From, To any](from []From, convert func(From) To) []To {
	to := make([]To, len(from))
	for i, f := range from {
		to[i] = convert(f)
	}
	return to
}
