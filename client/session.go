package client

import (
	"context"
	"errors"
	"iter"
	"sync"

	roompb "parley/proto/gen/api/room"
	"parley/seam"
)

// JoinOptions say who takes a seat in which room.
type JoinOptions struct {
	Room   string // id
	User   string // id: the same id is the same person everywhere
	Name   string // to show; the user id if empty
	Title  string
	Avatar string
	Role   Role   // Viewer only watches; everything else is a Member. Who was in the room before keeps the role
	Cursor Cursor // to go on where an earlier Session stopped; zero begins with a Snapshot
}

// A Session is a seat in a room. See the package's documentation for what it promises.
type Session struct {
	client    *Client
	transport transport
	clock     seam.Clock
	cancel    context.CancelCauseFunc
	done      chan struct{} // closed when the session's goroutine has ended

	ready chan struct{} // an event may be taken
	space chan struct{} // an event may be put
	wake  chan struct{} // there may be something to send

	mu     sync.Mutex
	join   JoinOptions
	place  place // of what was put into the queue
	queue  []queued
	cursor Cursor // of what was taken from it
	said   replies
	out    outbox
	link   link
	shown  bool  // a snapshot was given
	err    error // why the session ended
}

// queued is an event of the server and the cursor after it, or one of the session's own. Without an event it only moves
// the cursor.
type queued struct {
	event  Event
	cursor Cursor
}

// Join takes a seat in a room. It returns at once; the connection is made, and made again after a break, until Close
// or until ctx ends. What happens comes from Next or Events, a room that does not exist too.
func (c *Client) Join(ctx context.Context, o JoinOptions) (*Session, error) {
	if o.Room == "" || o.User == "" {
		return nil, &Error{Code: InvalidArgument, Message: "to join, name a room and a user"}
	}
	if err := sendable(joinMessage(o, Cursor{})); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s := &Session{
		client: c, transport: c.transport, clock: c.clock, cancel: cancel, join: o, said: replies{}, cursor: o.Cursor,
		done:  make(chan struct{}),
		ready: make(chan struct{}, 1), space: make(chan struct{}, 1), wake: make(chan struct{}, 1),
	}
	s.place.reset(o.Cursor)
	s.out.room = c.outbox
	go s.run(ctx)
	return s, nil
}

// Close gives up the seat's connection, not the membership. Commands that wait return ErrClosed, and so does Next once
// it has returned what was there.
func (s *Session) Close() error {
	s.cancel(ErrClosed)
	<-s.done
	return nil
}

// Next returns the next event, and waits for it if there is none yet. Once the session has ended it returns why: an
// *Error of the server, ErrLeft or ErrClosed. An error of ctx leaves the session as it is.
func (s *Session) Next(ctx context.Context) (Event, error) {
	for {
		if ev, err := s.take(); ev != nil || err != nil {
			return ev, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Events yields the events until the session ends. The error, if there is one, is the last: why it ended, or that ctx
// did. Ends that were asked for, by Leave or Close, are no errors.
func (s *Session) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			ev, err := s.Next(ctx)
			switch {
			case errors.Is(err, ErrLeft), errors.Is(err, ErrClosed):
				return
			case err != nil:
				yield(nil, err)
				return
			case !yield(ev, nil):
				return
			}
		}
	}
}

// take returns the next event, or why there will be none.
func (s *Session) take() (Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 {
		q := s.queue[0]
		s.queue[0] = queued{}
		s.queue = s.queue[1:]
		notify(s.space)
		if q.cursor != (Cursor{}) {
			s.cursor = q.cursor
		}
		if q.event != nil && s.said.see(q.event) {
			return q.event, nil
		}
	}
	return nil, s.err
}

// put hands an event to the reader. With the mutex held.
func (s *Session) put(q queued) {
	s.queue = append(s.queue, q)
	notify(s.ready)
}

// Cursor returns the place in the log after the last event that Next returned. It is what JoinOptions.Cursor takes.
func (s *Session) Cursor() Cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursor
}

// Reply returns a reply under way with all its words so far, as the events that Next has returned tell it.
func (s *Session) Reply(messageID string) (Reply, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.said[messageID]
	if !ok {
		return Reply{}, false
	}
	r := t.reply
	r.Text = string(t.text)
	return r, true
}

func joinMessage(o JoinOptions, from Cursor) *roompb.ClientMessage {
	return &roompb.ClientMessage{Payload: &roompb.ClientMessage_Join{Join: &roompb.JoinRoom{
		RoomId: o.Room, UserId: o.User, DisplayName: o.Name, Title: o.Title, Avatar: o.Avatar,
		Role: o.Role.wire(), Cursor: from.wire(),
	}}}
}

// notify wakes whoever waits on c, now or when it next looks.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
