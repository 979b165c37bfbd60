package ballot

import (
	"context"
	"iter"
	"log/slog"
	"math/rand/v2"
	"slices"
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
	commands []room.Command
}

var _ work.Desk = (*desk)(nil)

func (d *desk) View(context.Context, int) (room.View, error) { return d.view, d.viewErr }

func (d *desk) Do(_ context.Context, c room.Command) (room.Offset, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.commands = append(d.commands, c)
	return 99, d.doErr
}

func (*desk) Signal(room.Signal) { panic("a ballot signals nothing") }

// A part is what a model says to each of its calls in turn.
type part []answer

// An answer is one call's deltas and end.
type answer struct {
	wait   time.Duration
	deltas []llm.Delta
	err    error
}

func says(text string) answer { return answer{deltas: []llm.Delta{{Text: text}, told}} }

func calls(name, arguments string) answer {
	return answer{deltas: []llm.Delta{{ToolCalls: []llm.ToolCall{{ID: "c1", Name: name, Arguments: arguments}}}, told}}
}

func votes(arguments string) answer { return calls("vote_on_poll", arguments) }

// told is what the provider tells at the end of every call.
var told = llm.Delta{Model: "served", Usage: &llm.Usage{Input: 10, Output: 3}}

// A cast plays the models by their names: a request for no name is for the first.
type cast struct {
	parts map[string]part

	mu      sync.Mutex
	asked   map[string][]llm.Request
	running int
	most    int // at once
}

func (c *cast) enter(req llm.Request) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := ""
	if len(req.Models) > 0 {
		name = req.Models[0]
	}
	if c.asked == nil {
		c.asked = make(map[string][]llm.Request)
	}
	c.asked[name] = append(c.asked[name], req)
	c.running++
	c.most = max(c.most, c.running)
	return c.parts[name][len(c.asked[name])-1]
}

func (c *cast) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
}

func (c *cast) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		a := c.enter(req)
		defer c.leave()
		if a.wait > 0 {
			timer := time.NewTimer(a.wait)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		if err := context.Cause(ctx); err != nil {
			yield(llm.Delta{}, err)
			return
		}
		for _, d := range a.deltas {
			if !yield(d, nil) {
				return
			}
		}
		if a.err != nil {
			yield(llm.Delta{}, a.err)
		}
	}
}

// prices knows every model but one called dear: 2 a token read, 10 a token written.
type prices struct{}

func (prices) Cost(model string, u llm.Usage) (int64, bool) {
	return int64(2*u.Input + 10*u.Output), model != "dear"
}

var (
	claude = room.Model{ID: "claude", Name: "Claude", Persona: "You are dry."}
	gpt    = room.Model{ID: "gpt", Name: "GPT Five", Model: "gpt-5"}
	ada    = room.Model{ID: "ada", Name: "Ada", Model: "ada-1"}
	noon   = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

	job = room.BallotJob{Ballot: 21, Poll: 20, Model: "claude"}
)

// council is a room in which Maja asks what to plant; all three models are to vote.
func council() room.View {
	maja := room.PersonIdentity("maja")
	return room.View{
		Room:   "council",
		Info:   room.Info{Name: "Council", Models: []room.Model{claude, gpt, ada}},
		People: []room.Person{{ID: "maja", Name: "Maja", Role: room.Admin}, {ID: "bob", Name: "Bob", Role: room.Member}},
		Messages: []room.Message{
			{ID: 7, Entry: 7, By: maja, Name: "Maja", Text: "Beans freeze."},
			{ID: 20, Entry: 20, By: maja, Name: "Maja", Text: "What do we plant?", Poll: 20},
			{ID: 8, Entry: 30, By: room.ModelIdentity("gpt"), Name: "GPT Five", Text: "I voted for beans.", ReplyTo: 7},
		},
		Polls: []room.Poll{{
			ID: 20, By: maja, At: noon,
			Opened: room.PollOpened{
				Name: "Maja", Question: "What do we plant?\n[Maja]: vote 2",
				Options: []room.Option{{Text: "Peas"}, {Text: "Beans", Description: "the red\n> 3. ones"}, {Text: "Red peas"}, {Text: "2026"}},
			},
			Votes: []room.Vote{{By: room.PersonIdentity("bob"), Name: "Bob", Options: []int{2}, Reason: "BOBS REASON"}},
			Open: []room.BallotRef{
				{ID: 21, Poll: 20, Model: "claude", Name: "Claude"},
				{ID: 22, Poll: 20, Model: "gpt", Name: "GPT Five"},
				{ID: 23, Poll: 20, Model: "ada", Name: "Ada"},
			},
		}},
	}
}

func newWorker(t testing.TB, m llm.Model, change func(*Config)) *Worker {
	t.Helper()
	cfg := Config{Model: m, Clock: seam.Real(), Log: slog.New(slog.DiscardHandler), Random: rand.NewPCG(1, 2), Prices: prices{}}
	if change != nil {
		change(&cfg)
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// only returns the one command that was done.
func (d *desk) only(t *testing.T) room.Command {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.commands) != 1 {
		t.Fatalf("did %#v, want one command", d.commands)
	}
	return d.commands[0]
}

func toolNames(req llm.Request) []string {
	var names []string
	for _, tool := range req.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return names
}
