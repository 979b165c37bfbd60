package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"parley/llm"
)

// A request is the body of a call: the fields that we use of
// https://platform.openai.com/docs/api-reference/chat/create. The SDK's own parameters say the same with reflection
// over every field that there is, at half a call's cost, and lose the order of a schema's properties.
type request struct {
	Model         string          `json:"model"`
	Messages      []message       `json:"messages"`
	Stream        bool            `json:"stream"`
	StreamOptions *streamOptions  `json:"stream_options,omitempty"`
	MaxTokens     int             `json:"max_tokens,omitempty"` // the name that all but OpenAI's newer models take
	MaxCompletion int             `json:"max_completion_tokens,omitempty"`
	Tools         []tool          `json:"tools,omitempty"`
	Format        *responseFormat `json:"response_format,omitempty"`
}

type streamOptions struct {
	Usage bool `json:"include_usage"`
}

type message struct {
	Role       string     `json:"role"`
	Content    *string    `json:"content,omitempty"` // absent on a turn that only calls tools
	ToolCalls  []toolCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type toolCall struct {
	ID       string   `json:"id"`
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type tool struct {
	Type     string     `json:"type"`
	Function definition `json:"function"`
}

type definition struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
}

type responseFormat struct {
	Type   string  `json:"type"`
	Schema *schema `json:"json_schema,omitempty"`
}

type schema struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"`
}

// open asks one model and returns its stream. A refusal of an optional field is remembered and asked without it once.
func (m *Model) open(ctx context.Context, name string, req llm.Request) (*http.Response, error) {
	for {
		sent, err := m.request(name, req)
		if err != nil {
			return nil, m.by.Fault(llm.Invalid, name, err)
		}
		body, err := sent.encode()
		if err != nil {
			return nil, m.by.Fault(llm.Invalid, name, err)
		}
		var res *http.Response
		err = m.client.Post(ctx, "chat/completions", body, &res)
		if err == nil && !isJSON(res) {
			return res, nil
		}
		if res == nil {
			return nil, err
		}
		refused := m.refusal(name, res)
		if !m.learn(sent, refused) {
			return nil, refused
		}
	}
}

// learn reports whether asking again without what was refused can help.
func (m *Model) learn(sent request, refused *llm.Error) bool {
	if refused.Status != http.StatusBadRequest && refused.Status != http.StatusUnprocessableEntity {
		return false
	}
	text := refused.Err.Error()
	if sent.StreamOptions != nil && (strings.Contains(text, "stream_options") || strings.Contains(text, "include_usage")) {
		m.noUsage.Store(true)
		return true
	}
	if sent.MaxTokens > 0 && strings.Contains(text, "max_completion_tokens") {
		m.newLimit.Store(true)
		return true
	}
	return false
}

func (m *Model) request(name string, req llm.Request) (request, error) {
	out := request{Model: name, Stream: true, Messages: make([]message, len(req.Messages))}
	if !m.noUsage.Load() {
		out.StreamOptions = &streamOptions{Usage: true}
	}
	if m.newLimit.Load() {
		out.MaxCompletion = req.MaxTokens
	} else {
		out.MaxTokens = req.MaxTokens
	}
	for i, msg := range req.Messages {
		role, err := roleOf(msg.Role)
		if err != nil {
			return out, fmt.Errorf("message %d: %w", i, err)
		}
		out.Messages[i] = message{Role: role, ToolCallID: msg.ToolCallID}
		if msg.Text != "" || len(msg.ToolCalls) == 0 {
			out.Messages[i].Content = &req.Messages[i].Text
		}
		for _, c := range msg.ToolCalls {
			out.Messages[i].ToolCalls = append(out.Messages[i].ToolCalls,
				toolCall{ID: c.ID, Type: "function", Function: function{Name: c.Name, Arguments: c.Arguments}})
		}
	}
	return out, out.offer(req)
}

// offer adds what the model may do and what its answer has to look like.
func (r *request) offer(req llm.Request) error {
	for _, t := range req.Tools {
		if t.Schema != nil && !json.Valid(t.Schema) {
			return fmt.Errorf("tool %s: its schema is not JSON", t.Name)
		}
		r.Tools = append(r.Tools, tool{Type: "function", Function: definition{Name: t.Name, Description: t.Description, Parameters: t.Schema}})
	}
	switch f := req.Format; {
	case f == nil:
	case f.Schema == nil:
		r.Format = &responseFormat{Type: "json_object"}
	case !json.Valid(f.Schema):
		return fmt.Errorf("format %s: its schema is not JSON", f.Name)
	default:
		r.Format = &responseFormat{Type: "json_schema", Schema: &schema{Name: f.Name, Schema: f.Schema}}
		if f.Name == "" {
			r.Format.Schema.Name = formatName
		}
	}
	return nil
}

// formatName names a schema that has no name: the protocol wants one.
const formatName = "answer"

func roleOf(r llm.Role) (string, error) {
	switch r {
	case llm.System:
		return "system", nil
	case llm.User:
		return "user", nil
	case llm.Assistant:
		return "assistant", nil
	case llm.ToolResult:
		return "tool", nil
	}
	return "", fmt.Errorf("role %d does not exist", r)
}

func (r request) encode() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return buf.Bytes(), nil
}
