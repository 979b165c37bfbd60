package anthropic

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/anthropics/anthropic-sdk-go/packages/ssestream"

	"parley/llm"
	"parley/llm/upstream"
)

const (
	tailLimit  = 5 * time.Second        // for message_stop, after the answer is finished
	drainLimit = 100 * time.Millisecond // for the end of the response, so that its connection can be used again
)

// An event is one piece of the stream: the fields we use of all kinds there are
// (https://platform.claude.com/docs/en/build-with-claude/streaming). Kinds that we do not know are to be ignored.
type event struct {
	Type    string `json:"type"`
	Index   int    `json:"index"`
	Message struct {
		Model string `json:"model"`
		Usage *usage `json:"usage"`
	} `json:"message"` // of message_start
	Block block `json:"content_block"` // of content_block_start
	Delta struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Thinking string `json:"thinking"`
		JSON     string `json:"partial_json"`
		Stop     string `json:"stop_reason"` // of message_delta
	} `json:"delta"`
	Usage *usage `json:"usage"` // of message_delta: so far
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

// A block begins a part of the answer. Anthropic begins it empty; others that speak the protocol may send it whole.
type block struct {
	Type     string          `json:"type"`
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Text     string          `json:"text"`
	Thinking string          `json:"thinking"`
	Input    json.RawMessage `json:"input"`
}

// usage counts tokens. The input is in three parts: what was read from the cache, written to it, and neither.
type usage struct {
	Input  *int `json:"input_tokens"`
	Read   *int `json:"cache_read_input_tokens"`
	Wrote  *int `json:"cache_creation_input_tokens"`
	Output *int `json:"output_tokens"`
}

// update takes the counts that a later event tells.
func (u *usage) update(later usage) {
	for _, c := range []struct{ to, from **int }{
		{&u.Input, &later.Input}, {&u.Read, &later.Read}, {&u.Wrote, &later.Wrote}, {&u.Output, &later.Output},
	} {
		if *c.from != nil {
			*c.to = *c.from
		}
	}
}

func (u *usage) tokens() *llm.Usage {
	sum := func(counts ...*int) (n int) {
		for _, c := range counts {
			if c != nil {
				n += *c
			}
		}
		return n
	}
	return &llm.Usage{Input: sum(u.Input, u.Read, u.Wrote), Output: sum(u.Output), Cached: sum(u.Read)}
}

// A call is a tool call in the making.
type call struct {
	index     int // of its block
	id, name  string
	whole     json.RawMessage // as it stood at the beginning of the block
	arguments []byte          // from the pieces
}

// An answer is one call's stream on its way to the caller.
type answer struct {
	model *Model
	name  string // asked for; the provider may tell a more exact one
	watch *upstream.Watch
	yield func(llm.Delta, error) bool

	calls  []call
	usage  *usage
	said   bool   // something was yielded
	finish string // the provider's reason for the end, once it is known
	left   bool   // the caller left the loop
}

// read yields the stream until its end, its failure, or until the caller leaves.
func (a *answer) read(ctx context.Context, res *http.Response) {
	stream := ssestream.NewDecoder(res)
	stopped := false
	for ctx.Err() == nil && !stopped && stream.Next() {
		data := stream.Event().Data
		if len(data) == 0 {
			continue
		}
		var err error
		if stopped, err = a.take(data); err != nil {
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

// take reads one event; stopped says that it was the last.
func (a *answer) take(data []byte) (stopped bool, err error) {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return false, a.model.by.Fault(llm.Broken, a.name, fmt.Errorf("read an event: %w", err))
	}
	switch e.Type {
	case "message_start":
		if e.Message.Model != "" {
			a.name = e.Message.Model
		}
		a.count(e.Message.Usage)
	case "content_block_start":
		a.begin(e.Index, e.Block)
	case "content_block_delta":
		a.pass(e.Delta.Text, e.Delta.Thinking)
		a.add(e.Index, e.Delta.JSON)
	case "message_delta":
		a.count(e.Usage)
		if e.Delta.Stop != "" {
			a.finished(e.Delta.Stop)
		}
	case "message_stop":
		return true, nil
	case "error":
		return false, a.model.eventError(a, e.Error.Type, e.Error.Message)
	}
	return false, nil
}

func (a *answer) count(u *usage) {
	if u == nil {
		return
	}
	if a.usage == nil {
		a.usage = &usage{}
	}
	a.usage.update(*u)
}

func (a *answer) begin(index int, b block) {
	if b.Type == "tool_use" {
		a.watch.Heard()
		a.calls = append(a.calls, call{index: index, id: b.ID, name: b.Name, whole: b.Input})
		return
	}
	a.pass(b.Text, b.Thinking)
}

// pass yields what a piece says, if anything.
func (a *answer) pass(text, thinking string) {
	if text != "" || thinking != "" {
		a.send(llm.Delta{Text: text, Reasoning: thinking, Model: a.name}, nil)
	}
}

// add goes on with the arguments of a call. Blocks that are no tool_use, such as tools of the server, are not ours.
func (a *answer) add(index int, piece string) {
	if piece == "" {
		return
	}
	for i := range a.calls {
		if a.calls[i].index == index {
			a.watch.Heard()
			a.calls[i].arguments = append(a.calls[i].arguments, piece...)
		}
	}
}

// finished takes the provider's reason for the end. Only message_stop can follow.
func (a *answer) finished(reason string) {
	first := a.finish == ""
	a.finish = reason
	if !first {
		return
	}
	if reason == "refusal" {
		a.send(llm.Delta{OptedOut: true, Model: a.name}, nil)
	} else if len(a.calls) > 0 {
		a.send(llm.Delta{ToolCalls: a.toolCalls(), Model: a.name}, nil)
	}
	a.watch.Hurry(tailLimit)
}

func (a *answer) toolCalls() []llm.ToolCall {
	var out []llm.ToolCall
	for _, c := range a.calls {
		arguments := string(c.arguments)
		if arguments == "" {
			arguments = string(c.whole)
		}
		if arguments == "" || arguments == "null" {
			arguments = "{}"
		}
		out = append(out, llm.ToolCall{ID: c.id, Name: c.name, Arguments: arguments})
	}
	return out
}

// end yields what only the end tells, then reads the response to its end.
func (a *answer) end(ctx context.Context, stream ssestream.Decoder) {
	if err := context.Cause(ctx); err != nil {
		a.send(llm.Delta{}, err)
		return
	}
	if a.usage != nil && !a.left {
		a.send(llm.Delta{Usage: a.usage.tokens(), Model: a.name}, nil)
	}
	if !a.left {
		a.watch.Hurry(drainLimit)
		for stream.Next() {
		}
	}
}
