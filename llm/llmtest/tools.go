package llmtest

import (
	"encoding/json"
	"reflect"
	"testing"

	"parley/llm"
)

func toolTests() []test {
	return []test{
		{"a tool call in pieces", testToolInPieces},
		{"several tool calls", testSeveralTools},
		{"words and a tool call", testWordsAndTool},
	}
}

func testToolInPieces(t *testing.T, h Harness) {
	runTools(t, h, Act{Beats: []Beat{
		{Tools: []Fragment{{ID: "call_1", Name: "weather"}}},
		{Tools: []Fragment{{Arguments: `{"ci`}}},
		{},
		{Tools: []Fragment{{Arguments: `ty":"Łó`}}},
		{Tools: []Fragment{{Arguments: `dź"}`}}},
	}})
}

func testSeveralTools(t *testing.T, h Harness) {
	runTools(t, h, Act{Beats: []Beat{
		{Tools: []Fragment{{Index: 0, ID: "call_1", Name: "weather"}}},
		{Tools: []Fragment{{Index: 0, Arguments: `{"city":`}, {Index: 1, ID: "call_2", Name: "clock"}}},
		{Tools: []Fragment{{Index: 1, Arguments: `{"zone":"UTC"}`}}},
		{Tools: []Fragment{{Index: 0, Arguments: `"Paris"}`}, {Index: 2, ID: "call_3", Name: "weather", Arguments: `{"city":"Rome"}`}}},
	}})
}

func testWordsAndTool(t *testing.T, h Harness) {
	runTools(t, h, Act{Usage: &llm.Usage{Input: 12, Output: 3}, Beats: []Beat{
		{Text: "Let "},
		{Text: "me "},
		{Text: "look."},
		{Tools: []Fragment{{ID: "call_1", Name: "clock", Arguments: `{"zone":"UTC"}`}}},
	}})
}

func runTools(t *testing.T, h Harness, act Act) {
	m, _ := h.Start(t, Always(act))
	req := Ask("weather?")
	req.Tools = []llm.Tool{{Name: "weather", Schema: json.RawMessage(`{"type":"object"}`)}, {Name: "clock"}}
	got := Gather(m.Stream(t.Context(), req))
	whole(t, got, act)
	if want := act.Calls(); !reflect.DeepEqual(named(got.Calls), named(want)) {
		t.Errorf("tool calls:\n got %+v\nwant %+v", got.Calls, want)
	}
	ids := map[string]bool{}
	for _, c := range got.Calls {
		if c.ID == "" || ids[c.ID] {
			t.Errorf("the id %q of a call is empty or not its own", c.ID)
		}
		ids[c.ID] = true
	}
}

// named leaves out the ids: a driver without an upstream gives its own.
func named(calls []llm.ToolCall) []llm.ToolCall {
	var out []llm.ToolCall
	for _, c := range calls {
		out = append(out, llm.ToolCall{Name: c.Name, Arguments: c.Arguments})
	}
	return out
}
