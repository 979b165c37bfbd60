package llmtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"parley/llm"
)

// A messageStream writes the events of the Messages API to one caller: message_start, blocks one after another, each
// with its start, its deltas and its stop, message_delta, message_stop
// (https://platform.claude.com/docs/en/build-with-claude/streaming).
type messageStream struct {
	sse
	cfg   AnthropicConfig
	index int    // of the next block
	open  int    // the block under way, -1 for none
	kind  string // of it
}

func (s *messageStream) start(model string, act Act) {
	s.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	s.w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(s.w).Flush()
	message := map[string]any{
		"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": []any{},
		"stop_reason": nil, "stop_sequence": nil,
	}
	if act.Usage != nil {
		message["usage"] = s.input(*act.Usage, 1)
	}
	s.send("message_start", map[string]any{"message": message})
	s.ping()
}

// input counts tokens as message_start does.
func (s *messageStream) input(u llm.Usage, output int) map[string]any {
	read, wrote := u.Cached, 0
	if s.cfg.Cached {
		wrote = (u.Input - read) / 3
	}
	return map[string]any{
		"input_tokens": u.Input - read - wrote, "cache_read_input_tokens": read, "cache_creation_input_tokens": wrote,
		"cache_creation": map[string]any{"ephemeral_5m_input_tokens": wrote, "ephemeral_1h_input_tokens": 0},
		"output_tokens":  output, "service_tier": "standard",
	}
}

// say plays what a beat says; its tools come later. A beat that says nothing is an empty delta, or a ping.
func (s *messageStream) say(b Beat) {
	if b.Reasoning != "" {
		s.block("thinking", map[string]any{"type": "thinking", "thinking": "", "signature": ""})
		s.delta(map[string]any{"type": "thinking_delta", "thinking": b.Reasoning})
	}
	if b.Text != "" || b.Reasoning == "" && s.kind == "text" {
		s.block("text", map[string]any{"type": "text", "text": ""})
		s.delta(map[string]any{"type": "text_delta", "text": b.Text})
	} else if b.Reasoning == "" {
		s.ping()
	}
}

// call plays the tool calls of an act. Blocks do not mix, so that they come one by one, after the words.
func (s *messageStream) call(act Act) {
	for i, c := range act.Calls() {
		s.shut()
		s.block("tool_use", map[string]any{"type": "tool_use", "id": c.ID, "name": c.Name, "input": map[string]any{}})
		s.delta(map[string]any{"type": "input_json_delta", "partial_json": ""})
		for _, piece := range pieces(act, i) {
			s.delta(map[string]any{"type": "input_json_delta", "partial_json": piece})
		}
	}
}

// pieces are the fragments of an act's nth call. One that ends inside a character goes on to its end: the wire is JSON.
func pieces(act Act, nth int) []string {
	var out []string
	order := map[int]int{}
	rest := ""
	for _, b := range act.Beats {
		for _, f := range b.Tools {
			if _, ok := order[f.Index]; !ok {
				order[f.Index] = len(order)
			}
			if order[f.Index] != nth {
				continue
			}
			if rest += f.Arguments; rest != "" && utf8.ValidString(rest) {
				out, rest = append(out, rest), ""
			}
		}
	}
	return out
}

func (s *messageStream) stop(act Act) {
	s.shut()
	reason := "end_turn"
	switch {
	case act.OptOut:
		reason = "refusal"
	case act.Calls() != nil:
		reason = "tool_use"
	}
	body := map[string]any{"delta": map[string]any{"stop_reason": reason, "stop_sequence": nil}}
	if act.Usage != nil {
		body["usage"] = map[string]any{"output_tokens": act.Usage.Output}
	}
	s.send("message_delta", body)
	s.send("message_stop", map[string]any{})
}

// trickle sends what keeps a connection busy and says nothing: pings, and deltas without words.
func (s *messageStream) trickle(ctx context.Context) {
	tick := time.NewTicker(trickle)
	defer tick.Stop()
	for n := 0; !s.gone; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n%2 == 0 {
			s.ping()
		} else {
			s.block("text", map[string]any{"type": "text", "text": ""})
			s.delta(map[string]any{"type": "text_delta", "text": ""})
		}
	}
}

// block makes a block of a kind the one under way.
func (s *messageStream) block(kind string, begin map[string]any) {
	if s.open >= 0 && s.kind == kind {
		return
	}
	s.shut()
	s.send("content_block_start", map[string]any{"index": s.index, "content_block": begin})
	s.open, s.kind = s.index, kind
	s.index++
}

// shut ends the block under way.
func (s *messageStream) shut() {
	if s.open < 0 {
		return
	}
	if s.kind == "thinking" {
		s.delta(map[string]any{"type": "signature_delta", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"})
	}
	s.send("content_block_stop", map[string]any{"index": s.open})
	s.open, s.kind = -1, ""
}

func (s *messageStream) delta(delta map[string]any) {
	s.send("content_block_delta", map[string]any{"index": s.open, "delta": delta})
}

func (s *messageStream) ping() { s.named("ping", map[string]any{}) }

func (s *messageStream) send(kind string, body map[string]any) {
	if s.cfg.Pings {
		s.ping()
	}
	s.named(kind, body)
}

func (s *messageStream) named(kind string, body map[string]any) {
	body["type"] = kind
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	s.write(fmt.Appendf(nil, "event: %s\ndata: %s\n\n", kind, data))
}
