package client

import (
	"context"
	"iter"

	roompb "parley/proto/gen/api/room"
)

// A NewRoom is a room to make.
type NewRoom struct {
	Name        string
	Description string
	CreatedBy   string // user id of its admin
	Private     bool   // left out of lists
	Models      []Model
	Policy      Policy
}

// CreateRoom makes a room and returns its id.
func (c *Client) CreateRoom(ctx context.Context, r NewRoom) (id string, err error) {
	visibility := visibilityOf(r.Private)
	res, err := c.rooms.CreateRoom(ctx, &roompb.CreateRoomRequest{
		Name: r.Name, Description: r.Description, CreatedBy: r.CreatedBy, Visibility: visibility,
		Llms: each(r.Models, Model.wire), Policy: r.Policy.wire(),
	})
	if err != nil {
		return "", fromStatus(err)
	}
	return res.GetRoomId(), nil
}

// GetRoom describes a room and lists who is online in it.
func (c *Client) GetRoom(ctx context.Context, id string) (Room, []Person, error) {
	res, err := c.rooms.GetRoom(ctx, &roompb.GetRoomRequest{RoomId: id})
	if err != nil {
		return Room{}, nil, fromStatus(err)
	}
	return roomFrom(res.GetRoom()), each(res.GetParticipants(), personFrom), nil
}

// Rooms yields the rooms that user is a member of, or with an empty user the public ones, newest first. Pages are
// asked for as the loop goes on; it ends after the first error.
func (c *Client) Rooms(ctx context.Context, user string) iter.Seq2[Room, error] {
	return func(yield func(Room, error) bool) {
		req := &roompb.ListRoomsRequest{Limit: 100}
		if user != "" {
			req.UserId = &user
		}
		for more := true; more; more = req.Cursor != nil {
			res, err := c.rooms.ListRooms(ctx, req)
			if err != nil {
				yield(Room{}, fromStatus(err))
				return
			}
			for _, r := range res.GetRooms() {
				if !yield(roomFrom(r), nil) {
					return
				}
			}
			req.Cursor = res.NextCursor
		}
	}
}

// A Page is a part of a room's history, oldest message first.
type Page struct {
	Messages []Message
	Older    string // where the page before this one is; empty if there is none
}

// HistoryPage returns at most limit messages (1 to 500): the newest if older is empty, otherwise those before the page
// that older came with.
func (c *Client) HistoryPage(ctx context.Context, room, older string, limit int) (Page, error) {
	req := &roompb.LoadHistoryRequest{RoomId: room, Limit: uint32(min(max(limit, 1), 500))}
	if older != "" {
		req.Cursor = &older
	}
	res, err := c.rooms.LoadHistory(ctx, req)
	if err != nil {
		return Page{}, fromStatus(err)
	}
	return Page{each(res.GetMessages(), messageFrom), res.GetNextCursor()}, nil
}

// History yields the messages of a room, newest first. Pages are asked for as the loop goes on; it ends after the
// first error.
func (c *Client) History(ctx context.Context, room string) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for older, first := "", true; first || older != ""; first = false {
			page, err := c.HistoryPage(ctx, room, older, 200)
			if err != nil {
				yield(Message{}, err)
				return
			}
			for i := len(page.Messages) - 1; i >= 0; i-- {
				if !yield(page.Messages[i], nil) {
					return
				}
			}
			older = page.Older
		}
	}
}

func visibilityOf(private bool) roompb.RoomVisibility {
	if private {
		return roompb.RoomVisibility_ROOM_VISIBILITY_PRIVATE
	}
	return roompb.RoomVisibility_ROOM_VISIBILITY_PUBLIC
}
