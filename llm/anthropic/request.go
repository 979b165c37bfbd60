package anthropic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/param"

	"parley/llm"
)

// What the driver says where the API wants words and the request has none.
const (
	opening = "(The conversation begins here.)"
	closing = "(Go on.)"
	anyJSON = "Answer with one JSON object and nothing else."
	inJSON  = "Answer with one JSON value and nothing else. It has to fit this JSON Schema: "
)

// open asks one model and returns its stream. Not every model takes a format, and not every schema is taken: one that
// is refused is asked for in words, once.
func (m *Model) open(ctx context.Context, name string, req llm.Request) (*http.Response, error) {
	res, err := m.post(ctx, name, req, false)
	var refused *llm.Error
	if req.Format != nil && req.Format.Schema != nil && errors.As(err, &refused) && refusesFormat(refused) {
		return m.post(ctx, name, req, true)
	}
	return res, err
}

func refusesFormat(e *llm.Error) bool {
	text := e.Err.Error()
	return e.Status == http.StatusBadRequest &&
		(strings.Contains(text, "output_config") || strings.Contains(text, "output_format") || strings.Contains(text, "structured output"))
}

func (m *Model) post(ctx context.Context, name string, req llm.Request, formatInWords bool) (*http.Response, error) {
	params, err := m.params(name, req, formatInWords)
	if err != nil {
		return nil, m.by.Fault(llm.Invalid, name, err)
	}
	var res *http.Response
	err = m.client.Post(ctx, "v1/messages", params, &res, option.WithJSONSet("stream", true), option.WithHeader("Accept", "text/event-stream"))
	if err == nil && !isJSON(res) {
		return res, nil
	}
	if res == nil {
		return nil, err
	}
	return nil, m.refusal(name, res)
}

func (m *Model) params(name string, req llm.Request, formatInWords bool) (sdk.MessageNewParams, error) {
	p := sdk.MessageNewParams{Model: name, MaxTokens: int64(req.MaxTokens)}
	if req.MaxTokens <= 0 {
		p.MaxTokens = int64(m.cfg.MaxTokens)
	}
	if m.cfg.Thinking {
		p.Thinking.OfAdaptive = &sdk.ThinkingConfigAdaptiveParam{Display: sdk.ThinkingConfigAdaptiveDisplaySummarized}
	}
	if err := converse(&p, req.Messages); err != nil {
		return p, err
	}
	for _, t := range req.Tools {
		tool, err := tool(t)
		if err != nil {
			return p, fmt.Errorf("tool %s: %w", t.Name, err)
		}
		p.Tools = append(p.Tools, tool)
	}
	return p, format(&p, req.Format, formatInWords)
}

// converse writes the messages as the system prompt and turns that alternate.
func converse(p *sdk.MessageNewParams, messages []llm.Message) error {
	var c conversation
	for i, msg := range messages {
		if err := c.add(p, msg); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	p.Messages = c.ended()
	return nil
}

// A conversation is turns in the making.
type conversation struct {
	turns   []sdk.MessageParam
	results int // how many blocks at the beginning of the last turn are results
}

func (c *conversation) add(p *sdk.MessageNewParams, msg llm.Message) error {
	switch msg.Role {
	case llm.System:
		if msg.Text != "" {
			p.System = append(p.System, sdk.TextBlockParam{Text: msg.Text})
		}
		return nil
	case llm.User:
		c.say(sdk.MessageParamRoleUser, words(msg.Text)...)
		return nil
	case llm.ToolResult:
		c.result(msg.ToolCallID, msg.Text)
		return nil
	case llm.Assistant:
		c.say(sdk.MessageParamRoleAssistant, assistant(msg)...)
		return nil
	}
	return fmt.Errorf("role %d does not exist", msg.Role)
}

// say adds blocks to the turn of a role: the last one, or a new one. No blocks are no turn.
func (c *conversation) say(role sdk.MessageParamRole, blocks ...sdk.ContentBlockParamUnion) {
	if len(blocks) == 0 {
		return
	}
	if len(c.turns) == 0 && role == sdk.MessageParamRoleAssistant {
		c.say(sdk.MessageParamRoleUser, sdk.NewTextBlock(opening))
	}
	if len(c.turns) == 0 || c.turns[len(c.turns)-1].Role != role {
		c.turns = append(c.turns, sdk.MessageParam{Role: role})
		c.results = 0
	}
	last := &c.turns[len(c.turns)-1]
	last.Content = append(last.Content, blocks...)
}

// result adds what a tool gave. The API wants results before any words of the turn that follows their calls.
func (c *conversation) result(id, text string) {
	result := sdk.ToolResultBlockParam{ToolUseID: id}
	if text != "" {
		result.Content = []sdk.ToolResultBlockParamContentUnion{{OfText: &sdk.TextBlockParam{Text: text}}}
	}
	block := sdk.ContentBlockParamUnion{OfToolResult: &result}
	c.say(sdk.MessageParamRoleUser, block)
	content := c.turns[len(c.turns)-1].Content
	copy(content[c.results+1:], content[c.results:])
	content[c.results] = block
	c.results++
}

// ended returns the turns, of which the last is the user's.
func (c *conversation) ended() []sdk.MessageParam {
	switch {
	case len(c.turns) == 0:
		c.say(sdk.MessageParamRoleUser, sdk.NewTextBlock(opening))
	case c.turns[len(c.turns)-1].Role == sdk.MessageParamRoleAssistant:
		c.say(sdk.MessageParamRoleUser, sdk.NewTextBlock(closing))
	}
	return c.turns
}

// words is a block of text, or none: the API refuses one that shows nothing.
func words(text string) []sdk.ContentBlockParamUnion {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return []sdk.ContentBlockParamUnion{sdk.NewTextBlock(text)}
}

func assistant(msg llm.Message) []sdk.ContentBlockParamUnion {
	blocks := words(msg.Text)
	for _, c := range msg.ToolCalls {
		blocks = append(blocks, sdk.NewToolUseBlock(c.ID, arguments(c.Arguments), c.Name))
	}
	return blocks
}

// arguments is what a model wrote, as the object that the API wants it to be; what is none is told in one.
func arguments(text string) any {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &object) == nil && object != nil {
		return json.RawMessage(text)
	}
	if strings.TrimSpace(text) == "" {
		return json.RawMessage("{}")
	}
	return map[string]string{"invalid": text}
}

// noArguments is the schema of a tool that has none: the API wants one.
const noArguments = `{"type":"object","properties":{}}`

func tool(t llm.Tool) (sdk.ToolUnionParam, error) {
	schema := t.Schema
	if schema == nil {
		schema = json.RawMessage(noArguments)
	}
	if !json.Valid(schema) {
		return sdk.ToolUnionParam{}, errors.New("its schema is not JSON")
	}
	out := sdk.ToolParam{
		Name: t.Name,
		// The SDK's own fields would lose the order of the properties.
		InputSchema: param.Override[sdk.ToolInputSchemaParam](schema),
	}
	if t.Description != "" {
		out.Description = sdk.String(t.Description)
	}
	return sdk.ToolUnionParam{OfTool: &out}, nil
}

// format asks for JSON: by the API's structured outputs, or in words where they are not to be had. They know no schema
// for any object there is (https://platform.claude.com/docs/en/build-with-claude/structured-outputs).
func format(p *sdk.MessageNewParams, f *llm.Format, inWords bool) error {
	switch {
	case f == nil:
		return nil
	case f.Schema == nil:
		p.System = append(p.System, sdk.TextBlockParam{Text: anyJSON})
	case !json.Valid(f.Schema):
		return fmt.Errorf("format %s: its schema is not JSON", f.Name)
	case inWords:
		p.System = append(p.System, sdk.TextBlockParam{Text: inJSON + string(f.Schema)})
	default:
		p.OutputConfig.Format = param.Override[sdk.JSONOutputFormatParam](jsonSchema{Type: "json_schema", Schema: f.Schema})
	}
	return nil
}

// jsonSchema is the SDK's JSONOutputFormatParam with the order of the properties kept.
type jsonSchema struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema"`
}
