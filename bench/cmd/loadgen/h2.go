package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A minimal HTTP/2 and gRPC client side, so that no client library's cost differs between targets. The windows are
// opened to 2^31-1 at the start: no WINDOW_UPDATE is needed in a bounded run.

func h2Header(dst []byte, n int, typ http2.FrameType, flags byte, stream uint32) []byte {
	return append(dst, byte(n>>16), byte(n>>8), byte(n), byte(typ), flags, byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

// h2Open begins a connection. A narrow one keeps the windows of the protocol, 64 KiB, and never opens them again.
func h2Open(narrow bool) []byte {
	b := []byte(http2.ClientPreface)
	if narrow {
		b = h2Header(b, 6, http2.FrameSettings, 0, 0)
		return append(b, 0, 2, 0, 0, 0, 0) // ENABLE_PUSH 0
	}
	b = h2Header(b, 12, http2.FrameSettings, 0, 0)
	b = append(b, 0, 2, 0, 0, 0, 0)             // ENABLE_PUSH 0
	b = append(b, 0, 4, 0x7f, 0xff, 0xff, 0xff) // INITIAL_WINDOW_SIZE 2^31-1
	b = h2Header(b, 4, http2.FrameWindowUpdate, 0, 0)
	return binary.BigEndian.AppendUint32(b, 1<<31-1-65535)
}

// grpcCall encodes the headers of a call, without the frame around them.
func grpcCall(addr, path string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	e.SetMaxDynamicTableSize(0)
	for _, f := range [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", path},
		{":authority", addr},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
		{"user-agent", "loadgen"},
	} {
		_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return b.Bytes()
}

// grpcData appends a DATA frame with a message of n bytes, which the caller appends next.
func grpcData(dst []byte, n int, flags byte, stream uint32) []byte {
	dst = h2Header(dst, 5+n, http2.FrameData, flags, stream)
	return append(dst, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// h2Frame reads one frame from a blocking socket and answers settings and pings.
func (s *bsock) h2Frame() (typ http2.FrameType, flags byte, payload []byte, err error) {
	for len(s.buf) < 9 || len(s.buf) < 9+h2Len(s.buf) {
		if err := s.fill(); err != nil {
			return 0, 0, nil, err
		}
	}
	n := h2Len(s.buf)
	typ, flags, payload = http2.FrameType(s.buf[3]), s.buf[4], s.buf[9:9+n]
	s.buf = s.buf[9+n:]
	if out := h2Answer(nil, typ, flags, payload); len(out) > 0 {
		err = s.write(out)
	}
	if typ == http2.FrameRSTStream || typ == http2.FrameGoAway {
		err = fmt.Errorf("h2 %v %q", typ, payload)
	}
	return typ, flags, payload, err
}

func h2Len(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// h2Answer appends what a frame asks for.
func h2Answer(dst []byte, typ http2.FrameType, flags byte, payload []byte) []byte {
	switch {
	case flags&1 != 0:
	case typ == http2.FrameSettings:
		dst = h2Header(dst, 0, http2.FrameSettings, 1, 0)
	case typ == http2.FramePing:
		dst = append(h2Header(dst, 8, http2.FramePing, 1, 0), payload...)
	}
	return dst
}

// grpcWait reads until a whole message has come and returns it.
func (s *bsock) grpcWait() ([]byte, error) {
	var msg []byte
	for {
		typ, flags, payload, err := s.h2Frame()
		if err != nil {
			return nil, err
		}
		switch {
		case typ == http2.FrameData:
			msg = append(msg, payload...)
			if len(msg) >= 5 && len(msg)-5 >= int(binary.BigEndian.Uint32(msg[1:])) {
				return msg[5:], nil
			}
		case typ == http2.FrameHeaders && flags&1 != 0:
			return nil, fmt.Errorf("the call ended: %q", payload)
		}
	}
}

// h2Feed hands the payload of every whole DATA frame to data and sees to the other frames.
func h2Feed(lp *loop, c *conn, b []byte, data func(lp *loop, c *conn, payload []byte)) int {
	off := 0
	for len(b)-off >= 9 {
		n := h2Len(b[off:])
		if len(b)-off < 9+n {
			break
		}
		typ, flags, payload := http2.FrameType(b[off+3]), b[off+4], b[off+9:off+9+n]
		switch typ {
		case http2.FrameData:
			data(lp, c, payload)
		case http2.FrameSettings, http2.FramePing:
			if flags&1 == 0 {
				c.out = h2Answer(c.out, typ, flags, payload)
				lp.flush(c)
			}
		case http2.FrameRSTStream, http2.FrameGoAway:
			lp.closed(c, fmt.Sprintf("h2 %v %q", typ, payload))
		case http2.FrameHeaders:
			if flags&1 != 0 {
				lp.closed(c, fmt.Sprintf("the stream ended: %q", payload))
			}
		}
		off += 9 + n
	}
	return off
}

// Protobuf, as much as is needed.

func pbVarint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

func pbVarintLen(v int) int {
	n := 1
	for ; v >= 128; v >>= 7 {
		n++
	}
	return n
}

func pbBytes(dst []byte, field int, b []byte) []byte {
	dst = pbVarint(dst, uint64(field<<3|2))
	dst = pbVarint(dst, uint64(len(b)))
	return append(dst, b...)
}

func pbString(dst []byte, field int, s string) []byte { return pbBytes(dst, field, []byte(s)) }

// pbNext cuts the first field off msg. body is nil unless the field has a length.
func pbNext(msg []byte) (field int, body, rest []byte, ok bool) {
	tag, n := binary.Uvarint(msg)
	if n <= 0 {
		return 0, nil, nil, false
	}
	msg = msg[n:]
	field = int(tag >> 3)
	switch tag & 7 {
	case 0:
		if _, n = binary.Uvarint(msg); n <= 0 {
			return 0, nil, nil, false
		}
		return field, nil, msg[n:], true
	case 2:
		size, n := binary.Uvarint(msg)
		if n <= 0 || size > uint64(len(msg)-n) {
			return 0, nil, nil, false
		}
		return field, msg[n : n+int(size)], msg[n+int(size):], true
	}
	return 0, nil, nil, false
}

// grpcRaw: rawserver -mode grpc-*, a bidirectional stream of google.protobuf.BytesValue.
type grpcRaw struct {
	unprepared
	call []byte
}

func newGRPCRaw(cf *config) *grpcRaw { return &grpcRaw{call: grpcCall(cf.addr, "/bench.Room/Join")} }

func (t *grpcRaw) setup(c *conn, s *bsock) error {
	b := h2Open(c.stalled)
	b = append(h2Header(b, len(t.call), http2.FrameHeaders, 4, 1), t.call...)
	b = t.publish(c, b, []byte("S "+roomName(c.room)))
	if err := s.write(b); err != nil {
		return err
	}
	_, err := s.grpcWait()
	return err
}

func (t *grpcRaw) feed(lp *loop, c *conn, b []byte) int { return h2Feed(lp, c, b, (*loop).scan) }

func (t *grpcRaw) publish(_ *conn, dst, p []byte) []byte {
	return pbBytes(grpcData(dst, 1+pbVarintLen(len(p))+len(p), 0, 1), 1, p)
}
