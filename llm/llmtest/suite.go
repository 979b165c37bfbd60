package llmtest

import (
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/llm"
)

// A Harness puts a driver between the suite and an upstream.
type Harness struct {
	// Start makes a Model whose upstream plays what play says, and stops both with the test.
	Start func(t *testing.T, play func(llm.Request) Act) (llm.Model, Upstream)

	// Impatient is Start with the longest silence that the model bears. A driver without such a limit leaves it nil and
	// says in Lacks why.
	Impatient func(t *testing.T, play func(llm.Request) Act, silence time.Duration) (llm.Model, Upstream)

	// Unreachable makes a Model whose upstream does not exist.
	Unreachable func(t *testing.T) llm.Model

	// Lacks names the tests that make no sense for the driver, each with the reason.
	Lacks map[string]string
}

type test struct {
	name string
	run  func(t *testing.T, h Harness)
}

func suite() []test {
	return slices.Concat(wordTests(), toolTests(), faultTests(), silenceTests(), endingTests(), listTests())
}

// Run holds a driver to the contract of llm.Model. A test that the harness lacks is skipped with its reason; a lack
// that names no test fails, so that none is left out by a slip.
func Run(t *testing.T, h Harness) {
	known := map[string]bool{}
	for _, test := range suite() {
		known[test.name] = true
		t.Run(test.name, func(t *testing.T) {
			if reason, lacks := h.Lacks[test.name]; lacks {
				t.Skip("does not apply: " + reason)
			}
			noLeak(t)
			test.run(t, h)
		})
	}
	for name := range h.Lacks {
		if !known[name] {
			t.Errorf("the harness lacks %q, which is no test", name)
		}
	}
}

// noLeak fails the test when goroutines are left after all that it started was stopped.
func noLeak(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// An Answer is a stream gathered to its end.
type Answer struct {
	Text      string
	Reasoning string
	Calls     []llm.ToolCall
	Usage     *llm.Usage
	OptedOut  bool
	Model     string
	Deltas    []llm.Delta
	Err       error
}

// Gather reads a stream to its end.
func Gather(stream iter.Seq2[llm.Delta, error]) Answer {
	var a Answer
	var text, reasoning strings.Builder
	for d, err := range stream {
		if err != nil {
			a.Err = err
			continue
		}
		text.WriteString(d.Text)
		reasoning.WriteString(d.Reasoning)
		a.add(d)
	}
	a.Text, a.Reasoning = text.String(), reasoning.String()
	return a
}

func (a *Answer) add(d llm.Delta) {
	a.Calls = append(a.Calls, d.ToolCalls...)
	a.OptedOut = a.OptedOut || d.OptedOut
	a.Deltas = append(a.Deltas, d)
	if d.Usage != nil {
		a.Usage = d.Usage
	}
	if d.Model != "" {
		a.Model = d.Model
	}
}

// Ask is a request of one message.
func Ask(text string) llm.Request {
	return llm.Request{Models: []string{"test-model"}, Messages: []llm.Message{{Role: llm.User, Text: text}}}
}

// whole fails the test unless the answer is all that the act says.
func whole(t *testing.T, got Answer, act Act) {
	t.Helper()
	if got.Err != nil {
		t.Fatalf("error %v", got.Err)
	}
	if got.Text != act.Text() {
		t.Errorf("text %q, want %q", got.Text, act.Text())
	}
	if got.Reasoning != act.Reasoning() {
		t.Errorf("reasoning %q, want %q", got.Reasoning, act.Reasoning())
	}
	for i, d := range got.Deltas {
		if d.Text == "" && d.Reasoning == "" && d.ToolCalls == nil && d.Usage == nil && !d.OptedOut {
			t.Errorf("delta %d of %d says nothing", i, len(got.Deltas))
		}
	}
}
