package rpc

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	"parley/hub"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// A session is one stream: one person's seat in one room.
type session struct {
	server *Server
	stream grpc.ServerStream
	ended  chan error // the first of why the stream ends

	sending sync.Mutex
	busy    atomic.Int64 // the server's tick at which a send began; 0 while none is under way

	// Set by the join, in the receiving goroutine.
	room   room.ID
	person room.PersonID
	name   string
	served *hub.Served
	leave  func() // ends the presence
}

// RoomSession implements roompb.RoomServer.
func (s *Server) RoomSession(stream grpc.BidiStreamingServer[roompb.ClientMessage, roompb.ServerEvent]) error {
	ses := &session{server: s, stream: stream, ended: make(chan error, 1)}
	if err := s.add(ses); err != nil {
		return statusOf(err)
	}
	defer s.remove(ses)
	s.wg.Go(ses.receive)
	select {
	case err := <-ses.ended:
		return statusOf(err)
	case <-s.ctx.Done():
		return statusOf(errDraining)
	}
}

func (s *Server) add(ses *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return errDraining
	}
	s.sessions[ses] = struct{}{}
	return nil
}

func (s *Server) remove(ses *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, ses)
}

// end ends the stream, once.
func (ses *session) end(err error) {
	select {
	case ses.ended <- err:
	default:
	}
}

// receive sees to the client's messages, one after the other, until it sends no more.
func (ses *session) receive() {
	var err error
	for err == nil {
		in := new(inbound)
		if err = ses.stream.RecvMsg(in); err == nil {
			err = ses.handle(ses.stream.Context(), in)
		}
	}
	switch {
	case !errors.Is(err, io.EOF):
		ses.end(err)
	case ses.leave == nil:
		ses.end(nil)
	default: // it says no more: it gets what there is, and that is the end
		ses.served.Finish()
		<-ses.stream.Context().Done()
	}
	if ses.leave != nil {
		ses.served.Stop()
		ses.leave()
	}
}

// handle sees to one message. What is wrong with it is answered; an error ends the stream.
func (ses *session) handle(ctx context.Context, in *inbound) error {
	if in.err != nil {
		return ses.send(newFrame(malformed(in.err)))
	}
	clientID := in.msg.GetClientId()
	answer, err := ses.dispatch(ctx, &in.msg)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		ses.server.cfg.Log.Info("refused", "room", ses.room, "by", ses.person, "cause", clientID, "code", room.CodeOf(err), "err", err)
		return ses.send(newFrame(refusal(err, clientID)))
	case answer != nil:
		return ses.send(newFrame(answer))
	}
	return nil
}

// send sends one event to this stream. It waits while the client takes nothing.
func (ses *session) send(f *frame) error {
	ses.sending.Lock()
	defer ses.sending.Unlock()
	ses.busy.Store(ses.server.tick.Load())
	err := ses.stream.SendMsg(f)
	ses.busy.Store(0)
	return err
}

// A seat is where a session sits once it has joined: it takes what happens in the room.
type seat struct {
	*session
	ctx      context.Context //nolint:containedctx // the stream's
	viewer   room.Identity
	clientID string // of the join: what comes first acknowledges it
}

// Take implements hub.Sink.
func (s *seat) Take(items []*hub.Item) error {
	for _, it := range items {
		if err := s.show(it); err != nil {
			return err
		}
	}
	return nil
}

// End implements hub.Sink.
func (s *seat) End(err error) {
	if errors.Is(err, errLeft) {
		err = nil
	}
	s.end(err)
}

// errLeft ends the stream of somebody who left the room.
var errLeft = errors.New("left the room")

func (s *seat) show(it *hub.Item) error {
	if e := s.server.encode.opening(it); e != nil {
		e.ClientId = s.clientID
		return s.send(newFrame(e))
	}
	if ownEcho(it, s.viewer) {
		return nil
	}
	for _, f := range it.Frames(hub.Proto, s.server.encode.frames) {
		if err := s.send(f.(*frame)); err != nil {
			return err
		}
	}
	if it.Entry != nil && it.Entry.By == s.viewer {
		if _, left := it.Entry.Event.(room.PersonLeft); left {
			return s.checkLeft()
		}
	}
	return nil
}

// checkLeft ends the stream of somebody who is no member any more; after a resume, a leave may be an old story.
func (s *seat) checkLeft() error {
	v, err := s.server.cfg.Hub.View(s.ctx, s.room, s.viewer, 0)
	if err != nil {
		return err
	}
	for _, p := range v.People {
		if p.ID == s.person && p.Left {
			return errLeft
		}
	}
	return nil
}
