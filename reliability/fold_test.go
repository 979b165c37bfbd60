package reliability

import (
	"slices"

	"google.golang.org/protobuf/proto"

	roompb "parley/proto/gen/api/room"
)

// A fold is what a client knows of a room: the state it was shown, and what it was told since. It follows the words of
// room.proto and shares nothing with package client or package room.
//
// What is stored tells who somebody is, what is not stored (offset 0) tells who is there: a stored event may be told
// long after, and what is not stored may overtake it.
type fold struct {
	state  *roompb.RoomState
	online map[string]bool
	part   []*roompb.ServerEvent // of an entry that has more events
	turn   *roompb.AutopilotTurn // of the reply that begins next
}

// shownMessages is how many messages a room_state holds.
const shownMessages = 50

// take folds the next event of a stream. An entry counts when it is whole.
func (f *fold) take(e *roompb.ServerEvent) {
	switch p := e.GetPayload().(type) {
	case *roompb.ServerEvent_RoomState:
		f.state, f.part, f.online = proto.Clone(p.RoomState).(*roompb.RoomState), nil, make(map[string]bool)
		for _, u := range f.state.Participants {
			f.online[u.GetId()] = u.GetIsOnline()
		}
		return
	case *roompb.ServerEvent_Resumed:
		f.part = nil
		for _, r := range f.state.Replies {
			r.Content = "" // told again from 0
		}
		return
	case *roompb.ServerEvent_Present:
		f.online = make(map[string]bool)
		for _, id := range p.Present.GetUserIds() {
			f.online[id] = true
		}
		return
	}
	if e.GetOffset() == 0 {
		f.signal(e)
		return
	}
	if f.part = append(f.part, e); e.GetMore() {
		return
	}
	for _, e := range f.part {
		f.event(e)
	}
	f.part = nil
	f.state.Cursor = &roompb.Cursor{Epoch: e.GetEpoch(), Offset: e.GetOffset()}
}

// cursor is where to go on.
func (f *fold) cursor() *roompb.Cursor { return f.state.GetCursor() }

// whole is the state with all that is known.
func (f *fold) whole() *roompb.RoomState {
	s := proto.Clone(f.state).(*roompb.RoomState)
	for _, u := range s.Participants {
		u.IsOnline = f.online[u.GetId()]
	}
	return s
}

func (f *fold) signal(e *roompb.ServerEvent) {
	switch p := e.GetPayload().(type) {
	case *roompb.ServerEvent_UserJoined:
		f.online[p.UserJoined.GetUser().GetId()] = true
	case *roompb.ServerEvent_UserLeft:
		f.online[p.UserLeft.GetUserId()] = false
	case *roompb.ServerEvent_LlmChunk:
		f.chunk(p.LlmChunk)
	}
}

func (f *fold) event(e *roompb.ServerEvent) {
	s := f.state
	switch p := e.GetPayload().(type) {
	case *roompb.ServerEvent_MessageReceived:
		s.Messages = append(s.Messages, p.MessageReceived.GetMessage())
		s.Messages = s.Messages[max(0, len(s.Messages)-shownMessages):]
	case *roompb.ServerEvent_UserJoined:
		f.person(p.UserJoined.GetUser())
	case *roompb.ServerEvent_UserUpdated:
		f.person(p.UserUpdated.GetUser())
	case *roompb.ServerEvent_UserLeft:
		f.online[p.UserLeft.GetUserId()] = false
	case *roompb.ServerEvent_RoomUpdated:
		s.Room = p.RoomUpdated.GetRoom()
	case *roompb.ServerEvent_LlmAdded:
		s.Room.Llms = append(s.Room.Llms, p.LlmAdded.GetLlm())
	case *roompb.ServerEvent_LlmUpdated:
		for i, m := range s.Room.Llms {
			if m.GetId() == p.LlmUpdated.GetLlm().GetId() {
				s.Room.Llms[i] = p.LlmUpdated.GetLlm()
			}
		}
	case *roompb.ServerEvent_LlmRemoved:
		s.Room.Llms = slices.DeleteFunc(s.Room.Llms, func(m *roompb.LLMConfig) bool { return m.GetId() == p.LlmRemoved.GetLlmId() })
	case *roompb.ServerEvent_LlmThinking:
		f.thinking(e, p.LlmThinking)
	case *roompb.ServerEvent_LlmDone:
		r := f.reply(p.LlmDone.GetMessageId())
		f.spend(p.LlmDone.GetUsage(), r.GetTurn() != nil && r.GetTurn().GetAutopilotId() == s.Autopilot.GetAutopilotId())
		s.Replies = slices.DeleteFunc(s.Replies, func(o *roompb.Reply) bool { return o == r })
	}
	f.council(e)
}

func (f *fold) find(id string) *roompb.Participant {
	for _, u := range f.state.Participants {
		if u.GetId() == id {
			return u
		}
	}
	return nil
}

// person takes over what is said of somebody.
func (f *fold) person(told *roompb.Participant) {
	known := f.find(told.GetId())
	told = proto.Clone(told).(*roompb.Participant)
	if known == nil {
		f.state.Participants = append(f.state.Participants, told)
		return
	}
	proto.Reset(known)
	proto.Merge(known, told)
}

func (f *fold) reply(id string) *roompb.Reply {
	for _, r := range f.state.Replies {
		if r.GetMessageId() == id {
			return r
		}
	}
	return nil
}

func (f *fold) thinking(e *roompb.ServerEvent, p *roompb.LLMThinking) {
	if r := f.reply(p.GetMessageId()); r != nil {
		r.Content = ""
		return
	}
	f.state.Replies = append(f.state.Replies, &roompb.Reply{
		MessageId: p.GetMessageId(), LlmId: p.GetLlmId(), ReplyTo: p.GetReplyTo(), StartedAt: e.GetAt(),
		Turn: f.turn,
	})
	f.turn = nil
}

// chunk puts words in their place. Words that do not follow those known show as a hole.
func (f *fold) chunk(p *roompb.LLMChunk) {
	r := f.reply(p.GetMessageId())
	if r == nil {
		return
	}
	if at := int(p.GetPosition()); at <= len(r.Content) {
		r.Content = r.Content[:at] + p.GetContent()
	} else {
		r.Content += "<hole>" + p.GetContent()
	}
}
