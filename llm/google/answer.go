package google

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genai"

	"parley/llm"
	"parley/llm/upstream"
)

const (
	tailLimit  = 5 * time.Second        // for usage, after the answer is finished
	drainLimit = 100 * time.Millisecond // for the end of the response, so that its connection can be used again
)

// An answer is one call's stream on its way to the caller.
type answer struct {
	model *Model
	name  string // asked for; the provider may tell a more exact one
	watch *upstream.Watch
	x     *exchange
	yield func(llm.Delta, error) bool

	calls  []llm.ToolCall
	usage  *llm.Usage
	said   bool // something was yielded
	finish genai.FinishReason
	left   bool // the caller left the loop
}

// read yields the stream until its end, its failure, or until the caller leaves. An answer that was refused before it
// began is returned and not yielded.
func (a *answer) read(ctx context.Context, req llm.Request, q quirk) *llm.Error {
	if cause := context.Cause(ctx); cause != nil {
		a.yield(llm.Delta{}, cause)
		return nil
	}
	contents, cfg, err := a.model.params(req, q)
	if err != nil {
		a.yield(llm.Delta{}, a.model.by.Fault(llm.Invalid, a.name, err))
		return nil
	}
	var call context.Context
	call, a.watch = upstream.NewWatch(ctx, a.model.cfg.Clock, a.model.cfg.Silence)
	defer a.watch.Stop()
	call, a.x = exchanging(call)
	for chunk, err := range a.model.models.GenerateContentStream(call, a.name, contents, cfg) {
		if err == nil && ctx.Err() == nil {
			err = a.take(chunk)
		}
		if err != nil {
			return a.failed(ctx, err)
		}
		if a.left {
			return nil
		}
	}
	a.end(ctx)
	return nil
}

// failed yields why the stream failed, or returns it if the call was refused. What fails after the answer is finished
// is no failure.
func (a *answer) failed(ctx context.Context, err error) *llm.Error {
	if a.finish != "" && ctx.Err() == nil {
		a.end(ctx)
		return nil
	}
	err = a.model.fault(ctx, a, err)
	var refused *llm.Error
	if errors.As(err, &refused) && !a.said && a.x.status >= 400 {
		return refused
	}
	a.send(llm.Delta{}, err)
	return nil
}

// send yields one piece; after an error, or when the caller left, the answer is over.
func (a *answer) send(d llm.Delta, err error) {
	a.said = true
	a.watch.Pause()
	if !a.yield(d, err) || err != nil {
		a.left = true
	}
	a.watch.Resume()
}

// take reads one chunk.
func (a *answer) take(chunk *genai.GenerateContentResponse) error {
	if chunk.ModelVersion != "" {
		a.name = chunk.ModelVersion
	}
	if u := chunk.UsageMetadata; u != nil && u.PromptTokenCount+u.CandidatesTokenCount+u.ThoughtsTokenCount > 0 { // so far
		a.usage = &llm.Usage{
			Input:  int(u.PromptTokenCount + u.ToolUsePromptTokenCount), // with what came from the cache
			Output: int(u.CandidatesTokenCount + u.ThoughtsTokenCount),
			Cached: int(u.CachedContentTokenCount),
		}
	}
	if f := chunk.PromptFeedback; f != nil && f.BlockReason != "" {
		return a.model.by.Fault(llm.Invalid, a.name, fmt.Errorf("the provider blocked the prompt: %s", a.because(string(f.BlockReason), f.BlockReasonMessage)))
	}
	if len(chunk.Candidates) == 0 || chunk.Candidates[0] == nil {
		return nil
	}
	c := chunk.Candidates[0]
	if c.Content != nil {
		a.pass(c.Content.Parts)
	}
	if c.FinishReason != "" && c.FinishReason != genai.FinishReasonUnspecified && !a.left {
		return a.finished(c.FinishReason)
	}
	return nil
}

// pass yields what the parts say, if anything, and keeps the calls.
func (a *answer) pass(parts []*genai.Part) {
	out := llm.Delta{Model: a.name}
	for i, p := range parts {
		switch {
		case p.FunctionCall != nil:
			a.call(i, p)
		case p.Thought:
			out.Reasoning += p.Text
		default:
			out.Text += p.Text
		}
	}
	if out.Text != "" || out.Reasoning != "" {
		a.send(out, nil)
	}
}

// call keeps a call. Older models give no id, by which a result could name it.
func (a *answer) call(part int, p *genai.Part) {
	a.watch.Heard()
	id := p.FunctionCall.ID
	if id == "" {
		id = "call_" + rand.Text()
	}
	a.model.signatures.keep(id, p.ThoughtSignature)
	a.calls = append(a.calls, llm.ToolCall{ID: id, Name: p.FunctionCall.Name, Arguments: a.written(part)})
}

// An event is what the SDK's view of a chunk leaves out.
type event struct {
	Candidates []candidate `json:"candidates"`
}

type candidate struct {
	Message string `json:"finishMessage"`
	Content struct {
		Parts []struct {
			FunctionCall struct {
				Args json.RawMessage `json:"args"`
			} `json:"functionCall"`
		} `json:"parts"`
	} `json:"content"`
}

// raw reads the event under way once more; empty if it has no candidate.
func (a *answer) raw() candidate {
	var e event
	if json.Unmarshal(a.x.event, &e) != nil || len(e.Candidates) == 0 {
		return candidate{}
	}
	return e.Candidates[0]
}

// written is the arguments of the event's nth part as they were written: the SDK gives them as a map.
func (a *answer) written(nth int) string {
	parts := a.raw().Content.Parts
	if nth >= len(parts) {
		return "{}"
	}
	args := string(parts[nth].FunctionCall.Args)
	if args == "" || args == "null" {
		return "{}"
	}
	return args
}

// finished takes the provider's reason for the end. Only usage can follow.
func (a *answer) finished(reason genai.FinishReason) error {
	first := a.finish == ""
	if err := a.fails(reason); err != nil {
		return err
	}
	a.finish = reason
	if first && len(a.calls) > 0 {
		a.send(llm.Delta{ToolCalls: a.calls, Model: a.name}, nil)
	}
	if a.usage != nil {
		a.watch.Hurry(drainLimit)
	} else {
		a.watch.Hurry(tailLimit)
	}
	return nil
}

// fails turns a reason that is none of a complete answer into an error
// (https://ai.google.dev/api/generate-content#FinishReason). Reasons we do not know are taken for complete.
func (a *answer) fails(reason genai.FinishReason) error {
	kind := llm.Broken
	var text string
	switch reason {
	case genai.FinishReasonMalformedFunctionCall, genai.FinishReasonUnexpectedToolCall, genai.FinishReasonTooManyToolCalls:
		text = "the model called a tool in a way that nobody can read"
	case genai.FinishReasonSafety, genai.FinishReasonRecitation, genai.FinishReasonLanguage, genai.FinishReasonBlocklist,
		genai.FinishReasonProhibitedContent, genai.FinishReasonSPII, genai.FinishReasonImageSafety,
		genai.FinishReasonImageProhibitedContent, genai.FinishReasonImageRecitation:
		text = "the provider's filter stopped the answer"
		if !a.said {
			kind = llm.Invalid
		}
	case genai.FinishReasonOther, genai.FinishReasonImageOther, genai.FinishReasonNoImage:
		text = "the provider stopped the answer"
	default:
		return nil
	}
	return a.model.by.Fault(kind, a.name, fmt.Errorf("%s: %s", text, a.because(string(reason), a.raw().Message)))
}

// because is a reason with the provider's words on it, if there are any.
func (a *answer) because(reason, message string) string {
	if message == "" {
		return a.model.by.Clean(reason)
	}
	return a.model.by.Clean(reason + ": " + message)
}

// end yields what only the end tells.
func (a *answer) end(ctx context.Context) {
	switch cause := context.Cause(ctx); {
	case cause != nil:
		a.send(llm.Delta{}, cause)
	case a.finish == "":
		a.send(llm.Delta{}, a.model.by.Cut(ctx, a.watch, a.name, a.said, a.x.err))
	case a.usage != nil && !a.left:
		a.send(llm.Delta{Usage: a.usage, Model: a.name}, nil)
	}
}
