package rpc

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"parley/hub"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// maxClientID is the most bytes of a client_id.
const maxClientID = 64

// dispatch turns a message into a command and issues it. The event, if any, is the answer for this stream alone.
func (ses *session) dispatch(ctx context.Context, msg *roompb.ClientMessage) (*roompb.ServerEvent, error) {
	if id := msg.GetClientId(); len(id) > maxClientID || !utf8.ValidString(id) {
		return nil, &room.Error{Code: room.CodeInvalid, Text: fmt.Sprintf("client_id: use at most %d bytes", maxClientID)}
	}
	switch p := msg.GetPayload().(type) {
	case *roompb.ClientMessage_Join:
		return nil, ses.join(ctx, p.Join, msg.GetClientId())
	}
	if ses.leave == nil {
		return errorEvent("NOT_JOINED", "join a room first: the first message of a stream is join", msg.GetClientId()), nil
	}
	switch p := msg.GetPayload().(type) {
	case *roompb.ClientMessage_Ping:
		return &roompb.ServerEvent{ClientId: msg.GetClientId(), Payload: &roompb.ServerEvent_Pong{Pong: &roompb.Pong{}}}, nil
	case *roompb.ClientMessage_Typing:
		ses.typing(p.Typing.GetIsTyping())
		return nil, nil
	}
	c, err := command(msg, ses.server.cfg.Clock.Now())
	if err != nil {
		return nil, err
	}
	if c == nil {
		return errorEvent("UNKNOWN_PAYLOAD", "this server does not know such a message: is it older than the client?", msg.GetClientId()), nil
	}
	return ses.do(ctx, c, msg.GetClientId())
}

// do issues a command. What it leads to reaches the stream as an event of the room; only if it leads to nothing new,
// the answer says so. A vote is always answered, since what the room sees of it must not lead to the voter.
func (ses *session) do(ctx context.Context, c room.Command, clientID string) (*roompb.ServerEvent, error) {
	got, err := ses.server.cfg.Hub.Do(ctx, ses.room, ses.meta(clientID), c)
	_, votes := c.(room.CastVote)
	if err != nil || got.Entries > 0 && !votes || clientID == "" {
		return nil, err
	}
	accepted := &roompb.Accepted{Offset: uint64(got.Offset)}
	return &roompb.ServerEvent{ClientId: clientID, Payload: &roompb.ServerEvent_Accepted{Accepted: accepted}}, nil
}

func (ses *session) meta(clientID string) room.Meta {
	m := room.Meta{By: room.PersonIdentity(ses.person)}
	if clientID != "" {
		m.Cause = keyed + clientID
	}
	return m
}

// command reads a command out of a message; nil if there is none for it.
func command(msg *roompb.ClientMessage, now time.Time) (room.Command, error) {
	switch p := msg.GetPayload().(type) {
	case *roompb.ClientMessage_Message:
		to, err := parseMessageID("reply_to", p.Message.GetReplyTo())
		return room.PostMessage{Text: p.Message.GetContent(), ReplyTo: to, Hints: p.Message.GetMentions()}, err
	case *roompb.ClientMessage_Interrupt:
		reply, err := parseMessageID("message_id", p.Interrupt.GetMessageId())
		return room.InterruptReply{Model: room.ModelID(p.Interrupt.GetLlmId()), Reply: reply}, err
	case *roompb.ClientMessage_AddLlm:
		return room.AddModel{Model: modelFromWire(p.AddLlm.GetLlm())}, nil
	case *roompb.ClientMessage_UpdateLlm:
		return updateModel(p.UpdateLlm), nil
	case *roompb.ClientMessage_RemoveLlm:
		return room.RemoveModel{ID: room.ModelID(p.RemoveLlm.GetLlmId())}, nil
	case *roompb.ClientMessage_UpdateRoomDescription:
		text := p.UpdateRoomDescription.GetDescription()
		return room.Describe{Description: &text}, nil
	case *roompb.ClientMessage_SetVisibility:
		v := room.Public // as an unspecified one is
		if p.SetVisibility.GetVisibility() == roompb.RoomVisibility_ROOM_VISIBILITY_PRIVATE {
			v = room.Private
		}
		return room.Describe{Visibility: &v}, nil
	case *roompb.ClientMessage_SetRole:
		return room.SetRole{Person: room.PersonID(p.SetRole.GetUserId()), Role: fromWire(roles, p.SetRole.GetRole())}, nil
	case *roompb.ClientMessage_Leave:
		return room.Leave{}, nil
	case *roompb.ClientMessage_CreatePoll:
		return openPoll(p.CreatePoll, now)
	case *roompb.ClientMessage_CastVote:
		return castVote(p.CastVote)
	case *roompb.ClientMessage_ClosePoll:
		id, err := parsePollID(p.ClosePoll.GetPollId())
		return room.ClosePoll{Poll: id}, err
	case *roompb.ClientMessage_SetPolicy:
		return room.SetPolicy{Policy: policyFromWire(p.SetPolicy.GetPolicy())}, nil
	}
	return steer(msg)
}

func updateModel(u *roompb.UpdateLLM) room.UpdateModel {
	c := room.UpdateModel{
		ID: room.ModelID(u.GetLlmId()), Model: u.Model, Persona: u.Persona, Name: u.DisplayName, Title: u.Title, Avatar: u.Avatar,
	}
	if u.ChatStyle != nil {
		style := fromWire(styles, u.GetChatStyle())
		c.Style = &style
	}
	return c
}

// join takes a seat in a room and begins to follow it. A room that does not exist leaves the stream open.
func (ses *session) join(ctx context.Context, j *roompb.JoinRoom, clientID string) error {
	if ses.leave != nil {
		return ses.send(newFrame(errorEvent("ALREADY_JOINED", "this stream has joined "+string(ses.room)+": open another one", clientID)))
	}
	h := ses.server.cfg.Hub
	id, person := room.ID(j.GetRoomId()), room.PersonID(j.GetUserId())
	leave, err := h.Enter(ctx, id, person)
	if err != nil {
		return err
	}
	wish := room.Join{Name: j.GetDisplayName(), Title: j.GetTitle(), Avatar: j.GetAvatar(), Role: fromWire(roles, j.GetRole())}
	if _, err := h.Do(ctx, id, room.Meta{By: room.PersonIdentity(person)}, wish); err != nil {
		leave()
		return err
	}
	ses.room, ses.person = id, person
	ses.name = firstNonEmpty(wish.Name, string(person))
	from := hub.Cursor{Epoch: j.GetCursor().GetEpoch(), Offset: room.Offset(j.GetCursor().GetOffset())}
	viewer := room.PersonIdentity(person)
	served, err := h.Serve(ctx, id, viewer, from, &seat{session: ses, ctx: ctx, viewer: viewer, clientID: clientID})
	if err != nil {
		leave()
		return err
	}
	ses.served, ses.leave = served, leave
	return nil
}

func (ses *session) typing(on bool) {
	ses.server.cfg.Hub.Signal(ses.room, room.Typing{Person: ses.person, Name: ses.name, On: on})
}
