package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"

	"parley/llm"
)

// open asks one model and returns its stream. A refusal of an optional field is remembered and asked without it once.
func (m *Model) open(ctx context.Context, name string, req llm.Request) (*http.Response, error) {
	for {
		params, err := m.params(name, req)
		if err != nil {
			return nil, m.fault(llm.Invalid, name, err)
		}
		var res *http.Response
		err = m.client.Post(ctx, "chat/completions", params, &res, option.WithJSONSet("stream", true))
		if err == nil && !isJSON(res) {
			return res, nil
		}
		if res == nil {
			return nil, err
		}
		refused := m.refusal(name, res)
		if !m.learn(params, refused) {
			return nil, refused
		}
	}
}

// learn reports whether asking again without what was refused can help.
func (m *Model) learn(sent sdk.ChatCompletionNewParams, refused *llm.Error) bool {
	if refused.Status != http.StatusBadRequest && refused.Status != http.StatusUnprocessableEntity {
		return false
	}
	text := refused.Err.Error()
	if sent.StreamOptions.IncludeUsage.Valid() && (strings.Contains(text, "stream_options") || strings.Contains(text, "include_usage")) {
		m.noUsage.Store(true)
		return true
	}
	if sent.MaxTokens.Valid() && strings.Contains(text, "max_completion_tokens") {
		m.newLimit.Store(true)
		return true
	}
	return false
}

func (m *Model) params(name string, req llm.Request) (sdk.ChatCompletionNewParams, error) {
	p := sdk.ChatCompletionNewParams{Model: name}
	if !m.noUsage.Load() {
		p.StreamOptions.IncludeUsage = sdk.Bool(true)
	}
	if req.MaxTokens > 0 && m.newLimit.Load() {
		p.MaxCompletionTokens = sdk.Int(int64(req.MaxTokens))
	} else if req.MaxTokens > 0 {
		p.MaxTokens = sdk.Int(int64(req.MaxTokens)) // the name that all but OpenAI's newer models take
	}
	for i, msg := range req.Messages {
		said, err := message(msg)
		if err != nil {
			return p, fmt.Errorf("message %d: %w", i, err)
		}
		p.Messages = append(p.Messages, said)
	}
	for _, t := range req.Tools {
		tool, err := tool(t)
		if err != nil {
			return p, fmt.Errorf("tool %s: %w", t.Name, err)
		}
		p.Tools = append(p.Tools, tool)
	}
	return p, format(&p, req.Format)
}

func message(msg llm.Message) (sdk.ChatCompletionMessageParamUnion, error) {
	switch msg.Role {
	case llm.System:
		return sdk.SystemMessage(msg.Text), nil
	case llm.User:
		return sdk.UserMessage(msg.Text), nil
	case llm.ToolResult:
		return sdk.ToolMessage(msg.Text, msg.ToolCallID), nil
	case llm.Assistant:
		return assistant(msg), nil
	}
	return sdk.ChatCompletionMessageParamUnion{}, fmt.Errorf("role %d does not exist", msg.Role)
}

func assistant(msg llm.Message) sdk.ChatCompletionMessageParamUnion {
	var p sdk.ChatCompletionAssistantMessageParam
	if msg.Text != "" || len(msg.ToolCalls) == 0 {
		p.Content.OfString = sdk.String(msg.Text)
	}
	for _, c := range msg.ToolCalls {
		p.ToolCalls = append(p.ToolCalls, sdk.ChatCompletionMessageToolCallUnionParam{
			OfFunction: &sdk.ChatCompletionMessageFunctionToolCallParam{
				ID:       c.ID,
				Function: sdk.ChatCompletionMessageFunctionToolCallFunctionParam{Name: c.Name, Arguments: c.Arguments},
			},
		})
	}
	return sdk.ChatCompletionMessageParamUnion{OfAssistant: &p}
}

func tool(t llm.Tool) (sdk.ChatCompletionToolUnionParam, error) {
	def := shared.FunctionDefinitionParam{Name: t.Name}
	if t.Description != "" {
		def.Description = sdk.String(t.Description)
	}
	if t.Schema != nil {
		if !json.Valid(t.Schema) {
			return sdk.ChatCompletionToolUnionParam{}, errors.New("its schema is not JSON")
		}
		// The SDK's own field is a map, which would lose the order of the properties.
		def.SetExtraFields(map[string]any{"parameters": t.Schema})
	}
	return sdk.ChatCompletionFunctionTool(def), nil
}

// formatName names a schema that has no name: the protocol wants one.
const formatName = "answer"

func format(p *sdk.ChatCompletionNewParams, f *llm.Format) error {
	switch {
	case f == nil:
		return nil
	case f.Schema == nil:
		p.ResponseFormat.OfJSONObject = &shared.ResponseFormatJSONObjectParam{}
		return nil
	case !json.Valid(f.Schema):
		return fmt.Errorf("format %s: its schema is not JSON", f.Name)
	}
	name := f.Name
	if name == "" {
		name = formatName
	}
	p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: name, Schema: f.Schema},
	}
	return nil
}
