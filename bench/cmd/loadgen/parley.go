package main

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"golang.org/x/net/http2"
)

// parley: api.room.Room (proto/pb/api/room/room.proto). The rooms are made through the unary CreateRoom; then each
// participant opens a RoomSession, joins, and publishes messages. Markers count in message_received, or, when a model
// is asked, in llm_chunk alone: the message that ends a reply repeats all its words.
type parley struct {
	cf      *config
	call    []byte
	ids     []string
	counted int // the field of ServerEvent whose markers count
}

// Fields of ClientMessage and ServerEvent.
const (
	clientJoin    = 1
	clientMessage = 2

	serverRoomState = 1
	serverMessage   = 2
	serverChunk     = 6
	serverError     = 9
	serverOffset    = 100 // this and the next four are the envelope
	serverClientID  = 104
)

func newParley(cf *config) *parley {
	t := &parley{cf: cf, call: grpcCall(cf.addr, "/api.room.Room/RoomSession"), counted: serverMessage}
	if cf.llm {
		t.counted = serverChunk
	}
	return t
}

// prepare makes the rooms over one connection.
func (t *parley) prepare(rooms int) error {
	s, err := dial(t.cf.addr)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.write(h2Open(false)); err != nil {
		return err
	}
	create := grpcCall(t.cf.addr, "/api.room.Room/CreateRoom")
	for i := range rooms {
		stream := uint32(2*i + 1)
		req := pbString(nil, 1, roomName(i))
		if t.cf.llm {
			req = pbBytes(req, 2, pbString(pbString(pbString(nil, 1, "bot"), 2, "fake"), 4, "Bot"))
		}
		b := append(h2Header(nil, len(create), http2.FrameHeaders, 4, stream), create...)
		b = append(grpcData(b, len(req), 1, stream), req...)
		if err := s.write(b); err != nil {
			return err
		}
		id, err := s.roomID()
		if err != nil {
			return fmt.Errorf("create room %d: %w", i, err)
		}
		t.ids = append(t.ids, id)
	}
	return nil
}

// roomID reads a CreateRoomResponse and the trailers after it.
func (s *bsock) roomID() (string, error) {
	msg, err := s.grpcWait()
	if err != nil {
		return "", err
	}
	_, id, _, ok := pbNext(msg)
	if !ok {
		return "", fmt.Errorf("no room id in %q", msg)
	}
	id = append([]byte(nil), id...)
	for {
		typ, flags, _, err := s.h2Frame()
		if err != nil || typ == http2.FrameHeaders && flags&1 != 0 {
			return string(id), err
		}
	}
}

func (t *parley) setup(c *conn, s *bsock) error {
	user := "u" + strconv.Itoa(c.idx)
	join := pbBytes(nil, clientJoin, pbString(pbString(nil, 1, t.ids[c.room]), 2, user))
	b := h2Open(c.stalled)
	b = append(h2Header(b, len(t.call), http2.FrameHeaders, 4, 1), t.call...)
	b = append(grpcData(b, len(join), 0, 1), join...)
	if err := s.write(b); err != nil {
		return err
	}
	msg, err := s.grpcWait()
	if err != nil {
		return err
	}
	if field, _ := payloadOf(msg); field != serverRoomState {
		return fmt.Errorf("join: %q", msg)
	}
	return nil
}

// payloadOf finds the payload of a ServerEvent.
func payloadOf(msg []byte) (field int, body []byte) {
	for len(msg) > 0 {
		field, body, rest, ok := pbNext(msg)
		if !ok {
			return 0, nil
		}
		if field < serverOffset || field > serverClientID {
			return field, body
		}
		msg = rest
	}
	return 0, nil
}

func (t *parley) feed(lp *loop, c *conn, b []byte) int { return h2Feed(lp, c, b, t.data) }

// data takes a DATA frame. Usually it is one whole message; large ones come in pieces.
func (t *parley) data(lp *loop, c *conn, p []byte) {
	if len(c.msg) > 0 || len(p) < 5 || len(p)-5 != int(binary.BigEndian.Uint32(p[1:])) {
		c.msg = append(c.msg, p...)
		for len(c.msg) >= 5 {
			n := 5 + int(binary.BigEndian.Uint32(c.msg[1:]))
			if len(c.msg) < n {
				return
			}
			t.event(lp, c, c.msg[5:n])
			c.msg = append(c.msg[:0], c.msg[n:]...)
		}
		return
	}
	t.event(lp, c, p[5:])
}

func (t *parley) event(lp *loop, c *conn, msg []byte) {
	switch field, body := payloadOf(msg); field {
	case t.counted:
		lp.scan(c, body)
	case serverError:
		lp.closed(c, fmt.Sprintf("error event %q", body))
	}
}

func (t *parley) publish(_ *conn, dst, p []byte) []byte {
	mention := ""
	if t.cf.llm {
		mention = "@bot "
	}
	n := len(mention) + len(p)
	message := 1 + pbVarintLen(n) + n
	dst = grpcData(dst, 1+pbVarintLen(message)+message, 0, 1)
	dst = pbVarint(append(dst, clientMessage<<3|2), uint64(message))
	dst = pbVarint(append(dst, 1<<3|2), uint64(n))
	return append(append(dst, mention...), p...)
}
