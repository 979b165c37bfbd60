package llmtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"parley/llm"
)

// A completion is the body of a request, with the fields that a driver may send. Any other is refused.
type completion struct {
	Model     string              `json:"model"`
	Messages  []completionMessage `json:"messages"`
	Stream    bool                `json:"stream"`
	MaxTokens int                 `json:"max_tokens"`
	MaxNew    int                 `json:"max_completion_tokens"`
	Options   *struct {
		Usage bool `json:"include_usage"`
	} `json:"stream_options"`
	Tools []struct {
		Type     string `json:"type"`
		Function struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Parameters  json.RawMessage `json:"parameters"`
		} `json:"function"`
	} `json:"tools"`
	Format *struct {
		Type   string `json:"type"`
		Schema *struct {
			Name   string          `json:"name"`
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
}

type completionMessage struct {
	Role       string  `json:"role"`
	Content    *string `json:"content"`
	ToolCallID string  `json:"tool_call_id"`
	ToolCalls  []struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

type completionOptions struct{ usage bool }

func readCompletion(body io.Reader, cfg OpenAIConfig) (llm.Request, completionOptions, error) {
	var c completion
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return llm.Request{}, completionOptions{}, fmt.Errorf("we could not parse the body: %w", err)
	}
	if err := c.check(cfg); err != nil {
		return llm.Request{}, completionOptions{}, err
	}
	req := llm.Request{Models: []string{c.Model}, MaxTokens: max(c.MaxTokens, c.MaxNew)}
	for i, m := range c.Messages {
		read, err := m.read()
		if err != nil {
			return req, completionOptions{}, fmt.Errorf("invalid messages[%d]: %w", i, err)
		}
		req.Messages = append(req.Messages, read)
	}
	for _, t := range c.Tools {
		req.Tools = append(req.Tools, llm.Tool{Name: t.Function.Name, Description: t.Function.Description, Schema: t.Function.Parameters})
	}
	if c.Format != nil {
		req.Format = &llm.Format{}
		if c.Format.Schema != nil {
			req.Format.Name, req.Format.Schema = c.Format.Schema.Name, c.Format.Schema.Schema
		}
	}
	return req, completionOptions{usage: c.Options != nil && c.Options.Usage}, nil
}

func (c completion) check(cfg OpenAIConfig) error {
	switch {
	case c.Model == "":
		return errors.New("you must provide a model parameter")
	case len(c.Messages) == 0:
		return errors.New("invalid 'messages': empty array")
	case !c.Stream:
		return errors.New("this server only streams")
	case cfg.NoUsage && c.Options != nil:
		return errors.New("extra inputs are not permitted: stream_options")
	case cfg.NewLimit && c.MaxTokens > 0:
		return errors.New("unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead")
	case c.Format != nil && (c.Format.Type == "json_schema") != (c.Format.Schema != nil):
		return errors.New("missing required parameter: 'response_format.json_schema'")
	case c.Format != nil && c.Format.Schema != nil && c.Format.Schema.Name == "":
		return errors.New("missing required parameter: 'response_format.json_schema.name'")
	}
	for i, t := range c.Tools {
		if t.Type != "function" || t.Function.Name == "" {
			return fmt.Errorf("invalid tools[%d]", i)
		}
	}
	return nil
}

func (m completionMessage) read() (llm.Message, error) {
	role, ok := map[string]llm.Role{
		"system": llm.System, "developer": llm.System, "user": llm.User, "assistant": llm.Assistant, "tool": llm.ToolResult,
	}[m.Role]
	if !ok {
		return llm.Message{}, fmt.Errorf("unknown role %q", m.Role)
	}
	if (role == llm.ToolResult) != (m.ToolCallID != "") {
		return llm.Message{}, errors.New("tool_call_id belongs to role tool")
	}
	if m.Content == nil && len(m.ToolCalls) == 0 {
		return llm.Message{}, errors.New("content must not be null")
	}
	out := llm.Message{Role: role, ToolCallID: m.ToolCallID}
	if m.Content != nil {
		out.Text = *m.Content
	}
	for _, c := range m.ToolCalls {
		if c.Type != "function" || c.ID == "" {
			return out, errors.New("a tool call needs an id and the type function")
		}
		out.ToolCalls = append(out.ToolCalls, llm.ToolCall{ID: c.ID, Name: c.Function.Name, Arguments: c.Function.Arguments})
	}
	return out, nil
}
