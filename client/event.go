package client

import (
	"time"

	roompb "parley/proto/gen/api/room"
)

// An Event is something a Session tells. It is one of the types of this file; what a later server sends beyond them
// comes as Unknown.
type Event interface {
	stamp() Stamp
}

// A Stamp says which entry of the room's log an event tells of.
type Stamp struct {
	Offset   uint64    // 0 on signals, which are not stored, and on what the Session says by itself
	At       time.Time // when the entry was written, UTC
	ClientID string    // of the command that led to it, whoever gave it
}

func (s Stamp) stamp() Stamp { return s }

// StampOf returns an event's stamp.
func StampOf(e Event) Stamp { return e.stamp() }

// State is how a Session stands with the server.
type State string

// The states, in the order they come.
const (
	Connecting   State = "connecting"
	Live         State = "live"
	Reconnecting State = "reconnecting"
	Ended        State = "ended"
)

// StateChanged says how the Session stands now.
type StateChanged struct {
	Stamp
	State State
	Err   error         // why it is Reconnecting or Ended
	Retry time.Duration // how long a Reconnecting session waits before it tries again
}

// Snapshot shows the whole room. It is what a first join is answered with; with Reset it replaces all that was known.
type Snapshot struct {
	Stamp
	Room     Room
	People   []Person  // all who ever joined
	Messages []Message // the newest 50, oldest first
	Replies  []Reply   // those under way
	Cursor   Cursor    // the log goes on after it
	Reset    bool      // the server could not go on where the Session was cut: events may have been missed
	Reason   string    // of the reset, in the server's words

	Polls     []Poll     // the newest of the closed ones, then those that are open, each oldest first
	Autopilot *Autopilot // the one that runs, or the last; nil if there was none
	Policy    Policy
	Cost      Cost
	Summary   *Summary // of older messages; nil if there is none
}

// MessageReceived says that a person or a model has said something.
type MessageReceived struct {
	Stamp
	Message Message
}

// UserJoined says that somebody became a member, or with Offset 0 that a member came online.
type UserJoined struct {
	Stamp
	Person Person
}

// UserLeft says that somebody went offline, or with LeftRoom that the membership ended.
type UserLeft struct {
	Stamp
	UserID   string
	LeftRoom bool
}

// UserUpdated says that somebody's name, title, avatar or role is another one now.
type UserUpdated struct {
	Stamp
	Person Person
}

// Thinking says that a model was asked to reply, or with a MessageID seen before that its reply starts over.
type Thinking struct {
	Stamp
	ModelID   string
	ReplyTo   string
	MessageID string // the id the reply will have
}

// Chunk carries words of a reply under way: Text belongs at byte Position, and whatever was known from there on is
// void. Session.Reply has all words so far.
type Chunk struct {
	Stamp
	MessageID string
	ModelID   string
	ReplyTo   string
	Position  int
	Text      string
}

// Done says that a model has ended its reply, in whatever way.
type Done struct {
	Stamp
	MessageID string
	ModelID   string
	Declined  string // why the model did not want to answer, if it did not
	Usage     Usage  // what the reply took; of an interrupted one Spent tells
	Served    string // the provider's model
	Stopped   string // why it was interrupted, if a reason was given
}

// Typing says that somebody is writing, or stopped. After some seconds without another one it is stale.
type Typing struct {
	Stamp
	UserID   string
	UserName string
	Typing   bool
}

// ModelAdded says that a model got a seat in the room.
type ModelAdded struct {
	Stamp
	Model Model
}

// ModelUpdated says what a model is like from now on.
type ModelUpdated struct {
	Stamp
	Model Model
}

// ModelRemoved says that a model has no seat any more.
type ModelRemoved struct {
	Stamp
	ModelID string
}

// RoomUpdated says what the room is like from now on.
type RoomUpdated struct {
	Stamp
	Room Room
}

// Present says who is online, all of them, after a resume: it makes up for the comings and goings that were missed.
type Present struct {
	Stamp
	UserIDs []string
}

// Problem is an error that no command is waiting for: a model failed, a signal was refused.
type Problem struct {
	Stamp
	Err *Error
}

// Unknown is an event that this version of the client has no type for.
type Unknown struct {
	Stamp
	Event *roompb.ServerEvent
}

// eventFrom translates what the server sends. It returns nil for what is no event to a user.
func eventFrom(ev *roompb.ServerEvent) Event {
	at := Stamp{Offset: ev.GetOffset(), At: timeFrom(ev.GetAt()), ClientID: ev.GetClientId()}
	switch p := ev.GetPayload().(type) {
	case *roompb.ServerEvent_Pong, *roompb.ServerEvent_Accepted, *roompb.ServerEvent_Resumed:
		return nil
	case *roompb.ServerEvent_Present:
		return Present{at, p.Present.GetUserIds()}
	case *roompb.ServerEvent_MessageReceived:
		return MessageReceived{at, messageFrom(p.MessageReceived.GetMessage())}
	case *roompb.ServerEvent_UserJoined:
		return UserJoined{at, personFrom(p.UserJoined.GetUser())}
	case *roompb.ServerEvent_UserLeft:
		return UserLeft{at, p.UserLeft.GetUserId(), p.UserLeft.GetLeftRoom()}
	case *roompb.ServerEvent_UserUpdated:
		return UserUpdated{at, personFrom(p.UserUpdated.GetUser())}
	case *roompb.ServerEvent_UserTyping:
		return Typing{at, p.UserTyping.GetUserId(), p.UserTyping.GetUserName(), p.UserTyping.GetIsTyping()}
	case *roompb.ServerEvent_RoomUpdated:
		return RoomUpdated{at, roomFrom(p.RoomUpdated.GetRoom())}
	case *roompb.ServerEvent_Error:
		return Problem{at, errorFrom(p.Error)}
	}
	return modelEventFrom(ev, at)
}

func modelEventFrom(ev *roompb.ServerEvent, at Stamp) Event {
	switch p := ev.GetPayload().(type) {
	case *roompb.ServerEvent_LlmThinking:
		return Thinking{at, p.LlmThinking.GetLlmId(), p.LlmThinking.GetReplyTo(), p.LlmThinking.GetMessageId()}
	case *roompb.ServerEvent_LlmChunk:
		c := p.LlmChunk
		return Chunk{at, c.GetMessageId(), c.GetLlmId(), c.GetReplyTo(), int(c.GetPosition()), c.GetContent()}
	case *roompb.ServerEvent_LlmDone:
		d := p.LlmDone
		return Done{at, d.GetMessageId(), d.GetLlmId(), d.GetDeclined(), usageFrom(d.GetUsage()), d.GetServed(), d.GetInterrupted()}
	case *roompb.ServerEvent_LlmAdded:
		return ModelAdded{at, modelFrom(p.LlmAdded.GetLlm())}
	case *roompb.ServerEvent_LlmUpdated:
		return ModelUpdated{at, modelFrom(p.LlmUpdated.GetLlm())}
	case *roompb.ServerEvent_LlmRemoved:
		return ModelRemoved{at, p.LlmRemoved.GetLlmId()}
	}
	return pollEventFrom(ev, at)
}

func snapshotFrom(ev *roompb.ServerEvent, resuming bool) Snapshot {
	r := ev.GetRoomState()
	return Snapshot{
		Room: roomFrom(r.GetRoom()), People: each(r.GetParticipants(), personFrom),
		Messages: each(r.GetMessages(), messageFrom), Replies: each(r.GetReplies(), replyFrom),
		Cursor: cursorFrom(r.GetCursor()), Reset: resuming, Reason: r.GetResetReason(),
		Polls:     append(each(r.GetClosedPolls(), pollFrom), each(r.GetPolls(), pollFrom)...),
		Autopilot: autopilotFrom(r.GetAutopilot()), Policy: policyFrom(r.GetPolicy()),
		Cost: costFrom(r.GetAccounts(), r.GetPolicy()), Summary: summaryFrom(r.GetSummary()),
	}
}

func errorFrom(e *roompb.Error) *Error {
	return &Error{Code: Code(e.GetCode()), Message: e.GetMessage()}
}
