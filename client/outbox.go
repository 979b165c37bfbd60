package client

import (
	"context"
	"crypto/rand"
	"slices"

	roompb "parley/proto/gen/api/room"

	"google.golang.org/protobuf/proto"
)

// An outbox holds the commands that the server has not answered, in the order they were given. The session's mutex
// guards it.
type outbox struct {
	items []*pending
	room  int
}

// pending is a command that waits for its answer.
type pending struct {
	msg    *roompb.ClientMessage
	leave  bool
	sent   int // the generation of the stream it was sent on last; 0 means never
	answer chan answer
}

type answer struct {
	offset uint64
	err    error
}

// renew gives a leave that was sent before a new key. The next join makes a new membership, and what comes of the old
// key only tells how the last one ended.
func (o *outbox) renew() {
	for _, p := range o.items {
		if p.leave && p.sent != 0 {
			p.msg.ClientId = rand.Text()
		}
	}
}

// leaves reports whether a leave waits for its answer.
func (o *outbox) leaves() bool {
	return slices.ContainsFunc(o.items, func(p *pending) bool { return p.leave })
}

// next returns the first command that was not yet sent on the stream of this generation, or nil.
func (o *outbox) next(generation int) *roompb.ClientMessage {
	for _, p := range o.items {
		if p.sent != generation {
			p.sent = generation
			return p.msg
		}
	}
	return nil
}

// resolve answers the command that ev acknowledges, takes it out, and returns it.
func (o *outbox) resolve(ev *roompb.ServerEvent) *pending {
	id := ev.GetClientId()
	if id == "" {
		return nil
	}
	i := slices.IndexFunc(o.items, func(p *pending) bool { return p.msg.GetClientId() == id })
	if i < 0 {
		return nil
	}
	p := o.items[i]
	o.items = slices.Delete(o.items, i, i+1)
	switch e := ev.GetError(); {
	case e != nil && ev.GetOffset() == 0:
		p.answer <- answer{err: errorFrom(e)}
	case ev.GetAccepted() != nil:
		p.answer <- answer{offset: ev.GetAccepted().GetOffset()}
	default:
		p.answer <- answer{offset: ev.GetOffset()}
	}
	return p
}

// close answers all commands with err.
func (o *outbox) close(err error) {
	for _, p := range o.items {
		p.answer <- answer{err: err}
	}
	o.items = nil
}

// do gives a command to the server and waits for its answer: the offset of the entry it led to, 0 if it changed nothing.
func (s *Session) do(ctx context.Context, msg *roompb.ClientMessage) (uint64, error) {
	if msg.ClientId == "" {
		msg.ClientId = rand.Text()
	}
	_, leave := msg.GetPayload().(*roompb.ClientMessage_Leave)
	p := &pending{msg: msg, leave: leave, answer: make(chan answer, 1)}
	if err := sendable(msg); err != nil {
		return 0, err
	}
	if err := s.post(p); err != nil {
		return 0, err
	}
	select {
	case a := <-p.answer:
		return a.offset, a.err
	case <-ctx.Done():
		return s.withdraw(ctx, p)
	}
}

// mostBytes is what every server takes in one message. Its own limit for a text is much lower.
const mostBytes = 1 << 20

// sendable refuses what would break the stream instead of being answered, and so be sent again for ever.
func sendable(msg *roompb.ClientMessage) error {
	b, err := proto.Marshal(msg)
	switch {
	case err != nil:
		return &Error{Code: InvalidUTF8, Message: "text has to be valid UTF-8", cause: err}
	case len(b) > mostBytes:
		return &Error{Code: MessageTooLarge, Message: "that is too long: send it in parts"}
	}
	return nil
}

func (s *Session) post(p *pending) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if len(s.out.items) >= s.out.room {
		return ErrBusy
	}
	s.out.items = append(s.out.items, p)
	notify(s.wake)
	return nil
}

// withdraw takes a command back whose context has ended, unless its answer is there after all.
func (s *Session) withdraw(ctx context.Context, p *pending) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case a := <-p.answer:
		return a.offset, a.err
	default:
	}
	s.out.items = slices.DeleteFunc(s.out.items, func(o *pending) bool { return o == p })
	if p.sent == 0 {
		return 0, context.Cause(ctx)
	}
	return 0, withdrawn(context.Cause(ctx))
}
