package rpc

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	roompb "parley/proto/gen/api/room"
)

// A frame is an encoded ServerEvent, shared by all streams that send it.
type frame struct{ data mem.BufferSlice }

func newFrame(e *roompb.ServerEvent) *frame {
	b, err := proto.Marshal(e)
	if err != nil { // only invalid UTF-8 can do this, and the room lets none in
		b, _ = proto.Marshal(errorEvent("INTERNAL", "an event could not be encoded: "+err.Error(), ""))
	}
	return &frame{mem.BufferSlice{mem.SliceBuffer(b)}}
}

// An inbound is a ClientMessage, or why what came is none: bad bytes are answered, they do not end the stream.
type inbound struct {
	msg roompb.ClientMessage
	err error
}

// codec is grpc's protobuf codec, but for what streams send and receive.
type codec struct{}

var _ encoding.CodecV2 = codec{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *frame:
		return m.data, nil
	case proto.Message:
		b, err := proto.Marshal(m)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	return nil, fmt.Errorf("marshal %T: not a message", v)
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	switch m := v.(type) {
	case *inbound:
		m.err = proto.Unmarshal(buf.ReadOnlyData(), &m.msg)
		return nil
	case proto.Message:
		return proto.Unmarshal(buf.ReadOnlyData(), m)
	}
	return fmt.Errorf("unmarshal %T: not a message", v)
}
