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
		{"a tool call cut inside an escape", testToolInEscape},
		{"a tool call cut inside a character", testToolInRune},
		{"a tool call that is cut off", testToolCutOff},
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

// The arguments are JSON inside the wire's own: where a piece ends means nothing to either.
func testToolInEscape(t *testing.T, h Harness) {
	runTools(t, h, Act{Beats: []Beat{
		{Tools: []Fragment{{ID: "call_1", Name: "weather", Arguments: `{"city":"Caf\`}}},
		{Tools: []Fragment{{Arguments: `u00`}}},
		{Tools: []Fragment{{Arguments: `e9 \ud83d\u`}}},
		{Tools: []Fragment{{Arguments: `de00 \`}}},
		{Tools: []Fragment{{Arguments: `"quoted\`}}},
		{Tools: []Fragment{{Arguments: `"\\"}`}}},
	}})
}

func testToolInRune(t *testing.T, h Harness) {
	whole := "{\"city\":\"Łódź \U0001f469\"}"
	var act Act
	for i := range len(whole) {
		f := Fragment{Arguments: whole[i : i+1]}
		if i == 0 {
			f.ID, f.Name = "call_1", "weather"
		}
		act.Beats = append(act.Beats, Beat{Tools: []Fragment{f}})
	}
	runTools(t, h, act)
}

// Half a call is no call, however much of it looks complete.
func testToolCutOff(t *testing.T, h Harness) {
	m, up := h.Start(t, Always(Act{End: Cut, Beats: []Beat{
		{Text: "Let me look."},
		{Tools: []Fragment{{ID: "call_1", Name: "weather", Arguments: `{"city":`}}},
		{Tools: []Fragment{{Arguments: `"Paris"}`}}},
	}}))
	got := Gather(m.Stream(t.Context(), offer()))
	if e := asError(t, got); e.Kind != llm.Broken && e.Kind != llm.Unavailable {
		t.Errorf("kind %s of %v, want broken or unavailable", e.Kind, e)
	}
	if len(got.Calls) > 0 {
		t.Errorf("calls %+v of an answer that was never finished", got.Calls)
	}
	AwaitOpen(t, up, 0)
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

// offer is a request with the tools that the acts call.
func offer() llm.Request {
	req := Ask("weather?")
	req.Tools = []llm.Tool{{Name: "weather", Schema: json.RawMessage(`{"type":"object"}`)}, {Name: "clock"}}
	return req
}

func runTools(t *testing.T, h Harness, act Act) {
	m, _ := h.Start(t, Always(act))
	got := Gather(m.Stream(t.Context(), offer()))
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
