package wire_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"parley/chat/wire"
	"parley/llm"
	chatpb "parley/proto/gen/api/chat"
	sharedpb "parley/proto/gen/shared"
)

func TestErrorsTravel(t *testing.T) {
	for _, e := range []llm.Error{
		{Kind: llm.Invalid, Provider: "openai", Model: "gpt", Status: 400, Err: errors.New("too long")},
		{Kind: llm.Denied, Provider: "openai", Status: 401, Err: errors.New("no key")},
		{Kind: llm.Overloaded, Provider: "openai", Model: "gpt", Status: 429, RetryAfter: 1500 * time.Millisecond, Err: errors.New("slow")},
		{Kind: llm.Unavailable, Provider: "ollama", Model: "x", Err: errors.New("down")},
		{Kind: llm.Broken, Provider: "scripted", Model: "demo", Err: errors.New("cut")},
		{Kind: llm.Broken, Provider: "p", Err: errors.New("bad \xff bytes\x00 \n")},
	} {
		for _, started := range []bool{false, true} {
			got := wire.DecodeError(wire.EncodeError(&e), "remote", started)
			want := strings.ToValidUTF8(e.Error(), "\uFFFD")
			if got.Error() != want || got.Kind != e.Kind || got.Status != e.Status || got.RetryAfter != e.RetryAfter || got.Model != e.Model {
				t.Errorf("%+v arrives as %+v", e, got)
			}
		}
	}
	if got := wire.DecodeError(wire.EncodeError(&llm.Error{Kind: llm.Denied, Provider: "p"}), "remote", false); got.Kind != llm.Denied {
		t.Errorf("an error without a cause arrives as %+v", got)
	}
}

// Services that are not ours send codes alone.
func TestCodesOfOthers(t *testing.T) {
	for code, want := range map[codes.Code][2]llm.Kind{
		codes.InvalidArgument:   {llm.Invalid, llm.Invalid},
		codes.Unimplemented:     {llm.Invalid, llm.Invalid},
		codes.NotFound:          {llm.Invalid, llm.Invalid},
		codes.Unauthenticated:   {llm.Denied, llm.Denied},
		codes.PermissionDenied:  {llm.Denied, llm.Denied},
		codes.ResourceExhausted: {llm.Overloaded, llm.Overloaded},
		codes.Aborted:           {llm.Broken, llm.Broken},
		codes.Unavailable:       {llm.Unavailable, llm.Broken},
		codes.Internal:          {llm.Unavailable, llm.Broken},
		codes.Unknown:           {llm.Unavailable, llm.Broken},
	} {
		for i, started := range []bool{false, true} {
			got := wire.DecodeError(status.Error(code, "why"), "remote", started)
			if got.Kind != want[i] || got.Provider != "remote" || got.Error() != "remote: why" {
				t.Errorf("%s, started %t: %+v, want %s", code, started, got, want[i])
			}
		}
	}
}

func TestRequestsThatCannotBeRead(t *testing.T) {
	user := &sharedpb.Message{Role: sharedpb.MessageRole_USER}
	format := func(kind string, schema *string) *chatpb.ResponseFormat {
		return &chatpb.ResponseFormat{Type: kind, JsonSchema: schema}
	}
	for want, req := range map[string]*chatpb.ChatRequest{
		"messages is empty":    {},
		"messages[1]: role":    {Messages: []*sharedpb.Message{user, {}}},
		"messages[0]: role 77": {Messages: []*sharedpb.Message{{Role: 77}}},
		"tools[0]: it has no name": {
			Messages: []*sharedpb.Message{user}, Tools: []*chatpb.ToolDefinition{{}},
		},
		"tools[0]: f: parameters_json is no JSON object": {
			Messages: []*sharedpb.Message{user}, Tools: []*chatpb.ToolDefinition{{Name: "f", ParametersJson: "[]"}},
		},
		`type "xml"`:                    {Messages: []*sharedpb.Message{user}, ResponseFormat: format("xml", nil)},
		"json_schema is no JSON object": {Messages: []*sharedpb.Message{user}, ResponseFormat: format("json_schema", nil)},
		"format: json_schema is":        {Messages: []*sharedpb.Message{user}, ResponseFormat: format("json_schema", proto.String("{"))},
	} {
		if _, err := wire.DecodeRequest(req); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestFormats(t *testing.T) {
	for _, f := range []*llm.Format{nil, {}, {Schema: []byte(`{"type":"object"}`)}, {Name: "ballot", Schema: []byte(`{"type":"object"}`)}} {
		sent := llm.Request{Messages: []llm.Message{{Role: llm.User, Text: "x"}}, Format: f}
		got, err := wire.DecodeRequest(wire.EncodeRequest(sent))
		if err != nil || !reflect.DeepEqual(got.Format, f) {
			t.Errorf("%+v arrives as %+v, %v", f, got.Format, err)
		}
	}
}

// Clients that do not know tool_call_id answer the calls in their order.
func TestResultsWithoutIDs(t *testing.T) {
	req := &chatpb.ChatRequest{Messages: []*sharedpb.Message{
		{Role: sharedpb.MessageRole_USER, Contents: []*sharedpb.Content{
			{Content: &sharedpb.Content_Text{Text: "two "}}, {}, {Content: &sharedpb.Content_Text{Text: "parts"}},
		}},
		{Role: sharedpb.MessageRole_ASSISTANT, ToolCalls: []*sharedpb.ToolCall{{Id: "a"}, {Id: "b"}}},
		{Role: sharedpb.MessageRole_TOOL},
		{Role: sharedpb.MessageRole_TOOL},
		{Role: sharedpb.MessageRole_TOOL},
		{Role: sharedpb.MessageRole_ASSISTANT, ToolCalls: []*sharedpb.ToolCall{{Id: "c"}}},
		{Role: sharedpb.MessageRole_TOOL, ToolCallId: "own"},
	}}
	got, err := wire.DecodeRequest(req)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range got.Messages {
		if m.Role == llm.ToolResult {
			ids = append(ids, m.ToolCallID)
		}
	}
	if want := []string{"a", "b", "", "own"}; !reflect.DeepEqual(ids, want) {
		t.Errorf("ids %q, want %q", ids, want)
	}
	if got.Messages[0].Text != "two parts" {
		t.Errorf("text %q", got.Messages[0].Text)
	}
}

func TestDeltasTravel(t *testing.T) {
	for _, d := range []llm.Delta{
		{Text: "hello", Model: "m"},
		{Reasoning: "hm"},
		{ToolCalls: []llm.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}}, Usage: &llm.Usage{Input: 3, Output: 4, Cached: 2}},
		{Text: "no", OptedOut: true},
	} {
		delta, usage := wire.EncodeDelta(d)
		got := wire.DecodeDelta(&chatpb.ChatResponse{Model: d.Model, Delta: delta, Usage: usage})
		if !reflect.DeepEqual(got, d) {
			t.Errorf("%+v arrives as %+v", d, got)
		}
	}
	if delta, _ := wire.EncodeDelta(llm.Delta{Text: "half a rune \xe2\x82"}); delta.GetContent() != "half a rune \uFFFD" {
		t.Errorf("got %q", delta.GetContent())
	}
}

func TestListsTravel(t *testing.T) {
	sent := []llm.Info{{Name: "a/b", Title: "B", Tools: true, Context: 200_000}, {Name: "c"}}
	if got := wire.DecodeModels(wire.EncodeModels(sent)); !reflect.DeepEqual(got, sent) {
		t.Errorf("%+v arrives as %+v", sent, got)
	}
}
