package client

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"
)

// Two cuts, at every pair of places, in logs of every shape: the events are those of the log, once each.
func TestEveryCut(t *testing.T) {
	for _, shape := range [][]int{{1}, {2}, {3}, {1, 1, 1}, {2, 2}, {1, 3, 1}, {3, 1, 2}, {1, 2, 1, 3}} {
		t.Run(fmt.Sprint(shape), func(t *testing.T) {
			events := 0
			for _, n := range shape {
				events += n
			}
			for first := range events + 2 {
				for second := range events + 2 {
					synctest.Test(t, func(t *testing.T) { cutTwice(t, shape, first, second) })
				}
			}
		})
	}
}

func cutTwice(t *testing.T, shape []int, first, second int) {
	r := newFakeRoom()
	r.faults = []fault{{first, -1}, {second, -1}}
	for _, n := range shape {
		r.happen(n)
	}
	s := join(t, r, JoinOptions{Cursor: Cursor{r.epoch, 0}})
	want := r.texts(0)
	got := read(t, s, len(want))
	if !slices.Equal(got, want) {
		t.Fatalf("cut after %d and %d events:\ngot  %q\nwant %q", first, second, got, want)
	}
	if c := s.Cursor(); c != (Cursor{r.epoch, uint64(len(shape))}) {
		t.Fatalf("cut after %d and %d events: cursor %v after %d entries", first, second, c, len(shape))
	}
	quiet(t, s)
}

// Whatever the network and the others do, every entry comes once and in order, and every message sent is in the log
// once, where Send said and in the order they were sent.
func TestExactlyOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		// The machine draws on this goroutine while the bubble's root waits for nothing: both are the same.
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(t, rt)
			defer m.close()
			rt.Repeat(map[string]func(*rapid.T){
				"others write": m.othersWrite,
				"send":         m.send,
				"cut":          m.cut,
				"fault":        m.plan,
				"wait":         m.wait,
			})
			m.settle(rt)
		})
	})
}

type machine struct {
	t     *testing.T
	room  *fakeRoom
	s     *Session
	heard []string
	sent  []*parcel
	done  chan struct{}
}

// A parcel is a message on its way.
type parcel struct {
	text   string
	offset uint64
	err    error
	done   chan struct{}
}

func newMachine(t *testing.T, rt *rapid.T) *machine {
	m := &machine{t: t, room: newFakeRoom(), done: make(chan struct{})}
	m.room.faults = faults(rt)
	m.s = join(t, m.room, JoinOptions{Cursor: Cursor{m.room.epoch, 0}})
	go func() {
		defer close(m.done)
		for ev, err := range m.s.Events(context.Background()) {
			if err != nil {
				t.Errorf("the session ended: %v", err)
			}
			if e, ok := ev.(MessageReceived); ok {
				m.heard = append(m.heard, e.Message.Text)
			}
		}
	}()
	return m
}

func faults(rt *rapid.T) []fault {
	one := rapid.Custom(func(rt *rapid.T) fault {
		return fault{rapid.IntRange(-1, 8).Draw(rt, "events"), rapid.IntRange(-1, 5).Draw(rt, "messages")}
	})
	return rapid.SliceOfN(one, 0, 6).Draw(rt, "faults")
}

func (m *machine) othersWrite(rt *rapid.T) { m.room.happen(rapid.IntRange(1, 3).Draw(rt, "events")) }

func (m *machine) send(*rapid.T) {
	p := &parcel{text: fmt.Sprintf("mine %d", len(m.sent)), done: make(chan struct{})}
	m.sent = append(m.sent, p)
	go func() {
		defer close(p.done)
		p.offset, p.err = m.s.Send(context.Background(), Draft{Text: p.text})
	}()
	synctest.Wait() // so that they are sent in this order
}

func (m *machine) cut(*rapid.T) { m.room.cut(status.Error(codes.Unavailable, "draining")) }

func (m *machine) plan(rt *rapid.T) {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	m.room.faults = faults(rt)
}

func (m *machine) wait(rt *rapid.T) {
	<-time.After(time.Duration(rapid.IntRange(1, 5_000).Draw(rt, "ms")) * time.Millisecond)
}

// settle lets everything come through, then compares.
func (m *machine) settle(rt *rapid.T) {
	m.room.mu.Lock()
	m.room.faults = nil
	m.room.mu.Unlock()
	<-time.After(5 * time.Minute)
	synctest.Wait()
	if want := m.room.texts(0); !slices.Equal(m.heard, want) {
		rt.Fatalf("heard %q\nthe log has %q", m.heard, want)
	}
	last := uint64(0)
	for _, p := range m.sent {
		<-p.done
		if p.err != nil {
			rt.Fatalf("%s: %v", p.text, p.err)
		}
		if p.offset <= last {
			rt.Fatalf("%s is entry %d, after %d", p.text, p.offset, last)
		}
		last = p.offset
		if got := m.room.texts(p.offset - 1)[0]; got != p.text {
			rt.Fatalf("%s: entry %d says %q", p.text, p.offset, got)
		}
	}
}

func (m *machine) close() {
	_ = m.s.Close()
	<-m.done
	for _, p := range m.sent {
		<-p.done
	}
}

func TestResetIsSurfaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{})
		if snap := next[Snapshot](t, s); snap.Reset {
			t.Fatal("the first snapshot says Reset")
		}
		r.happen(1)
		read(t, s, 1)
		r.mu.Lock()
		r.epoch, r.log = "second", nil
		r.mu.Unlock()
		r.happen(2)
		snap := next[Snapshot](t, s)
		if !snap.Reset || snap.Reason == "" || snap.Cursor != (Cursor{"second", 1}) {
			t.Fatalf("after the log was replaced: %+v", snap)
		}
		r.happen(1)
		if got := read(t, s, 1); got[0] != "entry 2, event 1 of 1" {
			t.Fatalf("after the reset: %q", got)
		}
	})
}

func TestResumesFromASavedCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		for range 3 {
			r.happen(2)
		}
		s := join(t, r, JoinOptions{Cursor: Cursor{r.epoch, 0}})
		read(t, s, 3) // in the middle of the second entry
		saved := s.Cursor()
		if saved.Offset != 1 {
			t.Fatalf("cursor %v in the middle of entry 2", saved)
		}
		_ = s.Close()
		s = join(t, r, JoinOptions{Cursor: saved})
		if got := read(t, s, 4); !slices.Equal(got, r.texts(1)) {
			t.Fatalf("got %q", got)
		}
	})
}

func TestServerEndsTheStreamCleanly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{})
		next[Snapshot](t, s)
		r.cut(io.EOF)
		state(t, s, Reconnecting)
		state(t, s, Live)
	})
}
