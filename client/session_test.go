package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	roompb "parley/proto/gen/api/room"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// join takes a seat that the end of the test gives up.
func join(t *testing.T, r *fakeRoom, o JoinOptions) *Session {
	t.Helper()
	o.Room, o.User = "room", "ada"
	s, err := r.client().Join(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// next returns the next event of a type and drops others.
func next[E Event](t *testing.T, s *Session) E {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	for {
		ev, err := s.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for %T: %v", *new(E), err)
		}
		if e, ok := ev.(E); ok {
			return e
		}
	}
}

// read returns the texts of the next n messages.
func read(t *testing.T, s *Session, n int) []string {
	t.Helper()
	texts := make([]string, n)
	for i := range texts {
		texts[i] = next[MessageReceived](t, s).Message.Text
	}
	return texts
}

// quiet checks that no message is left.
func quiet(t *testing.T, s *Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for ev, err := range s.Events(ctx) {
		if m, ok := ev.(MessageReceived); ok {
			t.Fatalf("one message too many: %q", m.Message.Text)
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
}

func state(t *testing.T, s *Session, want State) StateChanged {
	t.Helper()
	c := next[StateChanged](t, s)
	if c.State != want {
		t.Fatalf("%s, want %s", c.State, want)
	}
	return c
}

func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		r.faults = []fault{{}, {}} // nobody answers, twice
		s := join(t, r, JoinOptions{})
		state(t, s, Connecting)
		for range 2 {
			if c := state(t, s, Reconnecting); CodeOf(c.Err) != Unavailable || c.Retry <= 0 {
				t.Fatalf("%+v", c)
			}
		}
		state(t, s, Live)
		_ = s.Close()
		state(t, s, Ended)
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatalf("Next after Close: %v", err)
		}
		if _, err := s.Send(t.Context(), Draft{Text: "x"}); !errors.Is(err, ErrClosed) {
			t.Fatalf("Send after Close: %v", err)
		}
	})
}

func TestBackoffGrowsAndStartsAnew(t *testing.T) {
	most := firstWait
	for n := 1; n <= 100; n++ {
		for range 50 {
			if w := waitFor(n); w > most || w < most/2 {
				t.Fatalf("attempt %d waits %v, want up to %v", n, w, most)
			}
		}
		most = min(2*most, mostWait)
	}
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		r.faults = []fault{{}, {}, {}, {}, {1, -1}}
		s := join(t, r, JoinOptions{})
		state(t, s, Connecting)
		for range 4 {
			state(t, s, Reconnecting)
		}
		state(t, s, Live)
		if c := state(t, s, Reconnecting); c.Retry > firstWait {
			t.Fatalf("after a good connection it waits %v", c.Retry)
		}
	})
}

func TestRoomNotFoundEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		r.answer = func(*roompb.ClientMessage) *roompb.ServerEvent { return refuse(RoomNotFound) }
		s := join(t, r, JoinOptions{})
		state(t, s, Connecting)
		state(t, s, Ended)
		_, err := s.Next(t.Context())
		if CodeOf(err) != RoomNotFound {
			t.Fatalf("%v", err)
		}
	})
}

func TestWhichRefusalsLast(t *testing.T) {
	for _, c := range []struct {
		code    Code
		resumes bool
		ends    bool
	}{
		{AlreadyJoined, false, true},
		{AlreadyJoined, true, false},
		{Busy, false, false},
		{Unavailable, true, false},
		{Forbidden, true, true},
		{InvalidArgument, false, true},
		{Internal, false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newFakeRoom()
			refused := false
			r.answer = func(*roompb.ClientMessage) *roompb.ServerEvent {
				if refused {
					return nil
				}
				refused = true
				return refuse(c.code)
			}
			o := JoinOptions{}
			if c.resumes {
				o.Cursor = Cursor{r.epoch, 0}
			}
			s := join(t, r, o)
			state(t, s, Connecting)
			if got := next[StateChanged](t, s).State == Ended; got != c.ends {
				t.Errorf("%s, resuming %v: ended %v", c.code, c.resumes, got)
			}
		})
	}
}

func TestSeatTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{})
		next[Snapshot](t, s)
		r.signal(refuse(AlreadyJoined))
		if c := next[StateChanged](t, s); c.State != Ended || CodeOf(c.Err) != AlreadyJoined {
			t.Fatalf("%+v", c)
		}
	})
}

func TestStatusThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{})
		next[Snapshot](t, s)
		r.cut(status.Error(codes.PermissionDenied, "your token has run out: get a new one"))
		c := next[StateChanged](t, s)
		if c.State != Ended || CodeOf(c.Err) != Forbidden {
			t.Fatalf("%+v", c)
		}
	})
}

// A resume that missed nothing is live although no event comes.
func TestLiveWithoutNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{Cursor: Cursor{r.epoch, 0}})
		state(t, s, Connecting)
		state(t, s, Live)
	})
}

func TestKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{})
		next[Snapshot](t, s)
		quiet(t, s) // a minute of silence that pongs break
		if len(r.streams) != 1 {
			t.Fatalf("%d streams in a quiet minute", len(r.streams))
		}
		r.mu.Lock()
		r.deaf = true
		r.mu.Unlock()
		start := time.Now()
		c := next[StateChanged](t, s)
		if took := time.Since(start); c.State != Reconnecting || took > idleTime+answerTime {
			t.Fatalf("%+v after %v", c, took)
		}
		if !errors.Is(c.Err, errSilent) {
			t.Fatalf("reconnects because of %v", c.Err)
		}
	})
}

func TestNoAnswerToTheJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		r.deaf = true
		start := time.Now()
		s := join(t, r, JoinOptions{})
		state(t, s, Connecting)
		if c := state(t, s, Reconnecting); time.Since(start) != answerTime || !errors.Is(c.Err, errSilent) {
			t.Fatalf("%+v after %v", c, time.Since(start))
		}
	})
}

// A reader that takes nothing for long stops the stream, it does not break it.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{})
		next[Snapshot](t, s)
		for range 1000 {
			r.happen(1)
		}
		<-time.After(10 * time.Minute)
		if n := len(s.queue); n > 300 {
			t.Errorf("%d events are held for a reader that takes none", n)
		}
		read(t, s, 1000)
		if len(r.streams) != 1 {
			t.Errorf("%d streams", len(r.streams))
		}
	})
}

func TestEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		ctx, cancel := context.WithCancel(t.Context())
		s, err := r.client().Join(ctx, JoinOptions{Room: "room", User: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		next[Snapshot](t, s)
		cancel()
		<-s.done
		for _, err := range s.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestJoinNeedsRoomAndUser(t *testing.T) {
	if _, err := newFakeRoom().client().Join(t.Context(), JoinOptions{User: "ada"}); CodeOf(err) != InvalidArgument {
		t.Fatalf("%v", err)
	}
}
