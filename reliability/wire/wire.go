// Package wire speaks to a Parley server with nothing but grpc. It neither reconnects nor remembers: what a stream
// gets is what the server sent, and whatever bytes a test wants can be sent.
package wire

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	roompb "parley/proto/gen/api/room"
)

// Dial prepares a connection to a server on this machine. A connection that broke is made again at once.
func Dial(addr string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	impatient := grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1.5, MaxDelay: 20 * time.Millisecond},
		MinConnectTimeout: 5 * time.Second,
	}
	opts := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(impatient)}
	return grpc.NewClient("passthrough:///"+addr, append(opts, more...)...)
}

// A Stream is one seat in a room. One goroutine may send while another receives.
type Stream struct {
	grpc   grpc.ClientStream
	cancel context.CancelFunc
}

// Open starts a stream, without joining a room.
func Open(ctx context.Context, conn *grpc.ClientConn) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	s, err := conn.NewStream(ctx, &roompb.Room_ServiceDesc.Streams[0], roompb.Room_RoomSession_FullMethodName,
		grpc.ForceCodecV2(codec{}))
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open a stream: %w", err)
	}
	return &Stream{s, cancel}, nil
}

// Enter starts a stream and sends its join.
func Enter(ctx context.Context, conn *grpc.ClientConn, join *roompb.JoinRoom) (*Stream, error) {
	s, err := Open(ctx, conn)
	if err != nil {
		return nil, err
	}
	if err := s.Send(Join(join)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Send sends a message.
func (s *Stream) Send(m *roompb.ClientMessage) error { return s.grpc.SendMsg(m) }

// SendBytes sends bytes where a message should be.
func (s *Stream) SendBytes(b []byte) error { return s.grpc.SendMsg(b) }

// Recv returns the next event.
func (s *Stream) Recv() (*roompb.ServerEvent, error) {
	e := new(roompb.ServerEvent)
	if err := s.grpc.RecvMsg(e); err != nil {
		return nil, err
	}
	return e, nil
}

// Close gives the stream up. It may be called at any time, and again.
func (s *Stream) Close() { s.cancel() }

// codec sends messages and plain bytes.
type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		var err error
		if b, err = proto.Marshal(v.(proto.Message)); err != nil {
			return nil, err
		}
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	return proto.Unmarshal(data.Materialize(), v.(proto.Message))
}
