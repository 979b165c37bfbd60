package reliability

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	"parley/reliability/check"
	"parley/reliability/wire"

	roompb "parley/proto/gen/api/room"
)

// A beacon tells clients where the server is now.
type beacon struct {
	mu      sync.Mutex
	conn    *grpc.ClientConn
	changed chan struct{}
}

func newBeacon() *beacon { return &beacon{changed: make(chan struct{})} }

func (b *beacon) set(conn *grpc.ClientConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn = conn
	close(b.changed)
	b.changed = make(chan struct{})
}

// next waits for another connection than the last.
func (b *beacon) next(ctx context.Context, last *grpc.ClientConn) (*grpc.ClientConn, error) {
	for {
		b.mu.Lock()
		conn, changed := b.conn, b.changed
		b.mu.Unlock()
		if conn != nil && conn != last {
			return conn, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// errDone ends a client that has all it wants.
var errDone = errors.New("done")

// A lostRoomError ends a client whose room is gone, though its creation was acknowledged.
type lostRoomError string

func (id lostRoomError) Error() string { return "room " + string(id) + " was created and is not there" }

// answered looks at the first event of a stream.
func answered(room string, e *roompb.ServerEvent) error {
	if e.GetError().GetCode() == "ROOM_NOT_FOUND" {
		return lostRoomError(room)
	}
	return nil
}

// keep calls live with each server there is, until it is done or has nowhere to go.
func keep(ctx context.Context, b *beacon, live func(context.Context, *grpc.ClientConn) error) error {
	var conn *grpc.ClientConn
	for {
		var err error
		if conn, err = b.next(ctx, conn); err != nil {
			return err
		}
		err = live(ctx, conn)
		if errors.Is(err, errDone) {
			return nil
		}
		if _, gone := errors.AsType[lostRoomError](err); gone {
			return err
		}
	}
}

// window is how many messages of one writer are on their way at once.
const window = 4

// A writer posts messages and sends again what was not acknowledged when the server died.
type writer struct {
	room, name string
	acks       *atomic.Int64 // of all writers
	askEvery   int           // every so many messages ask the model
	ending     chan struct{} // closed: send no new ones

	mu       sync.Mutex
	free     chan struct{} // a message may be sent
	pending  []string      // keys, in the order they were first sent
	promises []check.Promise
	index    map[string]int // of promises, by key
	twice    []string       // keys acknowledged with two offsets
}

func newWriter(room, name string, acks *atomic.Int64) *writer {
	return &writer{
		room: room, name: name, acks: acks, askEvery: 20, ending: make(chan struct{}),
		free: make(chan struct{}, window), index: make(map[string]int),
	}
}

// live writes to one server.
func (w *writer) live(ctx context.Context, conn *grpc.ClientConn) error {
	s, err := wire.Enter(ctx, conn, &roompb.JoinRoom{RoomId: w.room, UserId: w.name})
	if err != nil {
		return err
	}
	defer s.Close()
	e, err := s.Recv()
	if err == nil {
		err = answered(w.room, e)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		cancel(w.send(ctx, s))
		s.Close()
	}()
	for {
		e, err := s.Recv()
		if err != nil {
			cancel(err)
			<-sent
			return context.Cause(ctx)
		}
		w.take(e)
	}
}

// send sends again what is pending, then new messages, until the stream breaks or all is acknowledged.
func (w *writer) send(ctx context.Context, s *wire.Stream) error {
	for _, key := range w.unanswered() {
		if err := s.Send(wire.Post(key, w.text(key))); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.ending:
			if len(w.unanswered()) == 0 {
				return errDone
			}
		default:
		}
		if key, ok := w.fresh(); ok {
			if err := s.Send(wire.Post(key, w.text(key))); err != nil {
				return err
			}
			continue
		}
		select {
		case <-w.free:
		case <-ctx.Done():
		}
	}
}

func (w *writer) unanswered() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.pending)
}

// fresh makes the key of a new message, if one may be sent.
func (w *writer) fresh() (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.ending:
		return "", false
	default:
	}
	if len(w.pending) >= window {
		return "", false
	}
	n := len(w.promises)
	key := fmt.Sprintf("%s-%d", w.name, n)
	if n%w.askEvery == 0 {
		key += "?"
	}
	w.index[key] = n
	w.promises = append(w.promises, check.Promise{Said: check.Said{Text: w.text(key)}})
	w.pending = append(w.pending, key)
	return key, true
}

func (w *writer) text(key string) string {
	if strings.HasSuffix(key, "?") {
		return "@slow " + key
	}
	return key
}

// take notes an acknowledgement.
func (w *writer) take(e *roompb.ServerEvent) {
	key, offset, ok := wire.Acknowledged(e)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n, mine := w.index[key]
	if !mine {
		return
	}
	p := &w.promises[n]
	if i := slices.Index(w.pending, key); i >= 0 {
		w.pending = slices.Delete(w.pending, i, i+1)
		p.Offset = offset
		w.acks.Add(1)
	} else if e.GetMessageReceived() != nil && p.Offset != offset {
		w.twice = append(w.twice, key)
	}
	select {
	case w.free <- struct{}{}:
	default:
	}
}
