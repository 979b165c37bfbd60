package rpc

import (
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"parley/hub"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// keyed begins the causes of commands that came with a client_id.
const keyed = "c:"

// frames encodes an entry or a signal for everybody who may see it. An entry that concerns no client has no frames.
func (c encoder) frames(it *hub.Item) []any {
	var events []*roompb.ServerEvent
	switch {
	case it.Entry != nil:
		events = c.entry(it)
	case it.Present != nil:
		events = one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_Present{Present: present(it.Present)}})
	default:
		events = c.signal(it.Signal)
	}
	frames := make([]any, len(events))
	for i, e := range events {
		frames[i] = newFrame(e)
	}
	return frames
}

func (c encoder) entry(it *hub.Item) []*roompb.ServerEvent {
	e := it.Entry
	events := c.events(e)
	clientID, _ := strings.CutPrefix(e.Cause, keyed)
	if _, vote := e.Event.(room.VoteCast); vote || clientID == e.Cause {
		clientID = ""
	}
	for i, ev := range events {
		ev.Offset, ev.Epoch, ev.At = uint64(e.Offset), it.Epoch, timestamppb.New(e.At)
		ev.More, ev.ClientId = i < len(events)-1, clientID
	}
	return events
}

// events lists what an entry is on the wire, without the envelope. Who is online is no fact: it is told apart, by a
// signal.
func (c encoder) events(e *room.Entry) []*roompb.ServerEvent {
	switch v := e.Event.(type) {
	case room.RoomCreated, room.Unknown:
		return nil
	case room.RoomDescribed:
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_RoomUpdated{RoomUpdated: &roompb.RoomUpdated{Room: c.info(e.Room, v.Info)}}})
	case room.PersonJoined:
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_UserJoined{UserJoined: &roompb.UserJoined{User: c.person(v.Person, false)}}})
	case room.PersonChanged:
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_UserUpdated{UserUpdated: &roompb.UserUpdated{User: c.person(v.Person, false)}}})
	case room.PersonLeft:
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_UserLeft{UserLeft: &roompb.UserLeft{UserId: string(v.Person.ID), LeftRoom: true}}})
	case room.ModelAdded:
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_LlmAdded{LlmAdded: &roompb.LLMAdded{Llm: c.model(v.Model)}}})
	case room.ModelUpdated:
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_LlmUpdated{LlmUpdated: &roompb.LLMUpdated{Llm: c.model(v.Model)}}})
	case room.ModelRemoved:
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_LlmRemoved{LlmRemoved: &roompb.LLMRemoved{LlmId: string(v.ID)}}})
	case room.MessagePosted:
		return c.said(e)
	case room.ReplyRequested:
		v.Reply.ID = e.Offset
		if t := turn(v.Reply, v.Turn); t != nil {
			begins := &roompb.ServerEvent{Payload: &roompb.ServerEvent_AutopilotTurn{AutopilotTurn: t}}
			return []*roompb.ServerEvent{begins, thinking(v.Reply)}
		}
		return one(thinking(v.Reply))
	case room.ReplyResumed:
		return one(thinking(v.Reply))
	case room.ReplyCompleted:
		return append(c.said(e), took(done(v.Reply), v.Served, v.Usage))
	case room.ReplyInterrupted:
		end := done(v.Reply)
		end.GetLlmDone().Interrupted = v.Reason
		return append(c.said(e), end)
	case room.ReplyFailed:
		failed := errorEvent("LLM_ERROR", v.Reply.Name+" could not answer: "+v.Reason, "")
		return append(c.said(e), failed, took(done(v.Reply), v.Served, v.Usage))
	case room.ReplyDeclined:
		end := took(done(v.Reply), v.Served, v.Usage)
		end.GetLlmDone().Declined = firstNonEmpty(v.Reason, "no reason given")
		return one(end)
	case room.ReplyWithheld:
		return one(withheld(v))
	case room.PollOpened, room.BallotRequested, room.BallotResumed, room.BallotMissed, room.VoteCast, room.PollClosed:
		return c.pollEvents(e)
	case room.AutopilotStarted, room.AutopilotPaused, room.AutopilotResumed, room.AutopilotGuided, room.AutopilotEnded:
		return c.autopilotEvents(e)
	case room.PolicyChanged, room.UsageRecorded, room.SummaryRequested, room.SummaryResumed, room.SummaryWritten,
		room.SummaryFailed:
		return accountEvents(e)
	}
	return nil
}

func one(e *roompb.ServerEvent) []*roompb.ServerEvent { return []*roompb.ServerEvent{e} }

// said is the message an entry holds; nothing if it holds none.
func (c encoder) said(e *room.Entry) []*roompb.ServerEvent {
	m, ok := room.MessageOf(e)
	if !ok {
		return nil
	}
	received := &roompb.MessageReceived{Message: c.message(m)}
	return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_MessageReceived{MessageReceived: received}})
}

func thinking(r room.ReplyRef) *roompb.ServerEvent {
	return &roompb.ServerEvent{Payload: &roompb.ServerEvent_LlmThinking{LlmThinking: &roompb.LLMThinking{
		LlmId: string(r.Model), ReplyTo: messageID(r.Trigger), MessageId: messageID(r.ID),
	}}}
}

func done(r room.ReplyRef) *roompb.ServerEvent {
	return &roompb.ServerEvent{Payload: &roompb.ServerEvent_LlmDone{LlmDone: &roompb.LLMDone{
		MessageId: messageID(r.ID), LlmId: string(r.Model),
	}}}
}

// took adds to the end of a reply what it took.
func took(e *roompb.ServerEvent, served string, u room.Usage) *roompb.ServerEvent {
	e.GetLlmDone().Served, e.GetLlmDone().Usage = served, usage(u)
	return e
}

func withheld(v room.ReplyWithheld) *roompb.ServerEvent {
	return &roompb.ServerEvent{Payload: &roompb.ServerEvent_ReplyWithheld{ReplyWithheld: &roompb.ReplyWithheld{
		MessageId: messageID(v.Trigger), LlmIds: texts(v.Models), Why: withholdings[v.Why], Text: v.Text,
	}}}
}

func (c encoder) signal(s room.Signal) []*roompb.ServerEvent {
	switch v := s.(type) {
	case room.Said:
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_LlmChunk{LlmChunk: &roompb.LLMChunk{
			MessageId: messageID(v.Reply.ID), LlmId: string(v.Reply.Model), Content: v.Text,
			ReplyTo: messageID(v.Reply.Trigger), Position: uint64(v.Position),
		}}})
	case room.Typing:
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_UserTyping{UserTyping: &roompb.UserTyping{
			UserId: string(v.Person), UserName: v.Name, IsTyping: v.On,
		}}})
	case room.Presence:
		if v.Online {
			return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_UserJoined{UserJoined: &roompb.UserJoined{User: c.person(v.Person, true)}}})
		}
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_UserLeft{UserLeft: &roompb.UserLeft{UserId: string(v.Person.ID)}}})
	}
	return nil
}

func present(ids []room.PersonID) *roompb.Present {
	p := &roompb.Present{UserIds: make([]string, len(ids))}
	for i, id := range ids {
		p.UserIds[i] = string(id)
	}
	return p
}

// ownEcho reports whether the item tells viewer of what only others need to be told: that it joined, came, went or
// is typing.
func ownEcho(it *hub.Item, viewer room.Identity) bool {
	if it.Entry != nil {
		_, joined := it.Entry.Event.(room.PersonJoined)
		return joined && it.Entry.By == viewer
	}
	switch v := it.Signal.(type) {
	case room.Typing:
		return room.PersonIdentity(v.Person) == viewer
	case room.Presence:
		return room.PersonIdentity(v.Person.ID) == viewer
	}
	return false
}

func firstNonEmpty(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
