package reply

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/llm"
	"parley/room"
	"parley/seam"
	"parley/work"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A desk remembers what was done at it.
type desk struct {
	view    room.View
	viewErr error
	doErr   error

	mu       sync.Mutex
	asked    int // messages wanted of the view
	commands []room.Command
	said     []room.Said
}

var _ work.Desk = (*desk)(nil)

func (d *desk) View(_ context.Context, n int) (room.View, error) {
	d.asked = n
	v := d.view
	v.Messages = v.Messages[max(0, len(v.Messages)-n):]
	return v, d.viewErr
}

func (d *desk) Do(ctx context.Context, c room.Command) (room.Offset, error) {
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.commands = append(d.commands, c)
	return 99, d.doErr
}

func (d *desk) Signal(s room.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, s.(room.Said))
}

// heard joins what was signalled, and fails the test where a signal is out of place.
func (d *desk) heard(t *testing.T) string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	var b strings.Builder
	for _, s := range d.said {
		if s.Position != b.Len() || s.Reply != claudesReply {
			t.Errorf("signal at %d of %+v, want at %d", s.Position, s.Reply, b.Len())
		}
		b.WriteString(s.Text)
	}
	return b.String()
}

// estimated takes away what was not told by the provider.
func estimated(c room.Command) room.Command {
	guess := func(u *room.Usage) {
		if u.Input != 10 {
			*u = room.Usage{}
		}
	}
	switch v := c.(type) {
	case room.CompleteReply:
		guess(&v.Usage)
		return v
	case room.FailReply:
		guess(&v.Usage)
		return v
	case room.DeclineReply:
		guess(&v.Usage)
		return v
	}
	return c
}

// prices knows what every model of these tests costs: 2 a token read, 10 a token written.
type prices map[string]bool

func (p prices) Cost(model string, u llm.Usage) (int64, bool) {
	return int64(2*u.Input + 10*u.Output), p[model]
}

// A step is what a model does next: it waits, then yields or fails.
type step struct {
	wait time.Duration
	llm.Delta
	err error
}

func text(s string) step { return step{Delta: llm.Delta{Text: s}} }

func call(name, arguments string) step {
	return step{Delta: llm.Delta{ToolCalls: []llm.ToolCall{{ID: "1", Name: name, Arguments: arguments}}}}
}

// A model takes its steps, and remembers what it was asked and whether it was left before its end.
type model struct {
	steps  []step
	asked  llm.Request
	left   bool
	closed bool // the stream has returned
}

func (m *model) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		m.asked = req
		defer func() { m.closed = true }()
		for _, s := range m.steps {
			if err := pause(ctx, s.wait); err != nil {
				yield(llm.Delta{}, err)
				return
			}
			if !yield(s.Delta, s.err) {
				m.left = true
				return
			}
			if s.err != nil {
				return
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return context.Cause(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var (
	claude = room.Model{ID: "claude", Name: "Claude", Model: "vendor/claude-9", Persona: "You are dry.", Title: "Counsel", Style: room.Bullet}
	gpt    = room.Model{ID: "gpt", Name: "GPT Five"}
	noon   = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

	claudesReply = room.ReplyRef{ID: 8, Model: "claude", Name: "Claude", Trigger: 7}
	claudesJob   = room.ReplyJob{Reply: 8, Model: "claude"}
)

func maja(id room.Offset, text string) room.Message {
	return room.Message{ID: id, Entry: id, By: room.PersonIdentity("maja"), Name: "Maja", Text: text}
}

func bob(id room.Offset, text string) room.Message {
	return room.Message{ID: id, Entry: id, By: room.PersonIdentity("bob"), Name: "Bob", Text: text}
}

func model1(m room.Model, id room.Offset, text string, end room.End) room.Message {
	return room.Message{ID: id, Entry: id, By: room.ModelIdentity(m.ID), Name: m.Name, Text: text, End: end}
}

// council is a room in which Maja asks Claude; said come before her question.
func council(said ...room.Message) room.View {
	return room.View{
		Room: "council", Offset: 8,
		Info: room.Info{Name: "Council", Description: "We plan a garden.", Models: []room.Model{claude, gpt}},
		People: []room.Person{
			{ID: "maja", Name: "Maja", Role: room.Admin, Title: "Gardener"},
			{ID: "bob", Name: "Bob", Role: room.Member},
			{ID: "eve", Name: "Eve", Role: room.Viewer},
			{ID: "ann", Name: "Ann", Role: room.Member, Left: true},
		},
		Messages: append(said, maja(7, "@claude what shall we plant?")),
		Replies:  []room.Reply{{Ref: claudesReply, Asked: noon}},
	}
}

func newWorker(t testing.TB, m llm.Model, change func(*Config)) *Worker {
	t.Helper()
	cfg := Config{Model: m, Clock: seam.Real(), Log: slog.New(slog.DiscardHandler), MaxDepth: 4, Prices: prices{"": true, claude.Model: true}}
	if change != nil {
		change(&cfg)
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var errStopped = errors.New("somebody stopped it")
