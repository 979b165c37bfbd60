package reliability

import (
	"context"
	"slices"
	"testing"
	"time"

	"parley/client"
	"parley/reliability/check"
	"parley/seam"
)

// A subscriber reads with package client.
type subscriber struct {
	room       string
	after      uint64
	saw        []check.Said
	reconnects int64
	resets     int
}

// hasty is a clock on which a client's pauses between two attempts pass thirty times as fast.
type hasty struct{ seam.Clock }

func (h hasty) AfterFunc(d time.Duration, f func()) seam.Timer { return h.Clock.AfterFunc(d/30, f) }

func (s *subscriber) run(ctx context.Context, t testing.TB, addr string) {
	c, err := client.Dial(addr, client.Options{Clock: hasty{seam.Real()}})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = c.Close() }()
	session, err := c.Join(ctx, client.JoinOptions{Room: s.room, User: "session", Role: client.Viewer})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = session.Close() }()
	for e, err := range session.Events(ctx) {
		if err != nil {
			t.Errorf("a session ended: %v", err)
			return
		}
		if s.take(e) {
			return
		}
	}
}

// take notes an event and reports whether it is the last.
func (s *subscriber) take(e client.Event) (last bool) {
	switch e := e.(type) {
	case client.StateChanged:
		if e.State == client.Reconnecting {
			s.reconnects++
		}
	case client.Snapshot:
		if e.Reset {
			s.resets++
		} else {
			s.after = e.Cursor.Offset
		}
		// Who came in only now finds the last word in the state.
		return slices.ContainsFunc(e.Messages, func(m client.Message) bool { return m.Text == lastWord })
	case client.MessageReceived:
		s.saw = append(s.saw, check.Said{Offset: e.Offset, Text: e.Message.Text})
		return e.Message.Text == lastWord
	}
	return false
}
