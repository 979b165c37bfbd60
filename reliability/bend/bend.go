// Package bend is a server with bugs: a relay of gRPC streams that may leave out, repeat or change what a sound server
// tells, so that a test can show that it would notice.
package bend

import (
	"errors"
	"io"
	"net"

	"google.golang.org/grpc"

	roompb "parley/proto/gen/api/room"
)

// A Rule says what becomes of the events of one stream; it is made anew for each.
type Rule func() func(*roompb.ServerEvent) []*roompb.ServerEvent

// A Server relays room sessions to a sound server and bends what comes back.
type Server struct {
	roompb.UnimplementedRoomServer
	sound roompb.RoomClient
	rule  Rule
	grpc  *grpc.Server
	addr  string
	ended chan struct{}
}

// New starts a server on a port of its own.
func New(sound grpc.ClientConnInterface, rule Rule) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{
		sound: roompb.NewRoomClient(sound), rule: rule, grpc: grpc.NewServer(), addr: l.Addr().String(),
		ended: make(chan struct{}),
	}
	roompb.RegisterRoomServer(s.grpc, s)
	go func() {
		defer close(s.ended)
		_ = s.grpc.Serve(l)
	}()
	return s, nil
}

// Addr is where clients connect to.
func (s *Server) Addr() string { return s.addr }

// Close ends all streams.
func (s *Server) Close() {
	s.grpc.Stop()
	<-s.ended
}

// RoomSession implements roompb.RoomServer.
func (s *Server) RoomSession(down grpc.BidiStreamingServer[roompb.ClientMessage, roompb.ServerEvent]) error {
	up, err := s.sound.RoomSession(down.Context())
	if err != nil {
		return err
	}
	go func() {
		for {
			m, err := down.Recv()
			if err != nil || up.Send(m) != nil {
				_ = up.CloseSend()
				return
			}
		}
	}()
	bend := s.rule()
	for {
		e, err := up.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range bend(e) {
			if err := down.Send(e); err != nil {
				return err
			}
		}
	}
}

// Leave returns the event as it is.
func Leave(e *roompb.ServerEvent) []*roompb.ServerEvent { return []*roompb.ServerEvent{e} }

// AfterResume does something to the first event of the log that follows a resume.
func AfterResume(change func(*roompb.ServerEvent) []*roompb.ServerEvent) Rule {
	return func() func(*roompb.ServerEvent) []*roompb.ServerEvent {
		resumed := false
		return func(e *roompb.ServerEvent) []*roompb.ServerEvent {
			if e.GetResumed() != nil {
				resumed = true
			} else if resumed && e.GetOffset() != 0 {
				resumed = false
				return change(e)
			}
			return Leave(e)
		}
	}
}

// Always does the same to every event.
func Always(change func(*roompb.ServerEvent) []*roompb.ServerEvent) Rule {
	return func() func(*roompb.ServerEvent) []*roompb.ServerEvent { return change }
}
