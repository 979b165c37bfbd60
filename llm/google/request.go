package google

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"google.golang.org/genai"

	"parley/llm"
)

// What the driver says where the API wants words and the request has none.
const (
	opening = "(The conversation begins here.)"
	closing = "(Go on.)"
	anyJSON = "Answer with one JSON object and nothing else."
	inJSON  = "Answer with one JSON value and nothing else. It has to fit this JSON Schema: "
)

// params writes a request for the SDK.
func (m *Model) params(req llm.Request, q quirk) ([]*genai.Content, *genai.GenerateContentConfig, error) {
	off := false
	cfg := &genai.GenerateContentConfig{
		MaxOutputTokens:       int32(min(max(req.MaxTokens, 0), math.MaxInt32)),
		AutomaticContinuation: &off,
	}
	if !q.noThoughts {
		cfg.ThinkingConfig = &genai.ThinkingConfig{IncludeThoughts: true}
	}
	c := conversation{model: m, signed: q.signed, names: map[string]string{}}
	for i, msg := range req.Messages {
		if err := c.add(msg); err != nil {
			return nil, nil, fmt.Errorf("message %d: %w", i, err)
		}
	}
	if err := format(cfg, &c, req.Format, q.formatInWords); err != nil {
		return nil, nil, err
	}
	if c.system != nil {
		cfg.SystemInstruction = &genai.Content{Parts: c.system}
	}
	tool, err := tools(req.Tools)
	if err != nil {
		return nil, nil, err
	}
	cfg.Tools = tool
	contents := c.ended()
	cfg.HTTPOptions = &genai.HTTPOptions{ExtrasRequestProvider: exactly(contents, cfg)}
	return contents, cfg, nil
}

// exactly puts back what the SDK takes through maps, which forget the order of a schema's properties.
func exactly(contents []*genai.Content, cfg *genai.GenerateContentConfig) genai.ExtrasRequestProvider {
	return func(body map[string]any) map[string]any {
		body["contents"] = contents
		if cfg.Tools != nil {
			body["tools"] = cfg.Tools
		}
		if generation, ok := body["generationConfig"].(map[string]any); ok && cfg.ResponseJsonSchema != nil {
			generation["responseJsonSchema"] = cfg.ResponseJsonSchema
		}
		return body
	}
}

// A conversation is contents in the making: the model's, the results of its calls, and the words of users.
type conversation struct {
	model    *Model
	signed   bool
	names    map[string]string // of the functions, by the id of a call
	system   []*genai.Part
	contents []*genai.Content
	answered int // how many contents there are up to the last of the model's; results come after them
}

func (c *conversation) add(msg llm.Message) error {
	switch msg.Role {
	case llm.System:
		c.system = append(c.system, words(msg.Text)...)
		return nil
	case llm.User:
		c.say(genai.RoleUser, words(msg.Text))
		return nil
	case llm.ToolResult:
		return c.result(msg)
	case llm.Assistant:
		if parts := append(words(msg.Text), c.calls(msg.ToolCalls)...); len(parts) > 0 {
			c.say(genai.RoleModel, parts)
			c.answered = len(c.contents)
		}
		return nil
	}
	return fmt.Errorf("role %d does not exist", msg.Role)
}

// say adds parts to the content under way if it has that role and no results in it, or else to a new one.
func (c *conversation) say(role genai.Role, parts []*genai.Part) {
	if len(parts) == 0 {
		return
	}
	if len(c.contents) == 0 && role == genai.RoleModel {
		c.say(genai.RoleUser, words(opening))
	}
	if n := len(c.contents); n > 0 && c.contents[n-1].Role == string(role) && c.contents[n-1].Parts[0].FunctionResponse == nil {
		c.contents[n-1].Parts = append(c.contents[n-1].Parts, parts...)
		return
	}
	c.contents = append(c.contents, &genai.Content{Role: string(role), Parts: parts})
}

// result adds what a tool gave. All results of a model's calls are one content, right after the calls, whoever spoke in
// between.
func (c *conversation) result(msg llm.Message) error {
	name, ok := c.names[msg.ToolCallID]
	if !ok {
		return fmt.Errorf("it answers the call %q, which nobody made", msg.ToolCallID)
	}
	part := &genai.Part{FunctionResponse: &genai.FunctionResponse{
		ID: msg.ToolCallID, Name: name, Response: map[string]any{"output": msg.Text},
	}}
	at := c.answered
	if at < len(c.contents) && c.contents[at].Parts[0].FunctionResponse != nil {
		c.contents[at].Parts = append(c.contents[at].Parts, part)
		return nil
	}
	c.contents = append(c.contents, nil)
	copy(c.contents[at+1:], c.contents[at:])
	c.contents[at] = &genai.Content{Role: string(genai.RoleUser), Parts: []*genai.Part{part}}
	return nil
}

// calls writes a model's calls. The first one of an answer carries the signature of the thoughts that led to all.
func (c *conversation) calls(list []llm.ToolCall) []*genai.Part {
	var parts []*genai.Part
	signed := false
	for _, call := range list {
		c.names[call.ID] = call.Name
		signature := c.model.signatures.get(call.ID)
		signed = signed || signature != nil
		parts = append(parts, &genai.Part{
			FunctionCall:     &genai.FunctionCall{ID: call.ID, Name: call.Name, Args: arguments(call.Arguments)},
			ThoughtSignature: signature,
		})
	}
	if c.signed && !signed && len(parts) > 0 {
		parts[0].ThoughtSignature = []byte(unsigned)
	}
	return parts
}

// ended returns the contents, of which the last is the user's.
func (c *conversation) ended() []*genai.Content {
	switch n := len(c.contents); {
	case n == 0:
		c.say(genai.RoleUser, words(opening))
	case c.contents[n-1].Role == string(genai.RoleModel):
		c.say(genai.RoleUser, words(closing))
	}
	return c.contents
}

// words is a part of text, or none: the API refuses a part without anything.
func words(text string) []*genai.Part {
	if text == "" {
		return nil
	}
	return []*genai.Part{{Text: text}}
}

// arguments is what a model wrote, as the object that the API wants it to be; what is none is told in one.
func arguments(text string) map[string]any {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &object); err != nil && strings.TrimSpace(text) != "" {
		return map[string]any{"invalid": text}
	}
	out := map[string]any{}
	for key, value := range object {
		out[key] = value
	}
	return out
}

func tools(list []llm.Tool) ([]*genai.Tool, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := &genai.Tool{}
	for _, t := range list {
		f := &genai.FunctionDeclaration{Name: t.Name, Description: t.Description}
		if t.Schema != nil {
			if !json.Valid(t.Schema) {
				return nil, fmt.Errorf("tool %s: %w", t.Name, errors.New("its schema is not JSON"))
			}
			f.ParametersJsonSchema = t.Schema
		}
		out.FunctionDeclarations = append(out.FunctionDeclarations, f)
	}
	return []*genai.Tool{out}, nil
}

// format asks for JSON, in words where it is not to be had otherwise
// (https://ai.google.dev/gemini-api/docs/structured-output).
func format(cfg *genai.GenerateContentConfig, c *conversation, f *llm.Format, inWords bool) error {
	switch {
	case f == nil:
		return nil
	case f.Schema != nil && !json.Valid(f.Schema):
		return fmt.Errorf("format %s: its schema is not JSON", f.Name)
	case inWords && f.Schema == nil:
		c.system = append(c.system, words(anyJSON)...)
		return nil
	case inWords:
		c.system = append(c.system, words(inJSON+string(f.Schema))...)
		return nil
	}
	cfg.ResponseMIMEType = "application/json"
	if f.Schema != nil {
		cfg.ResponseJsonSchema = f.Schema
	}
	return nil
}
