// Package scripted is a language model that needs no key and no network: it answers from a script of patterns.
//
// It is for trying Parley out, for tests and for load. It understands nothing: the first rule whose pattern matches the
// last message gives the answer, word by word at the script's pace. The answer depends on the request alone, so that a
// conversation replays to the same words for ever; variety comes from a hash of the conversation. The built-in script
// (demo.yaml) says in its own words that it is a demo without intelligence.
//
// The last speaker of a turn is found by its mark, "[Maja]: text", and the system message is searched for what the
// script calls facts: the model's own name, who is in the room. The wording of both belongs to package work/reply.
package scripted

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"parley/llm"
	"parley/seam"
)

const provider = "scripted"

// Config says what a Model answers and what it waits by.
type Config struct {
	Script *Script    // nil means Demo()
	Clock  seam.Clock // paces the words
	NoWait bool       // yield everything at once, whatever the script's pace: for tests and load
}

// A Model answers from a script. It may be used from any goroutine at any time and keeps no state between calls.
type Model struct {
	script *Script
	clock  seam.Clock
	noWait bool
}

var (
	_ llm.Model  = (*Model)(nil)
	_ llm.Lister = (*Model)(nil)
)

// New makes a Model.
func New(cfg Config) (*Model, error) {
	if cfg.Clock == nil {
		return nil, errors.New("make a scripted model: a Clock is missing")
	}
	if cfg.Script == nil {
		cfg.Script = Demo()
	}
	return &Model{script: cfg.Script, clock: cfg.Clock, noWait: cfg.NoWait}, nil
}

// Name is what the model calls itself in Delta.Model, whatever name it was asked under.
func (m *Model) Name() string { return provider + "/" + m.script.name }

// List names the one script. It answers under any name.
func (m *Model) List(ctx context.Context) ([]llm.Info, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return []llm.Info{{Name: m.script.name, Title: "Script " + m.script.name, Tools: true}}, nil
}

// Stream answers as the script says. Tool calls come whole, after the words. Usage counts words as tokens. A script
// without a fitting reply, or one that wants an error, ends in an *llm.Error.
func (m *Model) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		p, err := m.script.pick(req)
		if err != nil {
			yield(llm.Delta{}, m.refusal(llm.Invalid, 0, err))
			return
		}
		if err := m.wait(ctx, p.pace.first); err != nil {
			yield(llm.Delta{}, err)
			return
		}
		if m.say(ctx, p, yield) {
			m.end(req, p, yield)
		}
	}
}

// say yields the words and reports whether the answer may go on.
func (m *Model) say(ctx context.Context, p played, yield func(llm.Delta, error) bool) bool {
	if p.reasoning != "" && !yield(llm.Delta{Reasoning: p.reasoning, Model: m.Name()}, nil) {
		return false
	}
	for i, word := range p.words {
		if i > 0 {
			if err := m.wait(ctx, p.pace.word); err != nil {
				yield(llm.Delta{}, err)
				return false
			}
		}
		if !yield(llm.Delta{Text: word, OptedOut: p.optOut, Model: m.Name()}, nil) {
			return false
		}
	}
	return true
}

func (m *Model) end(req llm.Request, p played, yield func(llm.Delta, error) bool) {
	if p.fail != nil {
		yield(llm.Delta{}, m.refusal(p.fail.kind, p.fail.retryAfter, errors.New(p.fail.text)))
		return
	}
	usage := &llm.Usage{Input: wordsOf(req), Output: len(p.words)}
	yield(llm.Delta{ToolCalls: p.calls, OptedOut: p.optOut, Model: m.Name(), Usage: usage}, nil)
}

func (m *Model) refusal(kind llm.Kind, after time.Duration, err error) error {
	return &llm.Error{Kind: kind, Provider: provider, Model: m.script.name, RetryAfter: after, Err: err}
}

// wait blocks for d by the model's clock, or until ctx ends.
func (m *Model) wait(ctx context.Context, d time.Duration) error {
	if m.noWait || d <= 0 {
		return context.Cause(ctx)
	}
	over := make(chan struct{})
	timer := m.clock.AfterFunc(d, func() { close(over) })
	defer timer.Stop()
	select {
	case <-over:
		return context.Cause(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func wordsOf(req llm.Request) int {
	n := 0
	for _, m := range req.Messages {
		n += len(strings.Fields(m.Text))
	}
	return n
}
