package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	roompb "parley/proto/gen/api/room"
)

const (
	idleTime   = 20 * time.Second // without an event, before the server is asked whether it is there
	answerTime = 10 * time.Second // for the server to answer
)

var errRejoin = errors.New("joining again")

// run keeps the seat until it is given up.
func (s *Session) run(ctx context.Context) {
	defer close(s.done)
	s.tell(StateChanged{State: Connecting})
	for failures := 0; ; {
		live, err := s.connect(ctx)
		if live {
			failures = 0
		}
		if end := s.verdict(ctx, err); end != nil {
			s.end(end)
			return
		}
		if errors.Is(err, errRejoin) {
			continue
		}
		failures++
		wait := waitFor(failures)
		s.tell(StateChanged{State: Reconnecting, Err: fromStatus(err), Retry: wait})
		s.sleep(ctx, wait)
	}
}

// verdict decides whether the end of a stream is the end of the session. It returns nil to go on.
func (s *Session) verdict(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		if errors.Is(cause, ErrClosed) {
			return ErrClosed
		}
		return fmt.Errorf("%w: %w", ErrClosed, cause)
	}
	var refused *refusal
	switch {
	case errors.Is(err, ErrLeft):
		return ErrLeft
	case errors.As(err, &refused) && refused.lasting:
		return refused.err
	case lasting(err):
		return fromStatus(err)
	}
	return nil
}

// A refusal is an error with which the server answered the join, or ended the session.
type refusal struct {
	err     *Error
	lasting bool
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// connect lives through one stream and returns why it ended, and whether the room had answered.
func (s *Session) connect(ctx context.Context) (live bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.begin(cancel)
	defer s.finish()
	st, err := s.transport.open(ctx)
	if err == nil {
		written := make(chan struct{})
		go func() {
			defer close(written)
			s.write(ctx, st)
		}()
		err = s.read(ctx, st)
		cancel(err)
		<-written
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return s.wasLive(), err
}

// read takes events from the stream until it ends.
func (s *Session) read(ctx context.Context, st stream) error {
	for {
		ev, err := st.Recv()
		if errors.Is(err, io.EOF) {
			return &Error{Code: Unavailable, Message: "the server ended the connection", cause: err}
		}
		if err != nil {
			return err
		}
		if err := s.handle(ev); err != nil {
			return err
		}
		if err := s.room(ctx); err != nil {
			return err
		}
	}
}

// room waits until the reader has made room in the queue.
func (s *Session) room(ctx context.Context) error {
	for {
		s.mu.Lock()
		s.link.full = len(s.queue) >= s.client.buffer
		s.link.heard = s.clock.Now()
		full := s.link.full
		s.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-s.space:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// write sends what there is to send until the stream ends. Its errors are the reader's too, so they are not told.
func (s *Session) write(ctx context.Context, st stream) {
	for {
		msg := s.outgoing()
		if msg == nil {
			select {
			case <-s.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		if st.Send(msg) != nil {
			return
		}
	}
}

// outgoing returns the next message for this stream, or nil.
func (s *Session) outgoing() *roompb.ClientMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.link
	switch {
	case !l.joined:
		l.joined, l.ping = true, true
		return joinMessage(s.join, s.place.cursor)
	case l.ping:
		// The first ping follows the join at once: a resume that missed nothing has no other answer.
		l.ping = false
		return &roompb.ClientMessage{Payload: &roompb.ClientMessage_Ping{Ping: &roompb.Ping{}}}
	case !l.live:
		return nil
	case len(l.signals) > 0:
		msg := l.signals[0]
		l.signals = l.signals[1:]
		return msg
	}
	return s.out.next(l.generation)
}

// tell puts an event of the session's own into the queue.
func (s *Session) tell(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(queued{event: e})
}

func (s *Session) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(queued{event: StateChanged{State: Ended, Err: err}})
	s.err = err
	s.out.close(err)
}

// sleep waits for d, or until ctx ends.
func (s *Session) sleep(ctx context.Context, d time.Duration) {
	over := make(chan struct{})
	timer := s.clock.AfterFunc(d, func() { close(over) })
	defer timer.Stop()
	select {
	case <-over:
	case <-ctx.Done():
	}
}
