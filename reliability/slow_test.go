package reliability

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"parley/reliability/check"
	"parley/reliability/wire"
	"parley/room"
	"parley/seam"

	roompb "parley/proto/gen/api/room"
)

// Followers that do not read, many of them, cost the others nothing: they get every message while these are stuck, on
// a clock that stands still. When time goes on they are ended, and one resumes later with all it missed.
func TestFollowersThatDoNotRead(t *testing.T) {
	const messages, slowAfter, crowd = 300, 10 * time.Second, 40
	clock := &handClock{now: time.Unix(0, 0)}
	s := start(t, serverConfig{clock: clock, slowAfter: slowAfter})
	conn := dial(t, s.addr)
	id := mustRoom(t, conn)
	writer := sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: "writer"})
	for n := range crowd {
		stop(t, s.addr, id, fmt.Sprint("crowd", n))
	}
	stuck, place := stop(t, s.addr, id, "stuck")
	var quick []*seat
	for n := range 3 {
		quick = append(quick, sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: fmt.Sprint("quick", n)}))
	}
	for n := range messages {
		writer.say(fmt.Sprint(n), fmt.Sprint(n, strings.Repeat(" words", 1000)))
	}
	for _, q := range quick {
		for n := range messages {
			e := q.until(func(e *roompb.ServerEvent) bool { return e.GetMessageReceived() != nil })
			if got := e.GetClientId(); got != fmt.Sprint(n) {
				t.Fatalf("somebody quick got message %s at place %d", got, n)
			}
		}
	}
	clock.pass(2 * slowAfter)
	read := drain(t, stuck, &place)
	if len(read) == messages {
		t.Fatal("the follower was not slow: its stream took everything")
	}
	back := sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: "stuck", Cursor: place.Cursor()})
	for len(read) < messages {
		for _, e := range place.Take(back.next()) {
			read = append(read, said(e)...)
		}
	}
	var report check.Report
	report.Reader(check.Read(t.Context(), s.store, room.ID(id)), "who was stuck", 0, read)
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	writer.say("end", "the others go on")
}

// stop joins a room and reads no further than the answer.
func stop(t testing.TB, addr, id, user string) (*wire.Stream, wire.Place) {
	t.Helper()
	conn := dial(t, addr, grpc.WithStaticStreamWindowSize(65535), grpc.WithStaticConnWindowSize(65535))
	s, err := wire.Enter(t.Context(), conn, &roompb.JoinRoom{RoomId: id, UserId: user})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	e, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var p wire.Place
	p.Take(e)
	return s, p
}

// drain reads what the stream still holds, to its end as one that was too slow.
func drain(t testing.TB, s *wire.Stream, p *wire.Place) (read []check.Said) {
	t.Helper()
	for {
		e, err := s.Recv()
		if err != nil {
			if status.Code(err) != codes.Unavailable {
				t.Errorf("the slow stream ended with %v", err)
			}
			return read
		}
		for _, e := range p.Take(e) {
			read = append(read, said(e)...)
		}
	}
}

func said(e *roompb.ServerEvent) []check.Said {
	if m := e.GetMessageReceived().GetMessage(); m != nil {
		return []check.Said{{Offset: e.GetOffset(), Text: m.GetContent()}}
	}
	return nil
}

// A handClock stands still until somebody moves it.
type handClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*handTimer]struct{}
}

type handTimer struct {
	clock *handClock
	at    time.Time
	f     func()
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) AfterFunc(d time.Duration, f func()) seam.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &handTimer{c, c.now.Add(d), f}
	if c.timers == nil {
		c.timers = make(map[*handTimer]struct{})
	}
	c.timers[t] = struct{}{}
	return t
}

func (t *handTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	_, waits := t.clock.timers[t]
	delete(t.clock.timers, t)
	return waits
}

// pass lets time pass, a quarter of a second at a time. Whoever sets its timer anew from a goroutine of its own is
// given the moment to do so.
func (c *handClock) pass(d time.Duration) {
	for end := c.Now().Add(d); c.Now().Before(end); {
		c.mu.Lock()
		c.now = c.now.Add(250 * time.Millisecond)
		var due []*handTimer
		for t := range c.timers {
			if !t.at.After(c.now) {
				due = append(due, t)
				delete(c.timers, t)
			}
		}
		c.mu.Unlock()
		for _, t := range due {
			t.f()
		}
		c.armed(len(due))
	}
}

// armed waits until n timers are set again, for a while.
func (c *handClock) armed(n int) {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for range 100 {
		c.mu.Lock()
		set := len(c.timers)
		c.mu.Unlock()
		if set >= n {
			return
		}
		<-look.C
	}
}
