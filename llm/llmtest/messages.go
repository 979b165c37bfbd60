package llmtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"parley/llm"
)

// A messagesBody is the body of a request of the Messages API, with the fields that a driver may send. Any other is
// refused.
type messagesBody struct {
	Model     string          `json:"model"`
	MaxTokens int             `json:"max_tokens"`
	Stream    bool            `json:"stream"`
	System    []messageBlock  `json:"system"`
	Messages  []messageTurn   `json:"messages"`
	Thinking  json.RawMessage `json:"thinking"`
	Tools     []struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Schema      json.RawMessage `json:"input_schema"`
	} `json:"tools"`
	Output *struct {
		Format *struct {
			Type   string          `json:"type"`
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"output_config"`
}

type messageTurn struct {
	Role    string         `json:"role"`
	Content []messageBlock `json:"content"`
}

type messageBlock struct {
	Type    string          `json:"type"`
	Text    string          `json:"text"`
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Input   json.RawMessage `json:"input"`
	UseID   string          `json:"tool_use_id"`
	Content []messageBlock  `json:"content"`
}

func readMessages(body io.Reader, cfg AnthropicConfig) (llm.Request, error) {
	var b messagesBody
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		return llm.Request{}, fmt.Errorf("the request body is not valid JSON: %w", err)
	}
	if err := b.check(cfg); err != nil {
		return llm.Request{}, err
	}
	req := llm.Request{Models: []string{b.Model}, MaxTokens: b.MaxTokens}
	for _, s := range b.System {
		if err := s.checkText(); err != nil {
			return req, fmt.Errorf("system: %w", err)
		}
		req.Messages = append(req.Messages, llm.Message{Role: llm.System, Text: s.Text})
	}
	for i, turn := range b.Messages {
		said, err := turn.read()
		if err != nil {
			return req, fmt.Errorf("messages.%d: %w", i, err)
		}
		req.Messages = append(req.Messages, said...)
	}
	for _, t := range b.Tools {
		tool := llm.Tool{Name: t.Name, Description: t.Description, Schema: t.Schema}
		if string(t.Schema) == `{"type":"object","properties":{}}` { // how a tool without arguments is told here
			tool.Schema = nil
		}
		req.Tools = append(req.Tools, tool)
	}
	if b.Output != nil && b.Output.Format != nil {
		req.Format = &llm.Format{Schema: b.Output.Format.Schema}
	}
	return req, nil
}

func (b messagesBody) check(cfg AnthropicConfig) error {
	switch {
	case b.Model == "":
		return errors.New("model: field required")
	case b.MaxTokens < 1:
		return errors.New("max_tokens: field required")
	case len(b.Messages) == 0:
		return errors.New("messages: at least one message is required")
	case b.Messages[0].Role != "user":
		return errors.New("messages: first message must use the \"user\" role")
	case b.Messages[len(b.Messages)-1].Role != "user":
		return errors.New("this model does not support assistant message prefill. The conversation must end with a user message")
	case !b.Stream:
		return errors.New("this server only streams")
	case b.Output != nil && cfg.NoFormat:
		return errors.New("output_config.format: structured outputs are not supported by this model")
	case b.Output != nil && (b.Output.Format == nil || b.Output.Format.Type != "json_schema" || b.Output.Format.Schema == nil):
		return errors.New("output_config.format.schema: field required")
	}
	for i, t := range b.Tools {
		var schema struct {
			Type string `json:"type"`
		}
		if t.Name == "" || json.Unmarshal(t.Schema, &schema) != nil || schema.Type != "object" {
			return fmt.Errorf("tools.%d.custom.input_schema.type: field required", i)
		}
	}
	return checkPairs(b.Messages)
}

// checkPairs holds the turns to their rules: roles alternate, and each tool_use is answered at the beginning of the
// next turn, and nothing else is.
func checkPairs(turns []messageTurn) error {
	pending := map[string]bool{}
	for i, turn := range turns {
		if i > 0 && turns[i-1].Role == turn.Role {
			return fmt.Errorf("messages.%d: roles must alternate", i) // the real one joins them; a driver need not rely on it
		}
		words := false
		for _, b := range turn.Content {
			switch b.Type {
			case "tool_result":
				if words || !pending[b.UseID] {
					return fmt.Errorf("messages.%d: unexpected tool_use_id found in tool_result blocks: %s", i, b.UseID)
				}
				delete(pending, b.UseID)
			case "text":
				words = true
			}
		}
		if len(pending) > 0 {
			return fmt.Errorf("messages.%d: tool_use ids were found without tool_result blocks immediately after", i)
		}
		for _, b := range turn.Content {
			if b.Type == "tool_use" {
				pending[b.ID] = true
			}
		}
	}
	return nil
}

func (b messageBlock) checkText() error {
	if b.Type != "text" || strings.TrimSpace(b.Text) == "" {
		return errors.New("text content blocks must contain non-whitespace text")
	}
	return nil
}

// read takes a turn apart: words and calls of the assistant are one message, results and words of the user one each.
func (t messageTurn) read() ([]llm.Message, error) {
	if len(t.Content) == 0 {
		return nil, errors.New("content: at least one block is required")
	}
	switch t.Role {
	case "assistant":
		return t.assistant()
	case "user":
		return t.user()
	}
	return nil, fmt.Errorf("unexpected role %q. Allowed roles are \"user\" or \"assistant\"", t.Role)
}

func (t messageTurn) assistant() ([]llm.Message, error) {
	m := llm.Message{Role: llm.Assistant}
	for _, b := range t.Content {
		var input map[string]any
		switch {
		case b.Type == "tool_use" && b.ID != "" && b.Name != "" && json.Unmarshal(b.Input, &input) == nil && input != nil:
			m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: b.ID, Name: b.Name, Arguments: string(b.Input)})
		case b.Type == "tool_use":
			return nil, errors.New("tool_use.input: input should be a valid dictionary")
		default:
			if err := b.checkText(); err != nil {
				return nil, err
			}
			m.Text += b.Text
		}
	}
	return []llm.Message{m}, nil
}

func (t messageTurn) user() ([]llm.Message, error) {
	var out []llm.Message
	for _, b := range t.Content {
		if b.Type != "tool_result" {
			if err := b.checkText(); err != nil {
				return nil, err
			}
			out = append(out, llm.Message{Role: llm.User, Text: b.Text})
			continue
		}
		m := llm.Message{Role: llm.ToolResult, ToolCallID: b.UseID}
		for _, c := range b.Content {
			if err := c.checkText(); err != nil {
				return nil, err
			}
			m.Text += c.Text
		}
		out = append(out, m)
	}
	return out, nil
}
