package reply

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/llm"
	"parley/room"
	"parley/seam"
)

func TestNewNeedsItsCollaborators(t *testing.T) {
	whole := Config{Model: &model{}, Clock: seam.Real(), Log: slog.Default()}
	for name, change := range map[string]func(*Config){
		"model":  func(c *Config) { c.Model = nil },
		"clock":  func(c *Config) { c.Clock = nil },
		"log":    func(c *Config) { c.Log = nil },
		"limits": func(c *Config) { c.MaxBytes = -1 },
	} {
		cfg := whole
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What a model does, and the one command that comes of it.
func TestOutcomes(t *testing.T) {
	usage := step{Delta: llm.Delta{Model: "claude-9-0304", Usage: &llm.Usage{Input: 10, Output: 3}}}
	fails := func(k llm.Kind) step {
		return step{err: &llm.Error{Kind: k, Provider: "openai", Status: 500, RetryAfter: 30 * time.Second, Err: errors.New("the words of the provider.")}}
	}
	for _, c := range []struct {
		name  string
		steps []step
		want  room.Command
	}{
		{
			"words",
			[]step{text("Some "), text("peas."), usage},
			room.CompleteReply{Reply: 8, Text: "Some peas.", Served: "claude-9-0304", Usage: room.Usage{Input: 10, Output: 3, Cost: 50}},
		},
		{"own name", []step{text("\n[Cla"), text("UDE]"), text(": Peas.")}, room.CompleteReply{Reply: 8, Text: "Peas."}},
		{"cut rune", []step{text("\xe8\xb1"), text("\x86 "), text("\xe8")}, room.CompleteReply{Reply: 8, Text: "豆 "}},
		{"reasoning is not said", []step{{Delta: llm.Delta{Reasoning: "hm"}}, text("Peas.")}, room.CompleteReply{Reply: 8, Text: "Peas."}},
		{"nothing", []step{usage}, room.FailReply{Reply: 8, Served: "claude-9-0304", Usage: room.Usage{Input: 10, Output: 3, Cost: 50}, Reason: "Claude answered nothing: ask again, or in other words"}},
		{"nothing but blanks", []step{text(" \n"), text("\t")}, room.FailReply{Reply: 8, Reason: "Claude answered nothing: ask again, or in other words"}},
		{"nothing but the name", []step{text("Claude:")}, room.FailReply{Reply: 8, Reason: "Claude answered nothing: ask again, or in other words"}},
		{
			"too long",
			[]step{text(strings.Repeat("a", 60)), text(strings.Repeat("b", 60)), text("never")},
			room.CompleteReply{Reply: 8, Text: strings.Repeat("a", 60) + strings.Repeat("b", 40) + "\n\n[cut off: answers may have 100 bytes]"},
		},

		{
			"mention",
			[]step{text("Peas."), call("mention", `{"model":"gpt five","message":"and you?"}`)},
			room.CompleteReply{Reply: 8, Text: "Peas.\n\n@GPT Five and you?", Mentions: []room.ModelID{"gpt"}},
		},
		{
			"mention without words",
			[]step{call("mention", `{"model":"@GPT_Five (model)","message":"your turn"}`)},
			room.CompleteReply{Reply: 8, Text: "@GPT Five your turn", Mentions: []room.ModelID{"gpt"}},
		},
		{
			"mention said already",
			[]step{text("Peas. GPT, and you?"), call("mention", `{"model":"gpt","message":"and you?"}`)},
			room.CompleteReply{Reply: 8, Text: "Peas. GPT, and you?", Mentions: []room.ModelID{"gpt"}},
		},
		{
			"mention with its own mention",
			[]step{text("Peas."), call("mention", `{"model":"gpt","message":"@gpt and you?"}`)},
			room.CompleteReply{Reply: 8, Text: "Peas.\n\n@gpt and you?", Mentions: []room.ModelID{"gpt"}},
		},
		{
			"mention without message",
			[]step{text("Peas."), call("mention", `{"model":"gpt"}`)},
			room.CompleteReply{Reply: 8, Text: "Peas.\n\n@GPT Five", Mentions: []room.ModelID{"gpt"}},
		},
		{"mention of nobody", []step{text("Peas."), call("mention", `{"model":"gemini","message":"hi"}`)}, room.CompleteReply{Reply: 8, Text: "Peas."}},
		{"mention of itself", []step{text("Peas."), call("mention", `{"model":"claude","message":"hi"}`)}, room.CompleteReply{Reply: 8, Text: "Peas."}},
		{"no JSON", []step{text("Peas."), call("mention", `{"model":`)}, room.CompleteReply{Reply: 8, Text: "Peas."}},
		{"unknown tool", []step{text("Peas."), call("buy", `{}`)}, room.CompleteReply{Reply: 8, Text: "Peas."}},
		{"only unknown tools", []step{call("buy", `{}`)}, room.FailReply{Reply: 8, Reason: "Claude answered nothing: ask again, or in other words"}},

		{"opt out", []step{call("opt_out", `{"reason":"not my field"}`)}, room.DeclineReply{Reply: 8, Reason: "not my field"}},
		{"opt out without reason", []step{call("opt_out", ``)}, room.DeclineReply{Reply: 8}},
		{
			"opted out",
			[]step{{Delta: llm.Delta{OptedOut: true, Text: "not "}}, {Delta: llm.Delta{OptedOut: true, Text: "mine"}}},
			room.DeclineReply{Reply: 8, Reason: "not mine"},
		},

		{"denied", []step{fails(llm.Denied)}, room.FailReply{Reply: 8, Reason: "Claude cannot answer: openai did not accept the server's key for it. Whoever runs the server has to set a valid key (LLM_API_KEY)"}},
		{"overloaded", []step{fails(llm.Overloaded)}, room.FailReply{Reply: 8, Reason: "Claude cannot answer now: openai has too much to do, or its quota is used up. Try again in 30s"}},
		{"invalid", []step{fails(llm.Invalid)}, room.FailReply{Reply: 8, Reason: "Claude cannot answer: openai refused the request: the words of the provider. Check the model's settings"}},
		{"unavailable", []step{fails(llm.Unavailable)}, room.FailReply{Reply: 8, Reason: "Claude cannot answer now: openai cannot be reached or failed (status 500). Try again later"}},
		{"broken", []step{text("Some "), text("pe"), fails(llm.Broken)}, room.FailReply{Reply: 8, Text: "Some pe", Reason: "Claude was cut off: the connection to openai broke. Ask again"}},
		{"other error", []step{{err: errors.New("dial tcp 10.0.0.3: key=123")}}, room.FailReply{Reply: 8, Reason: "Claude could not be asked: try again later, and see the server's log if it stays so"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, d := &model{steps: c.steps}, &desk{view: council()}
			w := newWorker(t, m, func(c *Config) { c.MaxBytes = 100 })
			if err := w.Do(t.Context(), claudesJob, d); err != nil {
				t.Fatal(err)
			}
			if len(d.commands) != 1 || !reflect.DeepEqual(estimated(d.commands[0]), c.want) {
				t.Errorf("did %#v\nwant %#v", d.commands, c.want)
			}
			if done, ok := c.want.(room.CompleteReply); ok && d.heard(t) != done.Text {
				t.Errorf("signalled %q, completed %q", d.heard(t), done.Text)
			}
			if !m.closed {
				t.Error("the stream goes on")
			}
		})
	}
}

func TestRequestNamesTheModel(t *testing.T) {
	m := &model{steps: []step{text("Peas.")}}
	d := &desk{view: council()}
	if err := newWorker(t, m, func(c *Config) { c.MaxTokens = 77; c.Window = 20 }).Do(t.Context(), claudesJob, d); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m.asked.Models, []string{"vendor/claude-9"}) || m.asked.MaxTokens != 77 || d.asked != 21 {
		t.Errorf("asked %v with %d tokens, viewed %d", m.asked.Models, m.asked.MaxTokens, d.asked)
	}
	d.view.Info.Models[0].Model = ""
	defer func() { d.view.Info.Models[0].Model = claude.Model }()
	if err := newWorker(t, m, nil).Do(t.Context(), claudesJob, d); err != nil || m.asked.Models != nil {
		t.Errorf("asked %v, %v", m.asked.Models, err)
	}
}

func TestToolsFollowDepthAndCompany(t *testing.T) {
	for _, c := range []struct {
		name  string
		depth int
		alone bool
		want  []string
	}{
		{"first", 0, false, []string{"opt_out", "mention"}},
		{"last that may ask", 3, false, []string{"opt_out", "mention"}},
		{"too deep", 4, false, []string{"opt_out"}},
		{"alone", 0, true, []string{"opt_out"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &model{steps: []step{text("Peas."), call("mention", `{"model":"gpt","message":"and you?"}`)}}
			d := &desk{view: council()}
			if c.alone {
				d.view.Info.Models = d.view.Info.Models[:1]
			}
			job := claudesJob
			job.Depth = c.depth
			if err := newWorker(t, m, nil).Do(t.Context(), job, d); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, tool := range m.asked.Tools {
				got = append(got, tool.Name)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("tools %v, want %v", got, c.want)
			}
			done := d.commands[0].(room.CompleteReply)
			if asked := len(done.Mentions) > 0; asked != (len(c.want) == 2) {
				t.Errorf("completed %+v", done)
			}
		})
	}
}

// The first word is signalled when it comes, and each later one too.
func TestWordsAreSignalledAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{steps: []step{text("Some "), {wait: time.Second, Delta: llm.Delta{Text: "peas."}}, {wait: time.Second}}}
		d := &desk{view: council()}
		w := newWorker(t, m, nil)
		go func() { _ = w.Do(context.Background(), claudesJob, d) }()
		for i, want := range []string{"Some ", "Some peas."} {
			<-time.After(time.Duration(i) * time.Second)
			synctest.Wait()
			if got := d.heard(t); got != want {
				t.Errorf("after %d s: %q, want %q", i, got, want)
			}
		}
		<-time.After(time.Second)
		synctest.Wait()
	})
}

func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{steps: []step{
			{wait: 59 * time.Second, Delta: llm.Delta{Text: "Some "}},
			{wait: 59 * time.Second, Delta: llm.Delta{Reasoning: "hm"}},
			{wait: time.Hour, Delta: llm.Delta{Text: "peas."}},
		}}
		d, began := &desk{view: council()}, time.Now()
		if err := newWorker(t, m, nil).Do(t.Context(), claudesJob, d); err != nil {
			t.Fatal(err)
		}
		want := room.FailReply{Reply: 8, Text: "Some ", Reason: "Claude was silent for 60s: ask again"}
		if !reflect.DeepEqual(estimated(d.commands[0]), room.Command(want)) || len(d.commands) != 1 || !m.closed {
			t.Errorf("did %#v", d.commands)
		}
		if took := time.Since(began); took != 178*time.Second {
			t.Errorf("gave up after %s", took)
		}
	})
}

// What was spent is accounted for, by a ctx of its own.
func TestUnwantedJobWritesItsUsageOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		m := &model{steps: []step{text("Some "), {wait: time.Hour}}}
		d := &desk{view: council()}
		done := make(chan error)
		go func() { done <- newWorker(t, m, nil).Do(ctx, claudesJob, d) }()
		synctest.Wait()
		cancel(errStopped)
		if err := <-done; !errors.Is(err, errStopped) || !m.closed {
			t.Error(err)
		}
		if record, ok := d.commands[0].(room.RecordUsage); !ok || len(d.commands) != 1 || record.Reply != 8 || record.Usage.Output != 2 || record.Usage.Cost == 0 {
			t.Errorf("did %#v", d.commands)
		}
	})
}

func TestTooLongLeavesTheStream(t *testing.T) {
	m := &model{steps: []step{text("aaaa"), text("bbbb"), text("cccc")}}
	d := &desk{view: council()}
	if err := newWorker(t, m, func(c *Config) { c.MaxBytes = 6 }).Do(t.Context(), claudesJob, d); err != nil || !m.left {
		t.Errorf("%v, left %v", err, m.left)
	}
}

func TestTrouble(t *testing.T) {
	gone := council()
	gone.Replies = nil
	unseated := council()
	unseated.Info.Models = []room.Model{gpt}
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		desk *desk
		err  error
		did  int
	}{
		{"the reply has ended", &desk{view: gone}, nil, 1},
		{"the reply ended meanwhile", &desk{view: council(), doErr: &room.Error{Code: room.CodeGone}}, nil, 2},
		{"the model has no seat", &desk{view: unseated}, nil, 1},
		{"no view", &desk{viewErr: broken}, broken, 0},
		{"no end", &desk{view: council(), doErr: broken}, broken, 1},
	} {
		err := newWorker(t, &model{steps: []step{text("Peas.")}}, nil).Do(t.Context(), claudesJob, c.desk)
		if !errors.Is(err, c.err) || len(c.desk.commands) != c.did {
			t.Errorf("%s: %v, did %#v", c.name, err, c.desk.commands)
		}
	}
}

// A reply that ends before its model was asked took nothing, and the room is told so.
func TestUnbegunReplyTookNothing(t *testing.T) {
	ended := council()
	ended.Replies = nil
	for _, c := range []struct {
		desk *desk
		err  error
	}{
		{&desk{viewErr: errStopped}, errStopped},
		{&desk{view: ended}, nil},
	} {
		m := &model{steps: []step{text("Peas.")}}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		if c.err != nil {
			cancel(c.err)
		}
		err := newWorker(t, m, nil).Do(ctx, claudesJob, c.desk)
		if !errors.Is(err, c.err) || m.closed || len(c.desk.commands) != 1 || c.desk.commands[0] != (room.RecordUsage{Reply: 8}) {
			t.Errorf("%v, did %#v", err, c.desk.commands)
		}
	}
}

func TestLogHoldsNoWords(t *testing.T) {
	var log bytes.Buffer
	m := &model{steps: []step{text("SECRET"), call("mention", `{"model":"SECRET","message":"SECRET"}`), call("opt_out", `{"reason":"SECRET"}`)}}
	d := &desk{view: council(bob(3, "SECRET"))}
	w := newWorker(t, m, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	if err := w.Do(t.Context(), claudesJob, d); err != nil {
		t.Fatal(err)
	}
	if out := log.String(); strings.Contains(out, "SECRET") || strings.Count(out, "\n") != 2 || !strings.Contains(out, "outcome=room.DeclineReply") {
		t.Errorf("log:\n%s", out)
	}
}
