package client

import (
	"context"

	roompb "parley/proto/gen/api/room"
)

// A transport opens streams to one server. Tests put one of their own in its place, to cut a stream at any event.
type transport interface {
	// open starts a stream that lives until ctx ends.
	open(ctx context.Context) (stream, error)
}

// A stream carries one seat in one room. One goroutine may send while another receives.
type stream interface {
	Send(*roompb.ClientMessage) error
	Recv() (*roompb.ServerEvent, error)
}

type grpcTransport struct{ rooms roompb.RoomClient }

func (t grpcTransport) open(ctx context.Context) (stream, error) { return t.rooms.RoomSession(ctx) }
