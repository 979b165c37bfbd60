package llmtest

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"parley/llm"
)

// An sse writes chat.completion.chunk events to one caller.
type sse struct {
	w      http.ResponseWriter
	cfg    OpenAIConfig
	model  string
	usage  *llm.Usage
	wanted bool // the caller asked for usage
	gone   bool // the caller is
}

func (s *sse) begin() {
	s.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	s.w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(s.w).Flush()
	s.chunk(map[string]any{"role": "assistant", "content": ""}, nil)
}

func (s *sse) beat(b Beat, optOut bool) {
	delta := map[string]any{}
	if b.Text != "" && optOut {
		delta["refusal"] = b.Text
	} else if b.Reasoning == "" && b.Tools == nil {
		delta["content"] = b.Text
	} else if b.Text != "" {
		delta["content"] = b.Text
	}
	if b.Reasoning != "" {
		delta[cmp.Or(s.cfg.Reasoning, "reasoning_content")] = b.Reasoning
	}
	var tools []any
	for _, f := range b.Tools {
		tools = append(tools, fragment(f))
	}
	if tools != nil {
		delta["tool_calls"] = tools
	}
	s.chunk(delta, nil)
}

func fragment(f Fragment) map[string]any {
	function := map[string]any{"arguments": f.Arguments}
	out := map[string]any{"index": f.Index, "function": function}
	if f.ID != "" {
		function["name"] = f.Name
		out["id"], out["type"] = f.ID, "function"
	}
	return out
}

func (s *sse) finish(act Act) {
	if !s.cfg.NoFinish {
		reason := "stop"
		if act.Calls() != nil {
			reason = "tool_calls"
		}
		s.chunk(map[string]any{}, reason)
	}
	if s.wanted && s.usage != nil && !s.cfg.Continuously {
		s.event(s.object([]any{}, s.usage))
	}
	if !s.cfg.NoDone {
		s.write([]byte("data: [DONE]\n\n"))
	}
}

func (s *sse) chunk(delta map[string]any, finish any) {
	choice := map[string]any{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}
	var usage *llm.Usage
	if s.cfg.Continuously {
		usage = s.usage
	}
	s.event(s.object([]any{choice}, usage))
}

func (s *sse) object(choices []any, usage *llm.Usage) map[string]any {
	out := map[string]any{
		"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763000000, "model": s.model,
		"system_fingerprint": "fp_1", "choices": choices, "usage": nil,
	}
	if usage != nil {
		out["usage"] = map[string]any{
			"prompt_tokens": usage.Input, "completion_tokens": usage.Output, "total_tokens": usage.Input + usage.Output,
		}
	}
	return out
}

func (s *sse) event(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if s.cfg.Comments {
		s.write([]byte(": PROCESSING\n\n"))
	}
	s.write(append(append([]byte("data: "), data...), "\n\n"...))
}

// trickle sends what keeps a connection busy and says nothing: comments, and chunks without words.
func (s *sse) trickle(ctx context.Context) {
	tick := time.NewTicker(trickle)
	defer tick.Stop()
	for n := 0; !s.gone; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n%2 == 0 {
			s.write([]byte(": PROCESSING\n\n"))
		} else {
			s.chunk(map[string]any{"content": ""}, nil)
		}
	}
}

// write sends what it is given at once, in pieces of Drip bytes that care for no character. The end of a large event
// comes in one piece.
func (s *sse) write(data []byte) {
	whole := max(0, len(data)-2000)
	if s.cfg.Drip == 0 {
		whole = len(data)
	}
	for len(data) > 0 && !s.gone {
		n := min(s.cfg.Drip, len(data))
		if len(data) <= whole {
			n = len(data)
		}
		_, err := s.w.Write(data[:n])
		s.gone = err != nil || http.NewResponseController(s.w).Flush() != nil
		data = data[n:]
	}
}
