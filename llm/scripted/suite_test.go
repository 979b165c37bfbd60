package scripted_test

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"parley/llm"
	"parley/llm/llmtest"
	"parley/llm/scripted"
	"parley/seam"
)

func TestSuite(t *testing.T) {
	const noUpstream = "the model has no upstream"
	llmtest.Run(t, llmtest.Harness{
		Start: start,
		Lacks: map[string]string{
			"conversation arrives":               noUpstream,
			"unreachable":                        noUpstream,
			"silence":                            noUpstream,
			"slow loris":                         noUpstream,
			"slow words are no silence":          noUpstream,
			"a slow reader is no silence":        noUpstream,
			"status of a refusal":                "there is no HTTP in it",
			"usage":                              "it counts its own words, which the tests below check",
			"no usage":                           "it always counts its words",
			"works after a failure":              "one script answers the same request in one way",
			"one of several is cancelled":        "the clock in the test's hand holds the words of one call at a time",
			"a tool call cut inside an escape":   "a script has whole calls",
			"a tool call cut inside a character": "a script has whole calls",
		},
	})
}

// start writes an act as a script. The model's clock is the upstream's hand: a wait is over when the act says so.
func start(t *testing.T, play func(llm.Request) llmtest.Act) (llm.Model, llmtest.Upstream) {
	t.Helper()
	act := play(llmtest.Ask("{message}"))            // a text of the act that repeats the message becomes one that does
	act.Beats = act.Beats[:min(len(act.Beats), 300)] // enough, where nothing between the model and the test buffers
	hand := newHand(act)
	script, err := scripted.Parse("act.yaml", write(t, act))
	if err != nil {
		t.Fatal(err)
	}
	m, err := scripted.New(scripted.Config{Script: script, Clock: hand})
	if err != nil {
		t.Fatal(err)
	}
	return counted{m, hand}, hand
}

func write(t *testing.T, act llmtest.Act) []byte {
	reply := map[string]any{"opt_out": act.OptOut}
	text := act.Text()
	if act.End == llmtest.Hang || (text == "" && len(act.Calls()) == 0 && act.Refuse == nil) {
		text += "-" // the word that never comes
	}
	if text != "" {
		reply["text"] = text
	}
	if act.Reasoning() != "" {
		reply["reasoning"] = act.Reasoning()
	}
	if act.Refuse != nil {
		reply["error"] = map[string]any{"kind": act.Refuse.Kind(), "text": act.Refuse.Text, "retry_after": act.Refuse.RetryAfter.String()}
	}
	if act.End == llmtest.Cut {
		reply["error"] = map[string]any{"kind": llm.Broken}
	}
	var calls []any
	for _, c := range act.Calls() {
		var arguments any
		if err := json.Unmarshal([]byte(c.Arguments), &arguments); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, map[string]any{"name": c.Name, "arguments": arguments})
	}
	if calls != nil {
		reply["tool_calls"] = calls
	}
	out, err := yaml.Marshal(map[string]any{
		"pace":  map[string]string{"first": "1ns", "word": "2ns"},
		"rules": []any{map[string]any{"replies": []any{reply}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A hand is a clock whose timers fire at once, but for those before a word that the act holds back.
type hand struct {
	seam.Clock
	*llmtest.Stage
	act  llmtest.Act
	said int          // words of the act
	held map[int]bool // words of the act that wait, the first being 0

	mu   sync.Mutex
	word int
}

func newHand(act llmtest.Act) *hand {
	h := &hand{Clock: seam.Real(), act: act, held: map[int]bool{}}
	h.Stage = llmtest.NewStage(llmtest.Always(act))
	n := 0
	for _, b := range act.Beats {
		h.held[n] = h.held[n] || b.Hold
		n += len(strings.Fields(b.Text))
	}
	h.said = n
	return h
}

func (h *hand) AfterFunc(d time.Duration, f func()) seam.Timer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d == time.Nanosecond {
		h.word = 0
	} else {
		h.word++
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	hold, never := h.held[h.word], h.act.Late || (h.act.End == llmtest.Hang && h.word >= h.said)
	go func() {
		defer close(done)
		if never {
			<-ctx.Done()
		} else if !hold || h.Wait(ctx) {
			f()
		}
	}()
	return handTimer(func() bool { cancel(); <-done; return true })
}

type handTimer func() bool

func (t handTimer) Stop() bool { return t() }

// counted tells the stage what is under way.
type counted struct {
	llm.Model
	hand *hand
}

func (c counted) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Delta, error] {
	stream := c.Model.Stream(ctx, req)
	return func(yield func(llm.Delta, error) bool) {
		if ctx.Err() == nil {
			_, leave := c.hand.Enter(req)
			defer leave()
		}
		stream(yield)
	}
}
