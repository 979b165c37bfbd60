// Package wire translates between package llm and the messages of the gRPC Chat service, in both directions.
//
// The server (package chat) and the client (package llm/remote) share it, so that a request, a delta and an error say
// the same on both ends. It holds no state and may be used from any goroutine.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"parley/llm"
	chatpb "parley/proto/gen/api/chat"
	sharedpb "parley/proto/gen/shared"
)

// The types of a response format.
const (
	formatObject = "json_object"
	formatSchema = "json_schema"
)

// EncodeRequest writes a request.
func EncodeRequest(req llm.Request) *chatpb.ChatRequest {
	out := &chatpb.ChatRequest{Models: req.Models}
	for _, m := range req.Messages {
		out.Messages = append(out.Messages, encodeMessage(m))
	}
	if req.MaxTokens > 0 {
		limit := tokens(req.MaxTokens)
		out.MaxTokens = &limit
	}
	for _, t := range req.Tools {
		out.Tools = append(out.Tools, &chatpb.ToolDefinition{Name: t.Name, Description: t.Description, ParametersJson: string(t.Schema)})
	}
	if req.Format != nil {
		out.ResponseFormat = encodeFormat(*req.Format)
	}
	return out
}

func encodeMessage(m llm.Message) *sharedpb.Message {
	out := &sharedpb.Message{Role: encodeRole(m.Role), ToolCalls: encodeCalls(m.ToolCalls), ToolCallId: m.ToolCallID}
	if m.Text != "" {
		out.Contents = []*sharedpb.Content{{Content: &sharedpb.Content_Text{Text: valid(m.Text)}}}
	}
	return out
}

func encodeRole(r llm.Role) sharedpb.MessageRole {
	switch r {
	case llm.System:
		return sharedpb.MessageRole_SYSTEM
	case llm.User:
		return sharedpb.MessageRole_USER
	case llm.Assistant:
		return sharedpb.MessageRole_ASSISTANT
	case llm.ToolResult:
		return sharedpb.MessageRole_TOOL
	}
	return sharedpb.MessageRole_MESSAGE_ROLE_UNSPECIFIED
}

func encodeCalls(calls []llm.ToolCall) []*sharedpb.ToolCall {
	var out []*sharedpb.ToolCall
	for _, c := range calls {
		out = append(out, &sharedpb.ToolCall{Id: valid(c.ID), Name: valid(c.Name), Arguments: valid(c.Arguments)})
	}
	return out
}

func encodeFormat(f llm.Format) *chatpb.ResponseFormat {
	if f.Schema == nil {
		return &chatpb.ResponseFormat{Type: formatObject}
	}
	schema := string(f.Schema)
	return &chatpb.ResponseFormat{Type: formatSchema, JsonSchema: &schema, Name: valid(f.Name)}
}

// DecodeRequest reads a request. Its error tells the client what to change.
func DecodeRequest(req *chatpb.ChatRequest) (llm.Request, error) {
	out := llm.Request{Models: req.GetModels(), MaxTokens: int(req.GetMaxTokens())}
	if len(req.GetMessages()) == 0 {
		return out, errors.New("messages is empty: send at least one")
	}
	for i, m := range req.GetMessages() {
		read, err := decodeMessage(m)
		if err != nil {
			return out, fmt.Errorf("messages[%d]: %w", i, err)
		}
		out.Messages = append(out.Messages, read)
	}
	nameResults(out.Messages)
	for i, t := range req.GetTools() {
		read, err := decodeTool(t)
		if err != nil {
			return out, fmt.Errorf("tools[%d]: %w", i, err)
		}
		out.Tools = append(out.Tools, read)
	}
	var err error
	out.Format, err = decodeFormat(req.GetResponseFormat())
	return out, err
}

func decodeMessage(m *sharedpb.Message) (llm.Message, error) {
	out := llm.Message{ToolCalls: decodeCalls(m.GetToolCalls()), ToolCallID: m.GetToolCallId()}
	var text strings.Builder
	for _, c := range m.GetContents() {
		text.WriteString(c.GetText())
	}
	out.Text = text.String()
	switch m.GetRole() {
	case sharedpb.MessageRole_SYSTEM:
		out.Role = llm.System
	case sharedpb.MessageRole_USER:
		out.Role = llm.User
	case sharedpb.MessageRole_ASSISTANT:
		out.Role = llm.Assistant
	case sharedpb.MessageRole_TOOL:
		out.Role = llm.ToolResult
	case sharedpb.MessageRole_MESSAGE_ROLE_UNSPECIFIED:
		fallthrough
	default:
		return out, fmt.Errorf("role %s: say USER, ASSISTANT, SYSTEM or TOOL", m.GetRole())
	}
	return out, nil
}

func decodeCalls(calls []*sharedpb.ToolCall) []llm.ToolCall {
	var out []llm.ToolCall
	for _, c := range calls {
		out = append(out, llm.ToolCall{ID: c.GetId(), Name: c.GetName(), Arguments: c.GetArguments()})
	}
	return out
}

// nameResults gives results without an id the ids of the calls before them, in order: tool_call_id is younger than
// the protocol, and clients that do not know it answer in order.
func nameResults(messages []llm.Message) {
	var open []string
	for i := range messages {
		m := &messages[i]
		for _, c := range m.ToolCalls {
			open = append(open, c.ID)
		}
		if m.Role == llm.ToolResult && len(open) > 0 {
			if m.ToolCallID == "" {
				m.ToolCallID = open[0]
			}
			open = open[1:]
		}
	}
}

func decodeTool(t *chatpb.ToolDefinition) (llm.Tool, error) {
	out := llm.Tool{Name: t.GetName(), Description: t.GetDescription()}
	if out.Name == "" {
		return out, errors.New("it has no name")
	}
	if t.GetParametersJson() == "" {
		return out, nil
	}
	out.Schema = json.RawMessage(t.GetParametersJson())
	if !isObject(out.Schema) {
		return out, fmt.Errorf("%s: parameters_json is no JSON object", out.Name)
	}
	return out, nil
}

func decodeFormat(f *chatpb.ResponseFormat) (*llm.Format, error) {
	switch {
	case f == nil:
		return nil, nil
	case f.GetType() == formatObject:
		return &llm.Format{}, nil
	case f.GetType() != formatSchema:
		return nil, fmt.Errorf("response_format: type %q is neither %s nor %s", f.GetType(), formatObject, formatSchema)
	case !isObject([]byte(f.GetJsonSchema())):
		return nil, errors.New("response_format: json_schema is no JSON object")
	}
	return &llm.Format{Name: f.GetName(), Schema: json.RawMessage(f.GetJsonSchema())}, nil
}

func isObject(data []byte) bool {
	return json.Valid(data) && strings.HasPrefix(strings.TrimSpace(string(data)), "{")
}

// EncodeDelta writes a piece of an answer and what it cost.
func EncodeDelta(d llm.Delta) (*sharedpb.Delta, *chatpb.Usage) {
	out := &sharedpb.Delta{
		Role:      sharedpb.MessageRole_ASSISTANT,
		Content:   valid(d.Text),
		ToolCalls: encodeCalls(d.ToolCalls),
		OptedOut:  d.OptedOut,
		Reasoning: valid(d.Reasoning),
	}
	if d.Usage == nil {
		return out, nil
	}
	return out, &chatpb.Usage{
		InputTokens: tokens(d.Usage.Input), OutputTokens: tokens(d.Usage.Output), CachedTokens: tokens(d.Usage.Cached),
	}
}

// DecodeDelta reads a piece of an answer.
func DecodeDelta(res *chatpb.ChatResponse) llm.Delta {
	d := res.GetDelta()
	out := llm.Delta{
		Text:      d.GetContent(),
		Reasoning: d.GetReasoning(),
		ToolCalls: decodeCalls(d.GetToolCalls()),
		OptedOut:  d.GetOptedOut(),
		Model:     res.GetModel(),
	}
	if u := res.GetUsage(); u != nil {
		out.Usage = &llm.Usage{Input: int(u.GetInputTokens()), Output: int(u.GetOutputTokens()), Cached: int(u.GetCachedTokens())}
	}
	return out
}

// EncodeModels writes a list of models.
func EncodeModels(models []llm.Info) *chatpb.ListModelsResponse {
	out := &chatpb.ListModelsResponse{}
	for _, m := range models {
		out.Models = append(out.Models, &chatpb.ModelInfo{
			Name: valid(m.Name), Title: valid(m.Title), Tools: m.Tools, ContextTokens: tokens(m.Context),
		})
	}
	return out
}

// DecodeModels reads a list of models.
func DecodeModels(res *chatpb.ListModelsResponse) []llm.Info {
	var out []llm.Info
	for _, m := range res.GetModels() {
		out = append(out, llm.Info{Name: m.GetName(), Title: m.GetTitle(), Tools: m.GetTools(), Context: int(m.GetContextTokens())})
	}
	return out
}

func tokens(n int) uint32 { return uint32(min(max(0, n), math.MaxUint32)) }

// valid makes a string fit for protobuf, which refuses a message with anything but UTF-8 in it.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
