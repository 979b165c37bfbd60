package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/openai/openai-go/v3/packages/ssestream"

	"parley/llm"
	"parley/llm/upstream"
)

const (
	tailLimit  = 5 * time.Second        // for usage, after the answer is finished
	drainLimit = 100 * time.Millisecond // for the end of the response, so that its connection can be used again
)

// An event is one piece of the stream: the fields of a chat.completion.chunk that we use
// (https://platform.openai.com/docs/api-reference/chat-streaming), in the spellings of all endpoints, or an error.
type event struct {
	Model   string `json:"model"`
	Choices []struct {
		Delta  delta  `json:"delta"`
		Finish string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		Input   int `json:"prompt_tokens"`
		Output  int `json:"completion_tokens"`
		Details struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		CacheHit int `json:"prompt_cache_hit_tokens"` // DeepSeek
	} `json:"usage"`
	Error   json.RawMessage `json:"error"`   // OpenAI, OpenRouter, llama.cpp, Ollama
	Object  string          `json:"object"`  // "error" for vLLM
	Message string          `json:"message"` // of vLLM's error
}

type delta struct {
	Content          string     `json:"content"`
	Refusal          string     `json:"refusal"`
	ReasoningContent string     `json:"reasoning_content"` // DeepSeek, llama.cpp, older vLLM
	Reasoning        string     `json:"reasoning"`         // OpenRouter, Ollama, vLLM
	ToolCalls        []fragment `json:"tool_calls"`
}

// An answer is one call's stream on its way to the caller.
type answer struct {
	model *Model
	name  string // asked for; the provider may tell a more exact one
	watch *upstream.Watch
	yield func(llm.Delta, error) bool

	tools  assembly
	usage  *llm.Usage
	said   bool   // something was yielded
	finish string // the provider's reason for the end, once it is known
	left   bool   // the caller left the loop
}

// read yields the stream until its end, its failure, or until the caller leaves.
func (a *answer) read(ctx context.Context, res *http.Response) {
	stream := ssestream.NewDecoder(res)
	for ctx.Err() == nil && stream.Next() {
		data := stream.Event().Data
		if bytes.HasPrefix(data, []byte("[DONE]")) {
			a.end(ctx, stream)
			return
		}
		if err := a.take(data); err != nil {
			a.send(llm.Delta{}, err)
		}
		if a.left {
			return
		}
	}
	if a.finish == "" {
		a.send(llm.Delta{}, a.model.by.Cut(ctx, a.watch, a.name, a.said, stream.Err()))
		return
	}
	a.end(ctx, stream)
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

func (a *answer) take(data []byte) error {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return a.model.by.Fault(llm.Broken, a.name, fmt.Errorf("read an event: %w", err))
	}
	if e.Error != nil && !bytes.Equal(e.Error, []byte("null")) || e.Object == "error" {
		return a.model.eventError(a, data)
	}
	if e.Model != "" {
		a.name = e.Model
	}
	if u := e.Usage; u != nil {
		a.usage = &llm.Usage{Input: u.Input, Output: u.Output, Cached: min(u.Input, max(u.Details.Cached, u.CacheHit))}
	}
	if len(e.Choices) == 0 {
		return nil
	}
	a.pass(e.Choices[0].Delta)
	if e.Choices[0].Finish != "" && !a.left {
		return a.finished(e.Choices[0].Finish)
	}
	return nil
}

// pass yields what a piece says, if anything.
func (a *answer) pass(d delta) {
	if len(d.ToolCalls) > 0 {
		a.tools.add(d.ToolCalls)
		a.watch.Heard()
	}
	out := llm.Delta{Text: d.Content, Reasoning: d.ReasoningContent, Model: a.name}
	if out.Reasoning == "" {
		out.Reasoning = d.Reasoning // some send the same under both names
	}
	if d.Refusal != "" {
		out.Text, out.OptedOut = out.Text+d.Refusal, true
	}
	if out.Text != "" || out.Reasoning != "" {
		a.send(out, nil)
	}
}

// finished takes the provider's reason for the end. Only usage can follow.
func (a *answer) finished(reason string) error {
	first := a.finish == ""
	a.finish = reason
	if !first {
		return nil
	}
	a.watch.Hurry(tailLimit)
	if reason == "content_filter" {
		if a.said {
			return a.model.by.Fault(llm.Broken, a.name, errors.New("the provider's content filter stopped the answer"))
		}
		a.send(llm.Delta{OptedOut: true, Model: a.name}, nil)
	}
	if calls := a.tools.calls(); len(calls) > 0 && !a.left {
		a.send(llm.Delta{ToolCalls: calls, Model: a.name}, nil)
	}
	return nil
}

// end yields what only the end tells, then reads the response to its end.
func (a *answer) end(ctx context.Context, stream ssestream.Decoder) {
	if err := context.Cause(ctx); err != nil {
		a.send(llm.Delta{}, err)
		return
	}
	if a.finish == "" { // [DONE] alone: not every endpoint gives a reason
		_ = a.finished("stop")
	}
	if a.usage != nil && !a.left {
		a.send(llm.Delta{Usage: a.usage, Model: a.name}, nil)
	}
	if !a.left {
		a.watch.Hurry(drainLimit)
		for stream.Next() {
		}
	}
}
