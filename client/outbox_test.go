package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	roompb "parley/proto/gen/api/room"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func drain(s *Session) {
	go func() {
		for range s.Events(context.Background()) {
			// Only so that answers come through.
		}
	}()
}

func TestSendReturnsTheOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		r.happen(1)
		s := join(t, r, JoinOptions{})
		drain(s)
		for want := uint64(2); want < 5; want++ {
			if got, err := s.Send(t.Context(), Draft{Text: "hello"}); got != want || err != nil {
				t.Fatalf("offset %d, %v; want %d", got, err, want)
			}
		}
	})
}

// The stream breaks at every place around a message that is sent: it is in the log once.
func TestSendAcrossEveryCut(t *testing.T) {
	for events := range 4 {
		for messages := range 4 {
			synctest.Test(t, func(t *testing.T) {
				r := newFakeRoom()
				r.faults = []fault{{events, messages}, {messages, events}}
				s := join(t, r, JoinOptions{})
				drain(s)
				for i := range 3 {
					if _, err := s.Send(t.Context(), Draft{Text: fmt.Sprint(i)}); err != nil {
						t.Fatal(err)
					}
				}
				if got := fmt.Sprint(r.texts(0)); got != "[0 1 2]" {
					t.Errorf("cut after %d events, %d messages: the log has %s", events, messages, got)
				}
			})
		}
	}
}

func TestRefusedCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		r.answer = func(m *roompb.ClientMessage) *roompb.ServerEvent {
			if m.GetMessage() != nil {
				return refuse(EmptyMessage)
			}
			return nil
		}
		s := join(t, r, JoinOptions{})
		_, err := s.Send(t.Context(), Draft{})
		var e *Error
		if !errors.As(err, &e) || e.Code != EmptyMessage || e.Message != "no" {
			t.Fatalf("%v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for ev := range s.Events(ctx) {
			if p, ok := ev.(Problem); ok {
				t.Fatalf("the answer to a command is told as an event too: %v", p.Err)
			}
		}
	})
}

func TestOutboxIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		r.deaf = true
		s := join(t, r, JoinOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 100)
		for range 64 {
			go func() {
				_, err := s.Send(ctx, Draft{Text: "x"})
				results <- err
			}()
		}
		synctest.Wait()
		if _, err := s.Send(t.Context(), Draft{Text: "x"}); !errors.Is(err, ErrBusy) {
			t.Fatalf("the 65th: %v", err)
		}
		cancel()
		for range 64 {
			if err := <-results; !errors.Is(err, context.Canceled) {
				t.Fatalf("withdrawn: %v", err)
			}
		}
		if n := len(s.out.items); n != 0 {
			t.Fatalf("%d commands stay in the outbox", n)
		}
	})
}

// What was withdrawn before it was sent is never sent.
func TestWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		r.faults = []fault{{}}
		s := join(t, r, JoinOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := s.Send(ctx, Draft{Text: "x"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		drain(s)
		if _, err := s.Send(t.Context(), Draft{Text: "y"}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.texts(0)); got != "[y]" {
			t.Fatalf("the log has %s", got)
		}
	})
}

func TestLeave(t *testing.T) {
	for name, f := range map[string]fault{
		"plain":           sound,
		"answer lost":     {2, -1}, // after room_state and pong
		"command lost":    {-1, 2},
		"broken at first": {0, -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newFakeRoom()
				r.faults = []fault{f}
				s := join(t, r, JoinOptions{})
				if err := s.Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, err := range s.Events(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
				}
				if _, err := s.Next(t.Context()); !errors.Is(err, ErrLeft) {
					t.Fatalf("after Leave: %v", err)
				}
				r.mu.Lock()
				defer r.mu.Unlock()
				if r.member {
					t.Fatal("a member still, after Leave")
				}
			})
		})
	}
}

// Somebody who leaves by one seat leaves by all of them: the others do not join again.
func TestLeaveBySeveralSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s, other := join(t, r, JoinOptions{}), join(t, r, JoinOptions{})
		next[Snapshot](t, s)
		next[Snapshot](t, other)
		if err := s.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		next[UserLeft](t, other)
		if c := next[StateChanged](t, other); c.State != Ended || !errors.Is(c.Err, ErrLeft) {
			t.Fatalf("%+v", c)
		}
		if r.member {
			t.Fatal("a member again")
		}
	})
}

// A leave of long ago does not end a Session that begins before it.
func TestOldLeaveIsHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{})
		if err := s.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		again := join(t, r, JoinOptions{Cursor: Cursor{r.epoch, 0}})
		next[UserLeft](t, again)
		r.happen(1)
		read(t, again, 1)
	})
}

func TestSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		var got []string
		r.answer = func(m *roompb.ClientMessage) *roompb.ServerEvent {
			switch {
			case m.GetTyping() != nil:
				got = append(got, "typing")
			case m.GetInterrupt() != nil:
				got = append(got, "interrupt "+m.GetInterrupt().GetLlmId()+m.GetInterrupt().GetMessageId())
				return refuse(NotFound)
			}
			return nil
		}
		r.faults = []fault{{}}
		s := join(t, r, JoinOptions{})
		synctest.Wait()
		if err := s.Typing(true); !errors.Is(err, ErrOffline) {
			t.Fatalf("without a connection: %v", err)
		}
		next[Snapshot](t, s)
		if err := errors.Join(s.Typing(true), s.Interrupt("demo", "7")); err != nil {
			t.Fatal(err)
		}
		if p := next[Problem](t, s); p.Err.Code != NotFound {
			t.Fatalf("%+v", p)
		}
		if fmt.Sprint(got) != "[typing interrupt demo7]" {
			t.Fatalf("%q", got)
		}
	})
}

func TestRenameJoinsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{Name: "Ada"})
		next[Snapshot](t, s)
		r.happen(1)
		read(t, s, 1)
		if err := s.Rename("Countess"); err != nil {
			t.Fatal(err)
		}
		state(t, s, Live)
		j := r.joins[len(r.joins)-1]
		if j.GetDisplayName() != "Countess" || j.GetCursor().GetOffset() != 1 {
			t.Fatalf("%v", j)
		}
	})
}

func TestCutWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{})
		next[Snapshot](t, s)
		r.cut(status.Error(codes.Unavailable, "the server is shutting down"))
		if c := state(t, s, Reconnecting); c.Retry > firstWait {
			t.Fatalf("waits %v", c.Retry)
		}
		state(t, s, Live)
	})
}

// What would break the stream each time it is sent is refused before it is.
func TestUnsendable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{})
		drain(s)
		for text, want := range map[string]Code{"\xff": InvalidUTF8, string(make([]byte, 2<<20)): MessageTooLarge} {
			if _, err := s.Send(t.Context(), Draft{Text: text}); CodeOf(err) != want {
				t.Errorf("%s: %v", want, err)
			}
		}
		if err := s.Rename("\xff"); CodeOf(err) != InvalidUTF8 {
			t.Errorf("%v", err)
		}
		if err := s.Interrupt("\xff", ""); CodeOf(err) != InvalidUTF8 {
			t.Errorf("%v", err)
		}
		if _, err := r.client().Join(t.Context(), JoinOptions{Room: "room", User: "\xff"}); CodeOf(err) != InvalidUTF8 {
			t.Errorf("%v", err)
		}
	})
}
