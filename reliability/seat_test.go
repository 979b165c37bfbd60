package reliability

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"

	"parley/reliability/wire"

	roompb "parley/proto/gen/api/room"
)

// A seat is a stream whose events are read as they come, for tests that follow one step by step.
type seat struct {
	*wire.Stream
	t      testing.TB
	events chan *roompb.ServerEvent
	end    error // set before events is closed
	state  *roompb.RoomState
}

// sit joins a room and waits for its answer. The seat is given up when the test ends.
func sit(t testing.TB, conn *grpc.ClientConn, join *roompb.JoinRoom) *seat {
	t.Helper()
	s := open(t, conn)
	if err := s.Send(wire.Join(join)); err != nil {
		t.Fatal(err)
	}
	first := s.next()
	if s.state = first.GetRoomState(); s.state == nil && first.GetResumed() == nil {
		t.Fatalf("the answer to the join is %v", first)
	}
	return s
}

// open starts a stream that has joined nothing.
func open(t testing.TB, conn *grpc.ClientConn) *seat {
	t.Helper()
	stream, err := wire.Open(context.Background(), conn)
	if err != nil {
		t.Fatal(err)
	}
	s := &seat{Stream: stream, t: t, events: make(chan *roompb.ServerEvent, 4096)}
	go s.read()
	t.Cleanup(s.leave)
	return s
}

// leave gives the seat up and waits until it is gone.
func (s *seat) leave() {
	s.Close()
	for range s.events {
	}
}

func (s *seat) read() {
	defer close(s.events)
	for {
		e, err := s.Recv()
		if err != nil {
			s.end = err
			return
		}
		s.events <- e
	}
}

var errPatience = errors.New("nothing came")

// next returns the next event.
func (s *seat) next() *roompb.ServerEvent {
	s.t.Helper()
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errPatience)
	defer cancel()
	select {
	case e, ok := <-s.events:
		if !ok {
			s.t.Fatalf("the stream ended: %v", s.end)
		}
		return e
	case <-ctx.Done():
		s.t.Fatal(context.Cause(ctx))
	}
	return nil
}

// until skips events up to the first that is wanted.
func (s *seat) until(wanted func(*roompb.ServerEvent) bool) *roompb.ServerEvent {
	s.t.Helper()
	for {
		if e := s.next(); wanted(e) {
			return e
		}
	}
}

// ended waits for the end of the stream.
func (s *seat) ended() error {
	for range s.events {
	}
	return s.end
}

func (s *seat) send(m *roompb.ClientMessage) {
	s.t.Helper()
	if err := s.Send(m); err != nil {
		s.t.Fatalf("send: %v", err)
	}
}

// say posts a message and waits until it is stored.
func (s *seat) say(key, text string) uint64 {
	s.t.Helper()
	s.send(wire.Post(key, text))
	e := s.until(func(e *roompb.ServerEvent) bool { return e.GetClientId() == key })
	_, offset, ok := wire.Acknowledged(e)
	if !ok {
		s.t.Fatalf("%q was answered with %v", text, e)
	}
	return offset
}
