package reliability

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"parley/reliability/wire"

	roompb "parley/proto/gen/api/room"
)

// limit is the most bytes of a message's text where nobody configured another one.
const limit = 32 << 10

// A nuisance is a message that makes no sense, and the code it is refused with.
type nuisance struct {
	name  string
	frame []byte
	code  string // empty: it is answered in another way, or not at all
}

func nuisances(t testing.TB, room string) []nuisance {
	message := func(m *roompb.ClientMessage) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	replyTo := func(id string) []byte {
		m := wire.Post("", "an answer")
		m.GetMessage().ReplyTo = &id
		return message(m)
	}
	vote := &roompb.ClientMessage{Payload: &roompb.ClientMessage_CastVote{CastVote: &roompb.CastVote{PollId: "1"}}}
	poll := &roompb.ClientMessage{Payload: &roompb.ClientMessage_CreatePoll{CreatePoll: &roompb.CreatePoll{Question: "?"}}}
	role := &roompb.ClientMessage{Payload: &roompb.ClientMessage_SetRole{SetRole: &roompb.SetRole{UserId: "nobody", Role: 77}}}
	text := message(wire.Post("", "XX"))
	return []nuisance{
		{"a message over the limit", message(wire.Post("", strings.Repeat("x", limit+1))), "MESSAGE_TOO_LARGE"},
		{"a message far over the limit", message(wire.Post("", strings.Repeat("x", 20*limit))), "MESSAGE_TOO_LARGE"},
		{"an empty message", message(wire.Post("", "")), "EMPTY_MESSAGE"},
		{"white space", message(wire.Post("", " \n\t ")), "EMPTY_MESSAGE"},
		{"invalid UTF-8", []byte(strings.Replace(string(text), "XX", "\xff\xfe", 1)), "INVALID_UTF8"},
		{"half a character", []byte(strings.Replace(string(text), "XX", "x\xc3", 1)), "INVALID_UTF8"},
		{"no payload", nil, "UNKNOWN_PAYLOAD"},
		{"a payload of the future", protowire.AppendBytes(protowire.AppendTag(nil, 60, protowire.BytesType), []byte("?")), "UNKNOWN_PAYLOAD"},
		{"half a frame", text[:len(text)-1], "INVALID_ARGUMENT"},
		{"no frame at all", []byte("\xff\xff\xff\xff\xff"), "INVALID_ARGUMENT"},
		{"a second join", message(wire.Join(&roompb.JoinRoom{RoomId: room, UserId: "other"})), "ALREADY_JOINED"},
		{"a reply to garbage", replyTo("garbage"), "INVALID_ARGUMENT"},
		{"a reply to nothing", replyTo("0"), "INVALID_ARGUMENT"},
		{"a reply to the future", replyTo("99999999"), "INVALID_ARGUMENT"},
		{"a reply to 2^70", replyTo("1180591620717411303424"), "INVALID_ARGUMENT"},
		{"a long client_id", message(wire.Post(strings.Repeat("k", 65), "text")), "INVALID_ARGUMENT"},
		{"an interrupt of nobody", message(wire.Interrupt("nobody", "")), "NOT_FOUND"},
		{"an interrupt of garbage", message(wire.Interrupt("nobody", "garbage")), "INVALID_ARGUMENT"},
		{"a role nobody has", message(role), "FORBIDDEN"},
		{"a vote", message(vote), ""},
		{"a poll", message(poll), ""},
	}
}

// Each nuisance is refused under its code; the stream goes on, and nothing that was said between them is lost.
func TestNuisances(t *testing.T) {
	s := start(t, serverConfig{})
	conn := dial(t, s.addr)
	id := mustRoom(t, conn)
	bea := sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: "bea"})
	other := sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: "bea"}) // a second stream of the same person
	for i, n := range nuisances(t, id) {
		if err := bea.SendBytes(n.frame); err != nil {
			t.Fatalf("%s: %v", n.name, err)
		}
		e := bea.until(func(e *roompb.ServerEvent) bool { return e.GetError() != nil })
		if got := e.GetError(); n.code != "" && got.GetCode() != n.code || got.GetCode() == "INTERNAL" || got.GetMessage() == "" {
			t.Errorf("%s was answered with %q: %s; want %s", n.name, got.GetCode(), got.GetMessage(), n.code)
		}
		bea.say(fmt.Sprint("key", i), fmt.Sprint("after ", n.name))
	}
	biggest := strings.Repeat("é", limit/2)
	bea.say("biggest", biggest)
	for i, n := range append(nuisances(t, id), nuisance{name: "biggest"}) {
		m := other.until(func(e *roompb.ServerEvent) bool { return e.GetMessageReceived() != nil }).GetMessageReceived().GetMessage()
		if want := fmt.Sprint("after ", n.name); m.GetContent() != want && m.GetContent() != biggest {
			t.Errorf("message %d is %.40q, want %q", i, m.GetContent(), want)
		}
	}
}

// What is too large for any message ends the stream, with its reason, and only that one.
func TestOversizedFrame(t *testing.T) {
	s := start(t, serverConfig{})
	conn := dial(t, s.addr)
	id := mustRoom(t, conn)
	bea, cem := sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: "bea"}), sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: "cem"})
	if err := bea.SendBytes(make([]byte, 2<<20)); err != nil {
		t.Fatal(err)
	}
	if err := bea.ended(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the stream ended with %v", err)
	}
	cem.say("k", "still here")
}

// Before a join nothing else is taken, and a join that is refused leaves the stream open for another one.
func TestNotJoined(t *testing.T) {
	s := start(t, serverConfig{})
	conn := dial(t, s.addr)
	id := mustRoom(t, conn)
	bea := open(t, conn)
	refused := func(m *roompb.ClientMessage, code string) {
		t.Helper()
		bea.send(m)
		if e := bea.next(); e.GetError().GetCode() != code {
			t.Errorf("%v was answered with %v, want %s", m, e, code)
		}
	}
	join := func(room, user, name string) *roompb.ClientMessage {
		return wire.Join(&roompb.JoinRoom{RoomId: room, UserId: user, DisplayName: name})
	}
	refused(wire.Post("k", "hello"), "NOT_JOINED")
	refused(wire.Ping("k"), "NOT_JOINED")
	refused(wire.Interrupt("m", ""), "NOT_JOINED")
	refused(join("nowhere", "bea", ""), "ROOM_NOT_FOUND")
	refused(join("", "bea", ""), "ROOM_NOT_FOUND")
	refused(join("../../etc", "bea", ""), "ROOM_NOT_FOUND")
	refused(join(id, "", ""), "INVALID_ARGUMENT")
	refused(join(id, "no such id", ""), "INVALID_ARGUMENT")
	refused(join(id, "bea", strings.Repeat("x", 1000)), "INVALID_ARGUMENT")
	refused(join(id, "bea", "two\nlines"), "INVALID_ARGUMENT")
	bea.send(join(id, "bea", ""))
	if e := bea.next(); e.GetRoomState() == nil {
		t.Fatalf("a good join was answered with %v", e)
	}
	bea.say("k", "hello")
}

// A message that follows its join at once is acknowledged like any other.
func TestMessageRightAfterJoin(t *testing.T) {
	s := start(t, serverConfig{})
	conn := dial(t, s.addr)
	id := mustRoom(t, conn)
	for n := range 200 {
		bea := open(t, conn)
		bea.send(wire.Join(&roompb.JoinRoom{RoomId: id, UserId: "bea"}))
		key := fmt.Sprint("key", n)
		bea.send(wire.Post(key, key))
		if !bea.acknowledged(key) {
			t.Fatalf("join %d: the state holds the message that followed the join, and nothing acknowledges it", n)
		}
		bea.leave()
	}
}

// acknowledged waits for the answers to a join and to the message after it, in whatever order they come. It gives up
// when the state holds the message already, since then no event will tell of it.
func (s *seat) acknowledged(key string) bool {
	s.send(wire.Ping("ping"))
	for held, answered := false, false; !held || !answered; {
		e := s.next()
		if got, _, ok := wire.Acknowledged(e); ok && got == key {
			return true
		}
		answered = answered || e.GetPong() != nil
		for _, m := range e.GetRoomState().GetMessages() {
			held = held || m.GetContent() == key
		}
	}
	return false
}
