package talk

import (
	"context"
	"errors"
	"strings"
	"time"

	"parley/llm"
	"parley/room"
	"parley/seam"
)

// An Asker asks models. It keeps no state between calls.
type Asker struct {
	Model   llm.Model
	Clock   seam.Clock
	Silence time.Duration // how long a model may say nothing
	Prices  Prices        // nil: no price is known
}

// An Answer is what became of a call.
type Answer struct {
	Text     string // unless somebody listened to it
	Calls    []llm.ToolCall
	OptedOut bool
	Reason   string // for opting out
	Served   string // the model that answered, where known
	Usage    room.Usage
	First    time.Time // when the first delta came
	Err      error     // why it ended before its end: the provider's error, ErrSilent, or the cause of the ctx
}

// ErrSilent ends a call whose model says nothing for too long.
var ErrSilent = errors.New("the model was silent for too long")

// Ask has the model answer. hear gets each piece of the text as it comes and reports whether more may come; without it
// the text is collected. What the provider does not tell of the usage is estimated.
func (a Asker) Ask(ctx context.Context, req llm.Request, hear func(text string) (more bool)) Answer {
	if err := context.Cause(ctx); err != nil {
		return Answer{Err: err} // nothing was sent
	}
	call, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := hearing{hear: hear}
	quiet := watchSilence(a.Clock, a.Silence, cancel)
	for d, err := range a.Model.Stream(call, req) {
		if err != nil {
			h.answer.Err = err
			break
		}
		more := h.take(d)
		if now := quiet.heard(); h.answer.First.IsZero() {
			h.answer.First = now
		}
		if !more {
			break
		}
	}
	if quiet.stop() {
		h.answer.Err = ErrSilent
	}
	return a.billed(ctx, req, &h)
}

// A hearing is an answer as it comes.
type hearing struct {
	hear   func(string) bool
	answer Answer
	text   strings.Builder
	reason strings.Builder
	heard  tally // all that the model wrote, what it thought included
	usage  *llm.Usage
}

// take adds a delta and reports whether more may come.
func (h *hearing) take(d llm.Delta) (more bool) {
	more = true
	h.heard.add(d.Text)
	h.heard.add(d.Reasoning)
	switch h.answer.OptedOut = h.answer.OptedOut || d.OptedOut; {
	case d.Text == "":
	case h.answer.OptedOut:
		if h.reason.Len() < MaxReason {
			h.reason.WriteString(d.Text)
		}
	case h.hear != nil:
		more = h.hear(d.Text)
	default:
		h.text.WriteString(d.Text)
		more = h.text.Len() < maxText
	}
	for _, c := range d.ToolCalls {
		h.heard.add(c.Name)
		h.heard.add(c.Arguments)
	}
	h.answer.Calls = append(h.answer.Calls, d.ToolCalls...)
	h.answer.Served = First(d.Model, h.answer.Served)
	if d.Usage != nil {
		h.usage = d.Usage
	}
	return more
}

// maxText is how many bytes of an answer are collected.
const maxText = 1 << 20

// billed completes an answer with what it took. A call that failed before its first delta took nothing; one that was
// given up by then was read, as far as anybody knows.
func (a Asker) billed(ctx context.Context, req llm.Request, h *hearing) Answer {
	h.answer.Text, h.answer.Reason = h.text.String(), Clip(h.reason.String(), MaxReason)
	u := h.usage
	if u == nil {
		givenUp := ctx.Err() != nil || errors.Is(h.answer.Err, ErrSilent)
		if h.answer.First.IsZero() && h.answer.Err != nil && !givenUp {
			return h.answer
		}
		u = &llm.Usage{Input: PromptTokens(req), Output: h.heard.tokens()}
	}
	h.answer.Usage = a.Bill(h.answer.Served, req.Models, *u)
	return h.answer
}
