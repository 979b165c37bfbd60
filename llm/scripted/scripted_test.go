package scripted_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/llm"
	"parley/llm/llmtest"
	"parley/llm/scripted"
	"parley/seam"
)

const system = `You are Demo.
As a language model you talk in a room with several people, and perhaps with other models.

The room: Lobby.
People in the room: Maja (Gardener), Ben.
Other models in the room: Ada, Hal.`

func model(t *testing.T, script *scripted.Script) *scripted.Model {
	t.Helper()
	m, err := scripted.New(scripted.Config{Script: script, Clock: seam.Real(), NoWait: true})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parse(t *testing.T, yaml string) *scripted.Script {
	t.Helper()
	s, err := scripted.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func talk(messages ...string) llm.Request {
	req := llm.Request{Messages: []llm.Message{{Role: llm.System, Text: system}}}
	for i, text := range messages {
		role := llm.User
		if i%2 == 1 {
			role = llm.Assistant
		}
		req.Messages = append(req.Messages, llm.Message{Role: role, Text: text})
	}
	return req
}

func TestDemoConverses(t *testing.T) {
	m := model(t, nil)
	for asked, want := range map[string]string{
		"[Maja]: hello everybody":                       "Maja",
		"[Maja]: @demo Hello!":                          "Maja",
		"[Ben]: @Demo who are you?":                     "script",
		"[Ben]: are you a real model?":                  "no intelligence",
		"[Ben]: @demo help":                             "Ben",
		"[Ben]: who is online?":                         "Maja (Gardener), Ben. And these models: Ada, Hal.",
		"[Ben]: What is Parley?":                        "A room is a log",
		"[Ben]: how do interrupts work?":                "/interrupt",
		"[Ben]: @Demo make a plan for our garden party": "1. ",
		"[Ben]: can you show me some code":              "```go",
		"[Ben]: compare tea and coffee":                 "| | tea | coffee |",
		"[Ben]: Rust or Go?":                            "prefers Rust make the case for Go",
		"[Ben]: tell me a long story":                   "lighthouse",
		"[Ben]: thanks a lot":                           "",
		"[Ben]: how are you?":                           "",
		"[Ben]: what do you think of Mondays":           "Mondays",
		"[Ben]: Is the moon made of cheese?":            "Is the moon made of cheese?",
		"[Ben]: The moon is made of cheese.":            "",
		"[Ben]: ask @Ada about the moon":                "@Ada: what do you say about the moon?",
		"":                                              "",
		"[Older messages are left out here.]\n\n[Ben]: who are you?\n\n[Maja]: @Demo hello":                  "Maja",
		"[Now answer this message from above.]\n[Ada (model)]: how are you?\n\n[Here you were interrupted.]": "",
		"[Zażółć]: cześć wszystkim, co słychać dzisiaj 🎉":                                                    "",
	} {
		got := llmtest.Gather(m.Stream(t.Context(), talk(asked)))
		if got.Err != nil || got.Text == "" || !strings.Contains(got.Text, want) {
			t.Errorf("%q: got %q, %v, want %q in it", asked, got.Text, got.Err, want)
		}
		if strings.ContainsAny(got.Text, "{}") && !strings.Contains(got.Text, "```") {
			t.Errorf("%q: an unfilled brace in %q", asked, got.Text)
		}
		if got.Model != "scripted/demo" {
			t.Errorf("the model calls itself %q", got.Model)
		}
	}
}

func TestDemoLongTextCanBeInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := scripted.New(scripted.Config{Clock: seam.Real()})
		if err != nil {
			t.Fatal(err)
		}
		from := time.Now()
		got := llmtest.Gather(m.Stream(t.Context(), talk("[Ben]: tell me a long story")))
		if took := time.Since(from); took < 10*time.Second || took > time.Minute {
			t.Errorf("the story takes %s for %d words", took, len(got.Deltas))
		}
	})
}

func TestDemoUsesTools(t *testing.T) {
	m := model(t, nil)
	req := talk("[Ben]: @Demo say nothing please")
	if got := llmtest.Gather(m.Stream(t.Context(), req)); !got.OptedOut || len(got.Calls) > 0 {
		t.Errorf("without tools: %+v", got)
	}
	req.Tools = []llm.Tool{{Name: "opt_out"}, {Name: "mention"}}
	seen := map[bool]bool{}
	for _, again := range []string{"", " now", " at all", " today", " for once"} {
		req.Messages[1].Text = "[Ben]: say nothing" + again
		got := llmtest.Gather(m.Stream(t.Context(), req))
		seen[len(got.Calls) == 1 && got.Calls[0].Name == "opt_out"] = true
	}
	if !seen[true] {
		t.Error("the tool opt_out was offered and never used")
	}
}

func TestSameRequestSameAnswer(t *testing.T) {
	m := model(t, nil)
	seen := map[string]bool{}
	for _, who := range []string{"A", "B", "C", "D", "E", "F", "G", "H"} {
		req := talk("[" + who + "]: hello")
		first := llmtest.Gather(m.Stream(t.Context(), req))
		again := llmtest.Gather(model(t, nil).Stream(t.Context(), req))
		if first.Text != again.Text {
			t.Errorf("two answers to the same request: %q, %q", first.Text, again.Text)
		}
		seen[strings.ReplaceAll(first.Text, who, "")] = true
	}
	if len(seen) < 2 {
		t.Errorf("eight people are greeted in the same way: %v", seen)
	}
}

func TestDoesNotRepeatItself(t *testing.T) {
	m := model(t, nil)
	said := []string{"[Ben]: hello"}
	seen := map[string]bool{}
	for range 4 {
		got := llmtest.Gather(m.Stream(t.Context(), talk(said...)))
		if seen[got.Text] {
			t.Errorf("said again: %q", got.Text)
		}
		seen[got.Text] = true
		said = append(said, got.Text, "[Ben]: hello")
	}
}

const sample = `
name: sample
pace: {first: 100ms, word: 10ms}
facts:
  me: 'You are (\w+)'
  unknown: 'nobody says (this)'
rules:
  - name: tool result
    result_of: weather
    replies: ['{me} heard {result} from {tool}']
  - match: ['^my name is (?P<name>\w+)( Smith)?', 'call me (?P<name>\w+)']
    replies:
      - 'Hi {name}{2| without a family name}, I see \{you} in {model|no model}'
  - match: ^weather in (\w+)
    pace: {word: 1s}
    replies:
      - text: Let me look
        reasoning: they ask about {1}
        tool_calls: [{name: weather, arguments: {city: '{1}', days: 3, "exact": true, tags: [a, '{me}']}}]
      - 'No weather without a tool.'
  - match: ^unknown
    replies: ['{unknown}', 'nothing known']
  - match: ^busy
    replies: [{text: well, error: {kind: overloaded, text: too busy, retry_after: 2s}}]
  - match: ^json
    replies: ['plain', '\{"a": "{me}"}']
  - match: ^plain
    replies: ['plain']
`

func TestScript(t *testing.T) {
	m := model(t, parse(t, sample))
	for asked, want := range map[string]string{
		"[X]: my name is Ann":       "Hi Ann without a family name, I see {you} in no model",
		"[X]: my name is Ann Smith": "Hi AnnSmith, I see {you} in no model",
		"[X]: @Demo, call me Bo":    "",
		"unknown":                   "nothing known",
		"weather in Rome":           "No weather without a tool.",
	} {
		got := llmtest.Gather(m.Stream(t.Context(), talk(asked)))
		if want != "" && got.Text != want {
			t.Errorf("%q: got %q, %v, want %q", asked, got.Text, got.Err, want)
		}
	}
	got := llmtest.Gather(m.Stream(t.Context(), talk("nothing fits")))
	if llm.KindOf(got.Err) != llm.Invalid {
		t.Errorf("no rule: %v", got.Err)
	}
}

func TestScriptTools(t *testing.T) {
	m := model(t, parse(t, sample))
	req := talk("weather in Rome")
	req.Tools = []llm.Tool{{Name: "weather"}}
	var call llm.ToolCall
	for _, mark := range []string{"", "!", "?", "??", "?!", "!!"} {
		req.Messages[1].Text = "weather in Rome" + mark
		if got := llmtest.Gather(m.Stream(t.Context(), req)); len(got.Calls) > 0 {
			call = got.Calls[0]
			if got.Text != "Let me look" || got.Reasoning != "they ask about Rome" {
				t.Errorf("got %q, %q", got.Text, got.Reasoning)
			}
		}
	}
	if call.Name != "weather" || call.Arguments != `{"city":"Rome","days":3,"exact":true,"tags":["a","Demo"]}` {
		t.Fatalf("call %+v", call)
	}
	req.Messages = append(req.Messages, llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{call}},
		llm.Message{Role: llm.ToolResult, ToolCallID: call.ID, Text: "sun"})
	if got := llmtest.Gather(m.Stream(t.Context(), req)); got.Text != "Demo heard sun from weather" {
		t.Errorf("after the result: %q, %v", got.Text, got.Err)
	}
}

func TestScriptErrorAfterWords(t *testing.T) {
	got := llmtest.Gather(model(t, parse(t, sample)).Stream(t.Context(), talk("busy")))
	var e *llm.Error
	if !errors.As(got.Err, &e) || e.Kind != llm.Overloaded || e.RetryAfter != 2*time.Second || got.Text != "well" {
		t.Errorf("got %q, %+v", got.Text, e)
	}
}

func TestScriptJSON(t *testing.T) {
	m := model(t, parse(t, sample))
	schema := &llm.Format{Schema: []byte(`{"type":"object"}`)}
	for _, c := range []struct {
		asked  string
		format *llm.Format
		want   string
	}{
		{"json", schema, `{"a": "Demo"}`},
		{"plain", &llm.Format{}, `{"text":"plain"}`},
		{"plain", schema, ""},
	} {
		req := talk(c.asked)
		req.Format = c.format
		got := llmtest.Gather(m.Stream(t.Context(), req))
		if got.Text != c.want || (got.Err == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v, want %q", c.asked, got.Text, got.Err, c.want)
		}
	}
}

func TestPaceAndUsage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := scripted.New(scripted.Config{Script: parse(t, sample), Clock: seam.Real()})
		if err != nil {
			t.Fatal(err)
		}
		from := time.Now()
		var at []time.Duration
		var usage *llm.Usage
		req := talk("weather in Rome")
		for d, err := range m.Stream(t.Context(), req) {
			if err != nil {
				t.Fatal(err)
			}
			if d.Text != "" {
				at = append(at, time.Since(from))
			}
			usage = d.Usage
		}
		if len(at) != 5 || at[0] != 100*time.Millisecond || at[4] != at[0]+4*time.Second {
			t.Errorf("words at %v", at)
		}
		if usage == nil || usage.Output != 5 || usage.Input == 0 {
			t.Errorf("usage %+v", usage)
		}
	})
}

func TestMaxTokens(t *testing.T) {
	req := talk("tell me a long story")
	req.MaxTokens = 7
	got := llmtest.Gather(model(t, nil).Stream(t.Context(), req))
	if n := len(strings.Fields(got.Text)); n != 7 || got.Usage.Output != 7 {
		t.Errorf("%d words, usage %+v", n, got.Usage)
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.yaml")
	bad := `
pace: {first: soon}
facts: {me: 'You are'}
rulez: []
rules:
  - name: a
    macth: x
    replies: [ok]
  - match: '(x'
    replies:
      - 'Hello {nobody}'
      - {}
      - {text: x, error: {kind: odd}}
      - {tool_calls: [{arguments: {a: '{what}'}}], opt_out: maybe}
  - match: x
    result_of: y
    replies: []
`
	if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := scripted.Load(path)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"mine.yaml:2: pace.first: want a duration such as 300ms, not \"soon\"",
		"mine.yaml:3: facts.me: want exactly one group, there are 0",
		"mine.yaml:4: rulez: no such field, there are facts, name, pace, rules",
		"mine.yaml:7: rules[0].macth: no such field",
		"mine.yaml:9: rules[1].match: error parsing regexp",
		"mine.yaml:11: rules[1].replies[0]: {nobody} is not known here",
		"mine.yaml:12: rules[1].replies[1]: says nothing",
		"mine.yaml:13: rules[1].replies[2].error.kind: \"odd\" is none of",
		"mine.yaml:14: rules[1].replies[3].tool_calls[0].name: missing",
		"mine.yaml:14: rules[1].replies[3].tool_calls[0].arguments.a: {what} is not known here",
		"mine.yaml:14: rules[1].replies[3].opt_out: want true or false",
		"mine.yaml:15: rules[2].replies: missing",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if _, err := scripted.Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	for _, yaml := range []string{"", "- a", "a: [", "rules: 1", "name: x"} {
		if _, err := scripted.Parse("x.yaml", []byte(yaml)); err == nil {
			t.Errorf("%q is taken as a script", yaml)
		}
	}
}

func TestNewWantsAClock(t *testing.T) {
	if _, err := scripted.New(scripted.Config{}); err == nil {
		t.Error("no error")
	}
}

func FuzzDemo(f *testing.F) {
	f.Add("[Maja]: hello", "{0}")
	f.Add("compare { and }", "\xff")
	m, err := scripted.New(scripted.Config{Clock: seam.Real(), NoWait: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		got := llmtest.Gather(m.Stream(t.Context(), talk(first, "words", second)))
		if got.Err != nil && llm.KindOf(got.Err) != llm.Broken {
			t.Errorf("%q, %q: %v", first, second, got.Err)
		}
	})
}

// A ballot as package work/ballot writes it, for a model of a room of three.
func ballot(me, others string, options ...string) llm.Request {
	poll := "[Maja]: Beans freeze.\n\n[Vote now in this poll, which Maja opened. Choose exactly one option.]\n[The question:]\n> What do we plant?\n[The options, by their numbers:]"
	for i, o := range options {
		poll += fmt.Sprintf("\n> %d. %s", i+1, o)
	}
	return llm.Request{
		Messages: []llm.Message{{Role: llm.System, Text: "You are " + me + ".\nYour persona:\nYou vote.\n\nOther models in the room: " + others + "."}, {Role: llm.User, Text: poll}},
		Tools:    []llm.Tool{{Name: "vote_on_poll"}, {Name: "opt_out"}},
	}
}

// Three demo models of one room vote for three options, each with a reason; of two options both get votes.
func TestDemoVotes(t *testing.T) {
	for _, options := range [][]string{{"Peas", "Beans"}, {"Peas", "Beans", "Leek"}, {"a", "b", "c", "d"}, {"a", "b", "c", "d", "e"}} {
		votes := make(map[string]bool)
		for me, others := range map[string]string{"Ada": "Basil (demo, model), Cora", "Basil": "Ada, Cora", "Cora": "Ada, Basil (demo, model)"} {
			got := llmtest.Gather(model(t, nil).Stream(t.Context(), ballot(me, others, options...)))
			var args struct {
				Options []string
				Reason  string
			}
			if len(got.Calls) != 1 || json.Unmarshal([]byte(got.Calls[0].Arguments), &args) != nil || len(args.Options) != 1 || args.Reason == "" {
				t.Fatalf("%s said %q, %v", me, got.Text, got.Calls)
			}
			if n, err := strconv.Atoi(args.Options[0]); err != nil || n < 1 || n > len(options) {
				t.Errorf("%s votes for %q of %q", me, args.Options, options)
			}
			votes[args.Options[0]] = true
		}
		if len(votes) != min(3, len(options)) {
			t.Errorf("of %q they vote for %v", options, votes)
		}
	}
}

func TestDemoTakesTurns(t *testing.T) {
	turn := func(n, part, end string) llm.Request {
		return llm.Request{
			Messages: []llm.Message{
				{Role: llm.System, Text: "You are Ada.\nOther models in the room: Basil.\n\nYou and other models work on a goal by yourselves, until it is reached or needs people. The goal, in the words of Maja:\n" +
					"> Plan the garden.\nHow you work: x.\nYour part: " + part + "\nThis is turn " + n + " of at most 8.\n" + end},
				{Role: llm.User, Text: "[Maja]: Plan the garden.\n\n[It is your turn.]"},
			},
		}
	}
	const may, last = "If the goal is reached, use the tool finish with the result.", "\nThis is the last turn: nobody speaks after you."
	for _, c := range []struct {
		name string
		req  llm.Request
		tool string
		want string
	}{
		{"first", turn("1", "add what is missing.", may), "", "Turn 1."},
		{"later", turn("5", "add what is missing.", may), "finish", "enough"},
		{"last", turn("2", "take over the text.", may+last), "finish", "enough"},
		{"last of those who may not end it", turn("8", "do what the lead asked of you.", last), "", "Turn 8, and the last"},
		{"lead", turn("1", "you lead. Say", may), "", "Turn 1. To reach|Turn 1. I have read"},
		{"judge", turn("3", "weigh what was said.", may), "", "Plan the garden."},
		{"proposal", turn("1", "make one proposal that", ""), "", "**"},
	} {
		c.req.Tools = []llm.Tool{{Name: "opt_out"}}
		if strings.Contains(c.req.Messages[0].Text, may) {
			c.req.Tools = append(c.req.Tools, llm.Tool{Name: "finish"}, llm.Tool{Name: "ask_people"})
		}
		got := llmtest.Gather(model(t, nil).Stream(t.Context(), c.req))
		tool := ""
		if len(got.Calls) > 0 {
			tool = got.Calls[0].Name
		}
		if tool != c.tool || !slices.ContainsFunc(strings.Split(c.want, "|"), func(w string) bool { return strings.Contains(got.Text, w) }) {
			t.Errorf("%s: said %q and called %q", c.name, got.Text, tool)
		}
	}
	req := turn("3", "add what is missing.", may)
	req.Messages[0].Text = strings.Replace(req.Messages[0].Text, "Plan the garden.", "Plan it, then ask us.", 1)
	req.Tools = []llm.Tool{{Name: "finish"}, {Name: "ask_people"}}
	if got := llmtest.Gather(model(t, nil).Stream(t.Context(), req)); len(got.Calls) != 1 || got.Calls[0].Name != "ask_people" {
		t.Errorf("said %q, called %v", got.Text, got.Calls)
	}
}

func TestDemoOpensPolls(t *testing.T) {
	for asked, want := range map[string]string{
		"[Ben]: @Demo open a poll about lunch: soup, pasta or salad": `{"options":[{"text":"soup"},{"text":"pasta"},{"text":"salad"}],"question":"lunch?"}`,
		"[Ben]: please hold a vote on where we go? sea or hills?":    `{"options":[{"text":"sea"},{"text":"hills"}],"question":"where we go?"}`,
	} {
		req := talk(asked)
		if got := llmtest.Gather(model(t, nil).Stream(t.Context(), req)); !strings.Contains(got.Text, "may not open polls") {
			t.Errorf("without the tool: %q", got.Text)
		}
		req.Tools = []llm.Tool{{Name: "create_poll"}}
		if got := llmtest.Gather(model(t, nil).Stream(t.Context(), req)); len(got.Calls) != 1 || got.Calls[0].Arguments != want {
			t.Errorf("%s: %q, %v", asked, got.Text, got.Calls)
		}
	}
}
