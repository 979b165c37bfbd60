package rpc

import (
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"parley/hub"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// The enums. What a client leaves unspecified, or a newer client says, is the zero value here.
var (
	roles = map[room.Role]roompb.Role{
		room.Admin: roompb.Role_ADMIN, room.Member: roompb.Role_MEMBER, room.Viewer: roompb.Role_VIEWER,
	}
	styles = map[room.Style]roompb.ChatStyle{
		room.Conversational: roompb.ChatStyle_CHAT_STYLE_CONVERSATIONAL,
		room.Detailed:       roompb.ChatStyle_CHAT_STYLE_DETAILED,
		room.Bullet:         roompb.ChatStyle_CHAT_STYLE_BULLET,
	}
	visibilities = map[room.Visibility]roompb.RoomVisibility{
		room.Public: roompb.RoomVisibility_ROOM_VISIBILITY_PUBLIC, room.Private: roompb.RoomVisibility_ROOM_VISIBILITY_PRIVATE,
	}
	ends = map[room.End]roompb.MessageEnd{
		room.Complete:    roompb.MessageEnd_MESSAGE_END_COMPLETE,
		room.Interrupted: roompb.MessageEnd_MESSAGE_END_INTERRUPTED,
		room.Failed:      roompb.MessageEnd_MESSAGE_END_FAILED,
	}
)

// fromWire finds the value that stands for wire; the zero value if none does.
func fromWire[K, V comparable](values map[K]V, wire V) (value K) {
	for k, v := range values {
		if v == wire {
			return k
		}
	}
	return value
}

func messageID(o room.Offset) string { return strconv.FormatUint(uint64(o), 10) }

// parseMessageID reads an id that a client got from messageID; empty is 0.
func parseMessageID(what, s string) (room.Offset, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		return 0, &room.Error{Code: room.CodeInvalid, Text: what + ": that is not the id of a message of this room"}
	}
	return room.Offset(n), nil
}

// An encoder turns what a hub yields into ServerEvents.
type encoder struct{ demo func(model string) bool }

func (c encoder) model(m room.Model) *roompb.LLMConfig {
	return &roompb.LLMConfig{
		Id: string(m.ID), Model: m.Model, Persona: m.Persona, DisplayName: m.Name, Title: m.Title,
		ChatStyle: styles[m.Style], Avatar: m.Avatar, Demo: c.demo(m.Model),
	}
}

func modelFromWire(m *roompb.LLMConfig) room.Model {
	return room.Model{
		ID: room.ModelID(m.GetId()), Model: m.GetModel(), Persona: m.GetPersona(), Name: m.GetDisplayName(),
		Title: m.GetTitle(), Style: fromWire(styles, m.GetChatStyle()), Avatar: m.GetAvatar(),
	}
}

func modelsFromWire(list []*roompb.LLMConfig) []room.Model {
	models := make([]room.Model, len(list))
	for i, m := range list {
		models[i] = modelFromWire(m)
	}
	return models
}

func (c encoder) info(id room.ID, i room.Info) *roompb.RoomInfo {
	models := make([]*roompb.LLMConfig, len(i.Models))
	for n, m := range i.Models {
		models[n] = c.model(m)
	}
	creator, _ := i.CreatedBy.Person()
	return &roompb.RoomInfo{
		RoomId: string(id), Name: i.Name, CreatedAt: timestamppb.New(i.CreatedAt), CreatedBy: string(creator),
		Llms: models, Description: i.Description, Visibility: visibilities[i.Visibility],
	}
}

func (c encoder) person(p room.Person, online bool) *roompb.Participant {
	return &roompb.Participant{
		Id: string(p.ID), Name: p.Name, Role: roles[p.Role], Type: roompb.ParticipantType_HUMAN,
		Title: p.Title, IsOnline: online, Avatar: p.Avatar,
	}
}

func (c encoder) message(m room.Message) *roompb.Message {
	out := &roompb.Message{
		MessageId: messageID(m.ID), SenderName: m.Name, Content: m.Text, Timestamp: timestamppb.New(m.At), End: ends[m.End],
	}
	out.SenderId, out.SenderType = member(m.By)
	if m.ReplyTo != 0 {
		out.ReplyTo = proto.String(messageID(m.ReplyTo))
	}
	if m.Poll != 0 {
		out.PollId = proto.String(messageID(m.Poll))
	}
	if m.Autopilot != 0 {
		out.AutopilotId = proto.String(messageID(m.Autopilot))
	}
	return out
}

// member is the id and kind of who acted; both are empty for the server and for nobody.
func member(by room.Identity) (string, roompb.ParticipantType) {
	if id, ok := by.Model(); ok {
		return string(id), roompb.ParticipantType_LLM
	}
	if id, ok := by.Person(); ok {
		return string(id), roompb.ParticipantType_HUMAN
	}
	return "", roompb.ParticipantType_PARTICIPANT_TYPE_UNSPECIFIED
}

// opening is the answer to a join, nil for any other item.
func (c encoder) opening(it *hub.Item) *roompb.ServerEvent {
	switch {
	case it.View != nil:
		return &roompb.ServerEvent{Payload: &roompb.ServerEvent_RoomState{RoomState: c.state(it.View)}}
	case it.Resumed:
		return &roompb.ServerEvent{Payload: &roompb.ServerEvent_Resumed{Resumed: &roompb.Resumed{}}}
	}
	return nil
}

func (c encoder) state(v *hub.View) *roompb.RoomState {
	out := &roompb.RoomState{
		Room:        c.info(v.Room, v.Info),
		Cursor:      &roompb.Cursor{Epoch: v.Cursor.Epoch, Offset: uint64(v.Cursor.Offset)},
		ResetReason: v.Reset,
	}
	for _, p := range v.People {
		out.Participants = append(out.Participants, c.person(p, v.Online[p.ID]))
	}
	for _, m := range v.Messages {
		out.Messages = append(out.Messages, c.message(m))
	}
	for _, r := range v.Replies {
		out.Replies = append(out.Replies, &roompb.Reply{
			MessageId: messageID(r.Ref.ID), LlmId: string(r.Ref.Model), ReplyTo: messageID(r.Ref.Trigger),
			Content: r.Text, StartedAt: timestamppb.New(r.Asked), Turn: turn(r.Ref, r.Turn),
		})
	}
	for _, p := range v.Polls {
		if p.Closed == nil {
			out.Polls = append(out.Polls, c.poll(v.Room, p))
		} else {
			out.ClosedPolls = append(out.ClosedPolls, c.poll(v.Room, p))
		}
	}
	out.Autopilot, out.Policy = c.autopilot(v.Autopilot), policy(v.Policy)
	out.Accounts = accounts(v.Accounts, v.View)
	if s := v.Summary; s != nil {
		out.Summary = &roompb.Summary{UptoOffset: uint64(s.Upto), Text: s.Text, WrittenAt: timestamppb.New(s.At)}
	}
	return out
}
