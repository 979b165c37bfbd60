package client

import (
	"context"
	"fmt"
	"io"
	"sync"

	roompb "parley/proto/gen/api/room"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A fault says when a stream of a fakeRoom breaks. -1 means never.
type fault struct {
	events   int // after so many events
	messages int // at the client's message after so many: it is lost
}

var sound = fault{-1, -1}

// A fakeRoom is a server with one room: a log whose entries are told by one or more events each.
type fakeRoom struct {
	mu      sync.Mutex
	epoch   string
	log     [][]*roompb.ServerEvent // by offset - 1
	keys    map[string]uint64
	faults  []fault // of the streams to come; sound ones after them
	streams []*fakeStream
	joins   []*roompb.JoinRoom
	member  bool
	deaf    bool                                            // answers nothing, not even a ping
	answer  func(*roompb.ClientMessage) *roompb.ServerEvent // before anything else; nil goes on
}

func newFakeRoom() *fakeRoom { return &fakeRoom{epoch: "first", keys: map[string]uint64{}} }

func (r *fakeRoom) client() *Client {
	c := &Client{transport: r, close: func() error { return nil }}
	c.fill()
	return c
}

func (r *fakeRoom) open(ctx context.Context) (stream, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &fakeStream{
		over: ctx.Done(), room: r, fault: sound, out: make(chan *roompb.ServerEvent, 10_000), broken: make(chan struct{}),
	}
	if len(r.faults) > 0 {
		s.fault, r.faults = r.faults[0], r.faults[1:]
	}
	r.streams = append(r.streams, s)
	if s.fault == (fault{}) {
		return nil, status.Error(codes.Unavailable, "connection refused")
	}
	return s, nil
}

// A fakeStream is one stream. Its room's mutex guards it.
type fakeStream struct {
	over   <-chan struct{} // the client has given the stream up
	room   *fakeRoom
	fault  fault
	joined bool
	ended  error
	out    chan *roompb.ServerEvent
	broken chan struct{}
}

func (s *fakeStream) Recv() (*roompb.ServerEvent, error) {
	select {
	case ev := <-s.out:
		return ev, nil
	default:
	}
	select {
	case ev := <-s.out:
		return ev, nil
	case <-s.broken:
		return nil, s.ended
	case <-s.over:
		return nil, status.Error(codes.Canceled, "context canceled")
	}
}

func (s *fakeStream) Send(m *roompb.ClientMessage) error {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	if s.ended != nil {
		return io.EOF
	}
	if s.fault.messages == 0 {
		s.end(status.Error(codes.Unavailable, "cut"))
		return nil
	}
	s.fault.messages--
	s.room.take(s, m)
	return nil
}

func (s *fakeStream) end(err error) {
	if s.ended == nil {
		s.ended = err
		close(s.broken)
	}
}

// push tells the client something, unless the stream is broken.
func (s *fakeStream) push(ev *roompb.ServerEvent) {
	switch {
	case s.ended != nil || s.room.deaf:
	case s.fault.events == 0:
		s.end(status.Error(codes.Unavailable, "cut"))
	default:
		s.fault.events--
		s.out <- ev
	}
}

func (r *fakeRoom) take(s *fakeStream, m *roompb.ClientMessage) {
	if r.answer != nil {
		if ev := r.answer(m); ev != nil {
			ev.ClientId = m.GetClientId()
			s.push(ev)
			return
		}
	}
	switch p := m.GetPayload().(type) {
	case *roompb.ClientMessage_Join:
		r.join(s, p.Join)
	case *roompb.ClientMessage_Ping:
		s.push(&roompb.ServerEvent{Payload: &roompb.ServerEvent_Pong{Pong: &roompb.Pong{}}})
	case *roompb.ClientMessage_Leave:
		if r.accepted(s, m.GetClientId()) {
			return
		}
		r.member = false
		r.post(m.GetClientId(), &roompb.ServerEvent{Payload: &roompb.ServerEvent_UserLeft{
			UserLeft: &roompb.UserLeft{UserId: "ada", LeftRoom: true},
		}})
		s.end(io.EOF)
	case *roompb.ClientMessage_Message:
		r.message(s, m.GetClientId(), p.Message.GetContent())
	}
}

func (r *fakeRoom) join(s *fakeStream, j *roompb.JoinRoom) {
	r.joins = append(r.joins, j)
	s.joined, r.member = true, true
	after := uint64(len(r.log))
	if c := j.GetCursor(); c.GetEpoch() == r.epoch {
		after = c.GetOffset()
	} else {
		state := &roompb.RoomState{Cursor: &roompb.Cursor{Epoch: r.epoch, Offset: after}}
		if c != nil {
			state.ResetReason = "the log was replaced"
		}
		s.push(&roompb.ServerEvent{Payload: &roompb.ServerEvent_RoomState{RoomState: state}})
	}
	for _, entry := range r.log[after:] {
		for _, ev := range entry {
			s.push(ev)
		}
	}
}

func (r *fakeRoom) message(s *fakeStream, key, text string) {
	if !r.accepted(s, key) {
		r.post(key, said("", text))
	}
}

// accepted answers a command that has had its effect before.
func (r *fakeRoom) accepted(s *fakeStream, key string) bool {
	old, ok := r.keys[key]
	if ok {
		s.push(&roompb.ServerEvent{
			ClientId: key, Payload: &roompb.ServerEvent_Accepted{Accepted: &roompb.Accepted{Offset: old}},
		})
	}
	return ok
}

// post appends an entry that is told by these events.
func (r *fakeRoom) post(key string, events ...*roompb.ServerEvent) uint64 {
	offset := uint64(len(r.log) + 1)
	for i, ev := range events {
		ev.Offset, ev.Epoch, ev.More, ev.ClientId = offset, r.epoch, i < len(events)-1, key
		if m := ev.GetMessageReceived(); m != nil && m.Message.MessageId == "" {
			m.Message.MessageId = fmt.Sprint(offset)
		}
	}
	r.log = append(r.log, events)
	if key != "" {
		r.keys[key] = offset
	}
	for _, s := range r.streams {
		for _, ev := range events {
			if s.joined {
				s.push(ev)
			}
		}
	}
	return offset
}

// happen appends an entry of n events that somebody else caused.
func (r *fakeRoom) happen(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := make([]*roompb.ServerEvent, n)
	for i := range events {
		events[i] = said("", fmt.Sprintf("entry %d, event %d of %d", len(r.log)+1, i+1, n))
	}
	r.post("", events...)
}

// signal tells all streams something that is not stored.
func (r *fakeRoom) signal(ev *roompb.ServerEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.streams {
		s.push(ev)
	}
}

// cut ends the streams there are.
func (r *fakeRoom) cut(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.streams {
		s.end(err)
	}
	r.streams = nil
}

// texts lists what the log says after an offset.
func (r *fakeRoom) texts(after uint64) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var texts []string
	for _, entry := range r.log[after:] {
		for _, ev := range entry {
			texts = append(texts, ev.GetMessageReceived().GetMessage().GetContent())
		}
	}
	return texts
}

func said(id, text string) *roompb.ServerEvent {
	return &roompb.ServerEvent{Payload: &roompb.ServerEvent_MessageReceived{MessageReceived: &roompb.MessageReceived{
		Message: &roompb.Message{MessageId: id, SenderId: "bob", Content: text},
	}}}
}

func chunk(id string, position uint64, text string) *roompb.ServerEvent {
	return &roompb.ServerEvent{Payload: &roompb.ServerEvent_LlmChunk{LlmChunk: &roompb.LLMChunk{
		MessageId: id, LlmId: "demo", Position: position, Content: text,
	}}}
}

func thinking(id string) *roompb.ServerEvent {
	return &roompb.ServerEvent{Payload: &roompb.ServerEvent_LlmThinking{LlmThinking: &roompb.LLMThinking{
		MessageId: id, LlmId: "demo",
	}}}
}

func refuse(code Code) *roompb.ServerEvent {
	return &roompb.ServerEvent{Payload: &roompb.ServerEvent_Error{Error: &roompb.Error{Code: string(code), Message: "no"}}}
}
