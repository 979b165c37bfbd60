package client

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	roompb "parley/proto/gen/api/room"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A loopback is a fakeRoom behind a real socket.
type loopback struct {
	roompb.UnimplementedRoomServer
	room *fakeRoom
}

func (l loopback) RoomSession(st grpc.BidiStreamingServer[roompb.ClientMessage, roompb.ServerEvent]) error {
	opened, err := l.room.open(st.Context())
	if err != nil {
		return err
	}
	s := opened.(*fakeStream)
	go func() {
		for {
			m, err := st.Recv()
			if err != nil || s.Send(m) != nil {
				return
			}
		}
	}()
	for {
		ev, err := s.Recv()
		if err != nil {
			return err
		}
		if err := st.Send(ev); err != nil {
			return err
		}
	}
}

func (l loopback) GetRoom(_ context.Context, r *roompb.GetRoomRequest) (*roompb.GetRoomResponse, error) {
	if r.GetRoomId() != "room" {
		return nil, status.Error(codes.NotFound, "there is no such room")
	}
	return &roompb.GetRoomResponse{Room: &roompb.RoomInfo{RoomId: "room", Name: "A room"}}, nil
}

func (l loopback) CreateRoom(_ context.Context, r *roompb.CreateRoomRequest) (*roompb.CreateRoomResponse, error) {
	return &roompb.CreateRoomResponse{RoomId: strings.ToLower(r.GetName())}, nil
}

// ListRooms and LoadHistory have 250 items each, in pages.
func (l loopback) ListRooms(_ context.Context, r *roompb.ListRoomsRequest) (*roompb.ListRoomsResponse, error) {
	var res roompb.ListRoomsResponse
	for i := from(r.GetCursor()); i < 250; i++ {
		if len(res.Rooms) == int(r.GetLimit()) {
			next := fmt.Sprint(i)
			res.NextCursor = &next
			break
		}
		res.Rooms = append(res.Rooms, &roompb.RoomInfo{RoomId: fmt.Sprint(i)})
	}
	return &res, nil
}

func (l loopback) LoadHistory(_ context.Context, r *roompb.LoadHistoryRequest) (*roompb.LoadHistoryResponse, error) {
	var res roompb.LoadHistoryResponse
	for i := from(r.GetCursor()); i < 250; i++ {
		if len(res.Messages) == int(r.GetLimit()) {
			next := fmt.Sprint(i)
			res.NextCursor = &next
			break
		}
		res.Messages = append(res.Messages, &roompb.Message{MessageId: fmt.Sprint(249 - i)})
	}
	slices.Reverse(res.Messages)
	return &res, nil
}

func from(cursor string) (i int) {
	_, _ = fmt.Sscan(cursor, &i)
	return i
}

// listen serves the room at addr until stop is called, at the latest at the end of the test.
func listen(t *testing.T, r *fakeRoom, addr string) (at string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	roompb.RegisterRoomServer(srv, loopback{room: r})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	stop = func() {
		srv.Stop()
		<-done
	}
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func dial(t *testing.T, addr string) *Client {
	t.Helper()
	c, err := Dial(addr, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestSessionOverASocket(t *testing.T) {
	r := newFakeRoom()
	addr, stop := listen(t, r, "127.0.0.1:0")
	s, err := dial(t, addr).Join(t.Context(), JoinOptions{Room: "room", User: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	next[Snapshot](t, s)
	send := func(text string) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := s.Send(t.Context(), Draft{Text: text})
			done <- err
		}()
		return done
	}
	first := send("before")
	read(t, s, 1)
	stop()
	if c := next[StateChanged](t, s); c.State != Reconnecting {
		t.Fatalf("%+v", c)
	}
	r.happen(3)
	second := send("meanwhile")
	listen(t, r, addr)
	if got := read(t, s, 4); !slices.Equal(got, r.texts(1)) {
		t.Fatalf("got %q", got)
	}
	for _, done := range []<-chan error{first, second} {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnaryCalls(t *testing.T) {
	addr, _ := listen(t, newFakeRoom(), "127.0.0.1:0")
	c := dial(t, addr)
	if id, err := c.CreateRoom(t.Context(), NewRoom{Name: "Board"}); id != "board" || err != nil {
		t.Fatalf("%q, %v", id, err)
	}
	if room, _, err := c.GetRoom(t.Context(), "room"); room.Name != "A room" || err != nil {
		t.Fatalf("%+v, %v", room, err)
	}
	if _, _, err := c.GetRoom(t.Context(), "nowhere"); CodeOf(err) != NotFound {
		t.Fatalf("%v", err)
	}
	n := 0
	for room, err := range c.Rooms(t.Context(), "") {
		if err != nil || room.ID != fmt.Sprint(n) {
			t.Fatalf("room %d: %+v, %v", n, room, err)
		}
		n++
	}
	for m, err := range c.History(t.Context(), "room") {
		n--
		if err != nil || m.ID != fmt.Sprint(n) {
			t.Fatalf("message %d: %+v, %v", n, m, err)
		}
	}
	if n != 0 {
		t.Fatalf("%d messages are missing", n)
	}
}

func TestNobodyListens(t *testing.T) {
	addr, stop := listen(t, newFakeRoom(), "127.0.0.1:0")
	stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, _, err := dial(t, addr).GetRoom(ctx, "room"); CodeOf(err) != Unavailable {
		t.Fatalf("%v", err)
	}
	if _, err := Dial("nowhere", Options{}); err == nil {
		t.Fatal("an address without a port is taken")
	}
}
