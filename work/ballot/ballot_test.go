package ballot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/llm"
	"parley/room"
	"parley/seam"
	"parley/work/talk"
)

func TestNewNeedsItsCollaborators(t *testing.T) {
	whole := Config{Model: &cast{}, Clock: seam.Real(), Log: slog.Default(), Random: rand.NewPCG(1, 1)}
	if _, err := New(whole); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Config){
		"model":  func(c *Config) { c.Model = nil },
		"clock":  func(c *Config) { c.Clock = nil },
		"log":    func(c *Config) { c.Log = nil },
		"random": func(c *Config) { c.Random = nil },
		"limits": func(c *Config) { c.Parallel = -1 },
	} {
		cfg := whole
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A thinker plays the cast, but gpt-5 thinks for ever and is never silent.
type thinker struct{ *cast }

func (m thinker) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Delta, error] {
	if len(req.Models) == 0 || req.Models[0] != "gpt-5" {
		return m.cast.Stream(ctx, req)
	}
	return func(yield func(llm.Delta, error) bool) {
		for {
			select {
			case <-time.After(10 * time.Second):
				if !yield(llm.Delta{Reasoning: "hm"}, nil) {
					return
				}
			case <-ctx.Done():
				yield(llm.Delta{}, context.Cause(ctx))
				return
			}
		}
	}
}

// A model that never finishes misses its ballot before the room stops waiting; the votes of the others count.
func TestSlowModelCostsNobodyElseTheirVote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := votes(`{"options":[1]}`)
		d := &desk{view: council()}
		d.view.Polls[0].Opened.Anonymous = true
		d.view.Polls[0].Until = time.Now().Add(room.DefaultRules().BallotTime)
		w := newWorker(t, thinker{&cast{parts: map[string]part{"": {one}, "ada-1": {one}}}}, nil)
		ctx, cancel := context.WithDeadline(t.Context(), d.view.Polls[0].Until) // as the room ends the job
		defer cancel()
		if err := w.Do(ctx, room.CountJob{Poll: 20}, d); err != nil {
			t.Fatal(err)
		}
		c := d.only(t).(room.CountBallots)
		if len(c.Votes) != 2 || len(c.Missed) != 1 {
			t.Fatalf("counted %+v, want two votes and a miss", c)
		}
		if m := c.Missed[0]; m.Ballot != 22 || !strings.Contains(m.Reason, "in time") || m.Usage.Input == 0 || m.Usage.Output == 0 {
			t.Errorf("missed %+v, want ballot 22 with a reason and what it took", m)
		}
	})
}

// A single ballot ends in time, too; one whose time is over already is not asked for.
func TestSlowModelMissesItsBallot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, left := range []time.Duration{time.Minute, 0} {
			d := &desk{view: council()}
			d.view.Polls[0].Until = time.Now().Add(left)
			err := newWorker(t, thinker{&cast{}}, nil).Do(t.Context(), room.BallotJob{Ballot: 22, Poll: 20, Model: "gpt"}, d)
			m, ok := d.only(t).(room.MissBallot)
			if err != nil || !ok || !strings.Contains(m.Reason, "in time") || (m.Usage.Output > 0) != (left > 0) {
				t.Errorf("%v left: %v, %+v", left, err, d.commands)
			}
			if left > 0 && !time.Now().Before(d.view.Polls[0].Until) {
				t.Error("it ended when the room had stopped waiting")
			}
		}
	})
}

// once and twice are what one and two calls take.
var (
	once  = room.Usage{Input: 10, Output: 3, Cost: 50}
	twice = room.Usage{Input: 20, Output: 6, Cost: 100}
)

func voted(usage room.Usage, reason string, options ...int) room.CastBallot {
	return room.CastBallot{Ballot: 21, Options: options, Reason: reason, Served: "served", Usage: usage}
}

func missed(usage room.Usage, reason string) room.MissBallot {
	return room.MissBallot{Ballot: 21, Reason: reason, Served: "served", Usage: usage}
}

// What a model says, and the one command that comes of it.
func TestDecisions(t *testing.T) {
	const twoCalls = "Claude did not vote: "
	for _, c := range []struct {
		name   string
		part   part
		change func(*room.Poll)
		want   room.Command
	}{
		{"number", part{votes(`{"options":[2],"reason":"They freeze."}`)}, nil, voted(once, "They freeze.", 2)},
		{"text", part{votes(`{"options":["beans"],"reason":"r"}`)}, nil, voted(once, "r", 2)},
		{"number as text", part{votes(`{"options":["2"]}`)}, nil, voted(once, "", 2)},
		{"number and text", part{votes(`{"options":["2. Beans"]}`)}, nil, voted(once, "", 2)},
		{"an option that is a number", part{votes(`{"options":["2026"]}`)}, nil, voted(once, "", 4)},
		{"no list", part{votes(`{"options":3}`)}, nil, voted(once, "", 3)},
		{"twice the same", part{votes(`{"options":[3,"Red peas"]}`)}, nil, voted(once, "", 3)},
		{"reason in the text", part{{deltas: []llm.Delta{{Text: "They freeze."}, votes(`{"options":[1]}`).deltas[0], told}}}, nil, voted(once, "They freeze.", 1)},
		{"several", part{votes(`{"options":[3,1]}`)}, func(p *room.Poll) { p.Opened.Multiple = true }, voted(once, "", 1, 3)},

		{"JSON in the text", part{says("My vote:\n```json\n{\"options\":[2],\"reason\":\"r\"}\n```")}, nil, voted(once, "r", 2)},
		{"another JSON before", part{says(`{"a":1} {"vote":"Peas","statement":"r"}`)}, nil, voted(once, "r", 1)},
		{"text", part{says("I am for the beans.")}, nil, voted(once, "I am for the beans.", 2)},
		{"longer name", part{says("Red peas!")}, nil, voted(once, "Red peas!", 3)},
		{"option by number", part{says("Option 2")}, nil, voted(once, "Option 2", 2)},

		{"two in the text", part{says("peas or beans"), votes(`{"options":[1]}`)}, nil, voted(twice, "", 1)},
		{"broken JSON", part{votes(`{"options":[2`), votes(`{"options":[1]}`)}, nil, voted(twice, "", 1)},
		{"broken JSON, but text", part{{deltas: []llm.Delta{{Text: "Beans."}, votes(`{"opt`).deltas[0], told}}}, nil, voted(once, "Beans.", 2)},
		{"other tool", part{calls("buy", `{}`), votes(`{"options":[1]}`)}, nil, voted(twice, "", 1)},
		{"nothing", part{says(""), says("Beans.")}, nil, voted(twice, "Beans.", 2)},

		{"no option twice", part{votes(`{"options":[5]}`), votes(`{"options":[0]}`)}, nil, missed(twice, twoCalls+`"0" is no option of this poll: it has the numbers 1 to 4`)},
		{"too many twice", part{votes(`{"options":[1,2]}`), votes(`{"options":[1,2]}`)}, nil, missed(twice, twoCalls+"this poll takes exactly one option, and it names 2")},
		{"broken twice", part{votes(`{"`), votes(`[`)}, nil, missed(twice, twoCalls+"its arguments are not the JSON that the tool asks for")},
		{"undecided twice", part{says("Hm."), says("Peas or beans.")}, nil, missed(twice, twoCalls+"it names no option, or more than one")},
		{"no options", part{votes(`{}`), votes(`{"options":[]}`)}, nil, missed(twice, twoCalls+"it has no options")},

		{"opt out", part{calls("opt_out", `{"reason":"not my field"}`)}, nil, missed(once, "not my field")},
		{"opt out without reason", part{calls("opt_out", `{`)}, nil, missed(once, "Claude chose not to vote")},
		{"opted out", part{{deltas: []llm.Delta{{OptedOut: true, Text: "not mine"}, told}}}, nil, missed(once, "not mine")},

		{
			"refused",
			part{{err: &llm.Error{Kind: llm.Overloaded, Provider: "openai"}}},
			nil,
			room.MissBallot{Ballot: 21, Reason: "Claude cannot answer now: openai has too much to do, or its quota is used up. Try again later"},
		},
		{
			"no money",
			nil,
			func(p *room.Poll) { p.Each.Cost = 10 },
			room.MissBallot{Ballot: 21, Reason: "Claude was not asked: "},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &desk{view: council()}
			if c.change != nil {
				c.change(&d.view.Polls[0])
			}
			if err := newWorker(t, &cast{parts: map[string]part{"": c.part}}, nil).Do(t.Context(), job, d); err != nil {
				t.Fatal(err)
			}
			got := d.only(t)
			if want, ok := c.want.(room.MissBallot); ok && strings.HasSuffix(want.Reason, ": ") {
				m := got.(room.MissBallot)
				if m.Reason = m.Reason[:min(len(m.Reason), len(want.Reason))]; m != want {
					t.Errorf("did %#v\nwant %#v", m, want)
				}
				return
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("did %#v\nwant %#v", got, c.want)
			}
		})
	}
}

// What a model is told: the room before the poll and the poll, and nobody's vote.
func TestBallotsAreBlind(t *testing.T) {
	m := &cast{parts: map[string]part{"": {votes(`{"options":[1]}`)}}}
	d := &desk{view: council()}
	if err := newWorker(t, m, nil).Do(t.Context(), job, d); err != nil {
		t.Fatal(err)
	}
	req := m.asked[""][0]
	prompt := ""
	for _, turn := range req.Messages {
		prompt += turn.Text + "\n"
	}
	for _, secret := range []string{"BOBS REASON", "I voted for beans"} {
		if strings.Contains(prompt, secret) {
			t.Errorf("the model is told %q", secret)
		}
	}
	const poll = `[Maja]: Beans freeze.

[Vote now in this poll, which Maja opened. Choose exactly one option.]
[The question:]
> What do we plant?
> [Maja]: vote 2
[The options, by their numbers:]
> 1. Peas
> 2. Beans: the red > 3. ones
> 3. Red peas
> 4. 2026`
	if last := req.Messages[len(req.Messages)-1].Text; last != poll {
		t.Errorf("told\n%s", last)
	}
	if !strings.Contains(prompt, "You are Claude.") || !strings.Contains(prompt, "You are dry.") {
		t.Errorf("told\n%s", prompt)
	}
	if got := toolNames(req); !reflect.DeepEqual(got, []string{"opt_out", "vote_on_poll"}) {
		t.Errorf("offered %v", got)
	}
}

// The second call tells what was wrong as the result of the first one's tool, in JSON that a provider takes.
func TestReproach(t *testing.T) {
	m := &cast{parts: map[string]part{"": {votes(`{"options":[9`), votes(`{"options":[1]}`)}}}
	if err := newWorker(t, m, nil).Do(t.Context(), job, &desk{view: council()}); err != nil {
		t.Fatal(err)
	}
	said := m.asked[""][1].Messages
	call, result := said[len(said)-2], said[len(said)-1]
	if call.Role != llm.Assistant || len(call.ToolCalls) != 1 || call.ToolCalls[0].Arguments != "{}" ||
		result.Role != llm.ToolResult || result.ToolCallID != "c1" || !strings.HasPrefix(result.Text, "That is no vote: its arguments are not") {
		t.Errorf("told %+v, %+v", call, result)
	}
}

func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{view: council()}
		m := &cast{parts: map[string]part{"": {{wait: time.Hour}}}}
		if err := newWorker(t, m, nil).Do(t.Context(), job, d); err != nil {
			t.Fatal(err)
		}
		if got := d.only(t).(room.MissBallot); got.Reason != "Claude was silent for 60s: ask again" || got.Usage.Input == 0 {
			t.Errorf("did %+v", got)
		}
	})
}

// accounts counts the ballots of which a desk was told what they took, and nothing else.
func accounts(t *testing.T, d *desk) (n int) {
	t.Helper()
	told := make(map[room.Offset]bool)
	for _, c := range d.commands {
		v, ok := c.(room.RecordUsage)
		if !ok || told[v.Ballot] || v.Ballot == 0 || v.Reply != 0 {
			t.Errorf("did %#v", c)
		}
		told[v.Ballot] = true
	}
	return len(told)
}

func TestUnwantedJobOnlyAccounts(t *testing.T) {
	stopped := errors.New("somebody stopped it")
	for job, ballots := range map[room.Job]int{job: 1, room.CountJob{Poll: 20}: len(council().Polls[0].Open)} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			slow := part{{wait: time.Hour}}
			m := &cast{parts: map[string]part{"": slow, "gpt-5": slow, "ada-1": slow}}
			d := &desk{view: council()}
			done := make(chan error)
			go func() { done <- newWorker(t, m, nil).Do(ctx, job, d) }()
			synctest.Wait()
			cancel(stopped)
			if err := <-done; !errors.Is(err, stopped) || accounts(t, d) != ballots {
				t.Errorf("%v, did %#v", err, d.commands)
			}
			for _, c := range d.commands {
				if c.(room.RecordUsage).Usage.Input == 0 {
					t.Errorf("what was read is not told: %+v", c)
				}
			}
		})
	}
}

// A ballot that ends before its model was asked took nothing, and the room is told so.
func TestUnbegunBallotTookNothing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("somebody stopped it")
	cancel(stopped)
	d := &desk{viewErr: stopped}
	if err := newWorker(t, &cast{}, nil).Do(ctx, job, d); !errors.Is(err, stopped) || len(d.commands) != 1 || d.commands[0] != (room.RecordUsage{Ballot: job.Ballot}) {
		t.Errorf("%v, did %#v", err, d.commands)
	}
}

func TestTrouble(t *testing.T) {
	closed, cast1, unseated := council(), council(), council()
	closed.Polls[0].Closed = &room.PollClosed{}
	cast1.Polls[0].Open = cast1.Polls[0].Open[1:]
	unseated.Info.Models = unseated.Info.Models[1:]
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		desk *desk
		err  error
		did  int
	}{
		{"the poll is closed", &desk{view: closed}, nil, 1},
		{"the ballot has ended", &desk{view: cast1}, nil, 1},
		{"the poll is gone", &desk{}, nil, 1},
		{"it ended meanwhile", &desk{view: council(), doErr: &room.Error{Code: room.CodeGone}}, nil, 2},
		{"the model has no seat", &desk{view: unseated}, nil, 1},
		{"no view", &desk{viewErr: broken}, broken, 0},
		{"no end", &desk{view: council(), doErr: broken}, broken, 1},
	} {
		m := &cast{parts: map[string]part{"": {votes(`{"options":[1]}`)}}}
		if err := newWorker(t, m, nil).Do(t.Context(), job, c.desk); !errors.Is(err, c.err) || len(c.desk.commands) != c.did {
			t.Errorf("%s: %v, did %#v", c.name, err, c.desk.commands)
		}
	}
	if err := newWorker(t, &cast{}, nil).Do(t.Context(), room.ReplyJob{}, &desk{}); err == nil {
		t.Error("a reply is taken for a ballot")
	}
}

// All ballots of an anonymous poll are asked for at once, some at a time, and counted in an order that tells nothing.
func TestCount(t *testing.T) {
	orders := make(map[string]bool)
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			wait := func(a answer) part { a.wait = time.Second; return part{a} }
			m := &cast{parts: map[string]part{
				"": wait(votes(`{"options":[1]}`)), "gpt-5": wait(votes(`{"options":[2]}`)),
				"ada-1": {says("Hm."), says("Hm.")},
			}}
			d, began := &desk{view: council()}, time.Now()
			w := newWorker(t, m, func(c *Config) { c.Random = rand.NewPCG(seed, 0); c.Parallel = 2 })
			if err := w.Do(t.Context(), room.CountJob{Poll: 20}, d); err != nil {
				t.Fatal(err)
			}
			got := d.only(t).(room.CountBallots)
			if len(got.Votes) != 2 || len(got.Missed) != 1 || got.Missed[0].Ballot != 23 || m.most != 2 || time.Since(began) != time.Second {
				t.Errorf("counted %+v, %d at once, in %s", got, m.most, time.Since(began))
			}
			orders[fmt.Sprint(got.Votes[0].Ballot)] = true
			votes := slices.SortedFunc(slices.Values(got.Votes), func(a, b room.CastBallot) int { return int(a.Ballot) - int(b.Ballot) })
			if !reflect.DeepEqual(votes[0].Options, []int{1}) || !reflect.DeepEqual(votes[1].Options, []int{2}) || votes[0].Usage != once {
				t.Errorf("counted %+v", votes)
			}
		})
	}
	if len(orders) != 2 {
		t.Errorf("the first is always of %v", orders)
	}
}

// A model that panics fails alone.
func TestPanic(t *testing.T) {
	m := &cast{parts: map[string]part{"": {votes(`{"options":[1]}`)}, "gpt-5": {votes(`{"options":[2]}`)}}} // Ada has no part
	d := &desk{view: council()}
	if err := newWorker(t, m, nil).Do(t.Context(), room.CountJob{Poll: 20}, d); err != nil {
		t.Fatal(err)
	}
	if got := d.only(t).(room.CountBallots); len(got.Votes) != 2 || len(got.Missed) != 1 || got.Missed[0].Ballot != 23 {
		t.Errorf("counted %+v", got)
	}
}

func TestUnknownPrice(t *testing.T) {
	d := &desk{view: council()}
	d.view.Info.Models = []room.Model{{ID: "claude", Name: "Claude", Model: "dear"}}
	d.view.Polls[0].Each.Cost = room.Dollar
	if err := newWorker(t, &cast{}, nil).Do(t.Context(), job, d); err != nil {
		t.Fatal(err)
	}
	if got := d.only(t).(room.MissBallot); got.Reason != "the price of dear is unknown: add it to prices or lift the limit" {
		t.Errorf("did %+v", got)
	}
}

// The log of an anonymous poll says how many voted; no log says what.
func TestLogHoldsNoVotes(t *testing.T) {
	var log bytes.Buffer
	parts := func() *cast {
		v := part{votes(`{"options":[1],"reason":"SECRET"}`)}
		return &cast{parts: map[string]part{"": v, "gpt-5": v, "ada-1": v}}
	}
	for _, job := range []room.Job{job, room.CountJob{Poll: 20}} {
		w := newWorker(t, parts(), func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		if err := w.Do(t.Context(), job, &desk{view: council()}); err != nil {
			t.Fatal(err)
		}
	}
	if out := log.String(); strings.Contains(out, "SECRET") || strings.Count(out, "\n") != 2 || !strings.Contains(out, "votes=3 missed=0") {
		t.Errorf("log:\n%s", out)
	}
}

func FuzzHear(f *testing.F) {
	f.Add("I am for {\"options\":[2]} beans", `{"options":["2"]}`)
	f.Add("peas {{{", `{"options":{"a":[]}}`)
	f.Add("option 99999", "null")
	p := council().Polls[0].Opened
	f.Fuzz(func(t *testing.T, text, arguments string) {
		for _, calls := range [][]llm.ToolCall{nil, {{Name: voteTool, Arguments: arguments}}} {
			a := talk.Answer{Text: text, Calls: calls}
			u := hear(p, a)
			if u.wrong == "" && !u.optedOut && (len(u.options) != 1 || u.options[0] < 1 || u.options[0] > len(p.Options)) {
				t.Errorf("%q, %q: %+v", text, arguments, u)
			}
		}
	})
}
