package rpc

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"parley/hub"
	"parley/journal"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// Pages of lists and histories.
const (
	defaultRooms    = 20
	defaultMessages = 50
	maxPage         = 500
)

// CreateRoom implements roompb.RoomServer.
func (s *Server) CreateRoom(ctx context.Context, in *roompb.CreateRoomRequest) (*roompb.CreateRoomResponse, error) {
	by := room.System
	if in.GetCreatedBy() != "" {
		if !room.ValidID(in.GetCreatedBy()) {
			return nil, statusOf(invalidf("created_by: use 1 to 64 letters, digits, _ and -"))
		}
		by = room.PersonIdentity(room.PersonID(in.GetCreatedBy()))
	}
	id := hub.NewRoomID()
	_, err := s.cfg.Hub.Do(ctx, id, room.Meta{By: by}, room.Create{
		Epoch: hub.NewEpoch(), Name: in.GetName(), Description: in.GetDescription(),
		Visibility: fromWire(visibilities, in.GetVisibility()), Models: modelsFromWire(in.GetLlms()),
		Policy: policyFromWire(in.GetPolicy()),
	})
	if room.CodeOf(err) == room.CodeConflict { // between the models of the request: the id is new
		err = invalidf("%v", err)
	}
	if err != nil {
		return nil, statusOf(err)
	}
	return &roompb.CreateRoomResponse{RoomId: string(id)}, nil
}

// GetRoom implements roompb.RoomServer.
func (s *Server) GetRoom(ctx context.Context, in *roompb.GetRoomRequest) (*roompb.GetRoomResponse, error) {
	v, err := s.cfg.Hub.View(ctx, room.ID(in.GetRoomId()), room.System, 0)
	if err != nil {
		return nil, statusOf(err)
	}
	out := &roompb.GetRoomResponse{Room: s.encode.info(v.Room, v.Info), Policy: policy(v.Policy)}
	for _, p := range v.Polls {
		if p.Closed == nil {
			out.Polls = append(out.Polls, s.encode.poll(v.Room, p))
		}
	}
	if v.Autopilot != nil && v.Autopilot.Ended == nil {
		out.Autopilot = s.encode.autopilot(v.Autopilot)
	}
	for _, p := range v.People {
		if v.Online[p.ID] {
			out.Participants = append(out.Participants, s.encode.person(p, true))
		}
	}
	return out, nil
}

// ListRooms implements roompb.RoomServer.
func (s *Server) ListRooms(ctx context.Context, in *roompb.ListRoomsRequest) (*roompb.ListRoomsResponse, error) {
	limit, err := pageSize(in.GetLimit(), defaultRooms)
	if err != nil {
		return nil, statusOf(err)
	}
	out := &roompb.ListRoomsResponse{}
	last := ""
	q := journal.Query{Member: room.PersonID(in.GetUserId()), After: in.GetCursor()}
	for card, err := range s.cfg.Hub.Cards(ctx, q) {
		if err != nil {
			return nil, statusOf(err)
		}
		if len(out.Rooms) == limit {
			out.NextCursor = proto.String(last)
			break
		}
		out.Rooms = append(out.Rooms, s.encode.info(card.Room, card.Info))
		last = journal.Position(card)
	}
	return out, nil
}

// LoadHistory implements roompb.RoomServer.
func (s *Server) LoadHistory(ctx context.Context, in *roompb.LoadHistoryRequest) (*roompb.LoadHistoryResponse, error) {
	limit, err := pageSize(in.GetLimit(), defaultMessages)
	if err != nil {
		return nil, statusOf(err)
	}
	var before uint64
	if c := in.GetCursor(); c != "" {
		if before, err = strconv.ParseUint(c, 10, 64); err != nil || before == 0 {
			return nil, statusOf(invalidf("cursor: use next_cursor of an earlier page"))
		}
	}
	messages, more, err := s.cfg.Hub.History(ctx, room.ID(in.GetRoomId()), room.System, room.Offset(before), limit)
	if err != nil {
		return nil, statusOf(err)
	}
	out := &roompb.LoadHistoryResponse{}
	for _, m := range messages {
		out.Messages = append(out.Messages, s.encode.message(m))
	}
	if more != 0 {
		out.NextCursor = proto.String(strconv.FormatUint(uint64(more), 10))
	}
	return out, nil
}

// GetCost implements roompb.RoomServer.
func (s *Server) GetCost(ctx context.Context, in *roompb.GetCostRequest) (*roompb.GetCostResponse, error) {
	v, err := s.cfg.Hub.View(ctx, room.ID(in.GetRoomId()), room.System, 0)
	if err != nil {
		return nil, statusOf(err)
	}
	if today := s.cfg.Clock.Now().UTC().Format(time.DateOnly); v.Accounts.Date != today {
		v.Accounts.Date, v.Accounts.Day = today, room.Usage{}
	}
	rules := s.cfg.Hub.Rules()
	return &roompb.GetCostResponse{
		Accounts: accounts(v.Accounts, v.View), Policy: policy(v.Policy),
		ServerTotal: allowance(rules.Total), ServerDay: allowance(rules.Day),
	}, nil
}

func pageSize(asked uint32, standard int) (int, error) {
	switch {
	case asked == 0:
		return standard, nil
	case asked > maxPage:
		return 0, invalidf("limit: %d is too many at once, use at most %d", asked, maxPage)
	}
	return int(asked), nil
}

func invalidf(format string, args ...any) error {
	return &room.Error{Code: room.CodeInvalid, Text: fmt.Sprintf(format, args...)}
}
