package llmtest

import (
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"sync"
	"testing"

	"parley/llm"
)

func wordTests() []test {
	return []test{
		{"words in order", testOrder},
		{"each word at once", testAtOnce},
		{"empty deltas", testEmptyDeltas},
		{"characters of many bytes", testUnicode},
		{"a large delta", testLarge},
		{"reasoning kept apart", testReasoning},
		{"declines", testDeclines},
		{"usage", testUsage},
		{"no usage", testNoUsage},
		{"conversation arrives", testConversation},
		{"asked anew by each loop", testAnew},
		{"many at once", testMany},
	}
}

func testOrder(t *testing.T, h Harness) {
	var words []string
	for i := range 300 {
		words = append(words, fmt.Sprintf("w%d ", i))
	}
	act := Say(words...)
	m, _ := h.Start(t, Always(act))
	got := Gather(m.Stream(t.Context(), Ask("hello")))
	whole(t, got, act)
	if len(got.Deltas) < len(words) {
		t.Errorf("%d deltas for %d words", len(got.Deltas), len(words))
	}
	if got.Model == "" {
		t.Error("no delta names the model")
	}
}

func testAtOnce(t *testing.T, h Harness) {
	act := Act{Beats: []Beat{{Text: "one "}, {Text: "two ", Hold: true}, {Text: "three", Hold: true}}}
	m, up := h.Start(t, Always(act))
	next, stop := iter.Pull2(m.Stream(t.Context(), Ask("hello")))
	defer stop()
	for _, want := range []string{"one ", "two ", "three"} {
		d, err, ok := next() // the upstream says the next word only after this one came
		if d.Text != want || err != nil || !ok {
			t.Fatalf("got %q, %v, %v, want %q", d.Text, err, ok, want)
		}
		up.Release()
	}
}

func testEmptyDeltas(t *testing.T, h Harness) {
	act := Act{Beats: []Beat{{}, {Text: "one "}, {}, {}, {Text: "two"}, {}}}
	m, _ := h.Start(t, Always(act))
	whole(t, Gather(m.Stream(t.Context(), Ask("hello"))), act)
}

func testUnicode(t *testing.T, h Harness) {
	act := Say("Zażółć ", "gęślą ", "jaźń, ", "日本語 ", "\U0001f469\u200d\U0001f467 ", "e\u0301 ", "\"quoted\" \\ \t", "\nend ", "\u2028\u0000.")
	m, _ := h.Start(t, Always(act))
	whole(t, Gather(m.Stream(t.Context(), Ask("cześć"))), act)
}

func testLarge(t *testing.T, h Harness) {
	act := Say(strings.Repeat("0123456789", 30_000), " end")
	m, _ := h.Start(t, Always(act))
	whole(t, Gather(m.Stream(t.Context(), Ask("hello"))), act)
}

func testReasoning(t *testing.T, h Harness) {
	act := Act{Beats: []Beat{{Reasoning: "They greet me. "}, {Reasoning: "I greet back."}, {Text: "Hello "}, {Text: "you"}}}
	m, _ := h.Start(t, Always(act))
	whole(t, Gather(m.Stream(t.Context(), Ask("hello"))), act)
}

func testDeclines(t *testing.T, h Harness) {
	act := Say("I would ", "rather not.")
	act.OptOut = true
	m, _ := h.Start(t, Always(act))
	got := Gather(m.Stream(t.Context(), Ask("hello")))
	whole(t, got, act)
	if !got.OptedOut {
		t.Error("no delta says that the model declined")
	}
}

func testUsage(t *testing.T, h Harness) {
	act := Say("one ", "two")
	act.Usage = &llm.Usage{Input: 12, Output: 2}
	m, _ := h.Start(t, Always(act))
	got := Gather(m.Stream(t.Context(), Ask("hello")))
	whole(t, got, act)
	if got.Usage == nil || *got.Usage != *act.Usage {
		t.Errorf("usage %+v, want %+v", got.Usage, act.Usage)
	}
	for i, d := range got.Deltas {
		if d.Usage != nil && i < len(got.Deltas)-1 {
			t.Errorf("delta %d of %d tells usage, only the last should", i, len(got.Deltas))
		}
	}
}

func testNoUsage(t *testing.T, h Harness) {
	act := Say("one ", "two")
	m, _ := h.Start(t, Always(act))
	got := Gather(m.Stream(t.Context(), Ask("hello")))
	whole(t, got, act)
	if got.Usage != nil {
		t.Errorf("usage %+v was made up", got.Usage)
	}
}

// conversation has every kind of message that there is.
func conversation() llm.Request {
	schema := json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`)
	return llm.Request{
		Models: []string{"test-model"},
		Messages: []llm.Message{
			{Role: llm.System, Text: "You are Ada."},
			{Role: llm.User, Text: "[Maja]: weather in Łódź & Paris <now>?"},
			{Role: llm.Assistant, Text: "Let me look.", ToolCalls: []llm.ToolCall{
				{ID: "call_1", Name: "weather", Arguments: `{"city":"Łódź"}`},
				{ID: "call_2", Name: "weather", Arguments: `{"city":"Paris"}`},
			}},
			{Role: llm.ToolResult, Text: "20 degrees", ToolCallID: "call_1"},
			{Role: llm.ToolResult, Text: "", ToolCallID: "call_2"},
			{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: "call_3", Name: "weather", Arguments: `{"city":"Rome"}`}}},
			{Role: llm.ToolResult, Text: "30 degrees", ToolCallID: "call_3"},
			{Role: llm.Assistant, Text: "Warm."},
			{Role: llm.User, Text: "[Ben]: thanks"},
		},
		Tools:     []llm.Tool{{Name: "weather", Description: "of a city", Schema: schema}, {Name: "nothing"}},
		MaxTokens: 100,
		Format:    &llm.Format{Schema: schema},
	}
}

func testConversation(t *testing.T, h Harness) {
	m, up := h.Start(t, Always(Say("ok")))
	sent := conversation()
	whole(t, Gather(m.Stream(t.Context(), sent)), Say("ok"))
	requests := up.Requests()
	if len(requests) != 1 {
		t.Fatalf("%d requests arrived, want 1", len(requests))
	}
	got := requests[0]
	if !reflect.DeepEqual(got.Messages, sent.Messages) {
		t.Errorf("messages:\n got %+v\nwant %+v", got.Messages, sent.Messages)
	}
	if !sameJSON(got.Tools, sent.Tools) || got.MaxTokens != sent.MaxTokens || !reflect.DeepEqual(got.Models, sent.Models) {
		t.Errorf("got tools %v, limit %d, models %v", got.Tools, got.MaxTokens, got.Models)
	}
	if got.Format == nil || !sameJSON(got.Format.Schema, sent.Format.Schema) {
		t.Errorf("format %+v, want %+v", got.Format, sent.Format)
	}
}

// sameJSON is exact: the order of a schema's properties means something to a model.
func sameJSON(a, b any) bool {
	left, err := json.Marshal(a)
	if err != nil {
		return false
	}
	right, err := json.Marshal(b)
	return err == nil && string(left) == string(right)
}

func testAnew(t *testing.T, h Harness) {
	act := Say("one ", "two")
	m, up := h.Start(t, Always(act))
	stream := m.Stream(t.Context(), Ask("hello"))
	if n := len(up.Requests()); n != 0 {
		t.Errorf("%d requests before the first loop", n)
	}
	whole(t, Gather(stream), act)
	whole(t, Gather(stream), act)
	AwaitOpen(t, up, 0)
}

func testMany(t *testing.T, h Harness) {
	echo := func(req llm.Request) Act {
		return Say("you ", "said ", req.Messages[len(req.Messages)-1].Text)
	}
	m, up := h.Start(t, echo)
	var calls sync.WaitGroup
	for i := range 48 {
		calls.Go(func() {
			req := Ask(fmt.Sprintf("number-%d", i))
			if got := Gather(m.Stream(t.Context(), req)); got.Err != nil || got.Text != echo(req).Text() {
				t.Errorf("call %d: got %q, %v", i, got.Text, got.Err)
			}
		})
	}
	calls.Wait()
	AwaitOpen(t, up, 0)
}
