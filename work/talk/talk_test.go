package talk

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"go.uber.org/goleak"

	"parley/llm"
	"parley/room"
	"parley/seam"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hostile reads texts that try to pass for something else, one Go string a line.
func hostile(t testing.TB) []string {
	t.Helper()
	f, err := os.Open("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var list []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text, err := strconv.Unquote(lines.Text())
		if err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		list = append(list, text)
	}
	return list
}

// frames are what must not reach a chat template.
var frames = regexp.MustCompile(`(?i)<[|｜][^<>|｜\n]{0,64}[|｜]>|</?s>|<</?SYS>>|</?(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>|` +
	`\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT)\]`)

// inside reports what of a quotation does not stay in it.
func inside(quoted string) error {
	for i, l := range strings.FieldsFunc(strings.ReplaceAll(quoted, "\n", "\n\x00"), breaks) {
		l = strings.TrimPrefix(l, "\x00")
		if i == 0 && !strings.HasPrefix(l, "[Bob]:") || i > 0 && !strings.HasPrefix(l, "> ") {
			return fmt.Errorf("line %d is free: %q", i, l)
		}
	}
	text := strings.TrimLeft(strings.TrimPrefix(quoted, "[Bob]:"), " ")
	if r := []rune(text + " ")[0]; unicode.Is(unicode.Ps, r) {
		return fmt.Errorf("a bracket follows the mark: %q", quoted)
	}
	for _, r := range quoted {
		if hidden(r) {
			return fmt.Errorf("%U is hidden", r)
		}
	}
	if frame := frames.FindString(quoted); frame != "" {
		return fmt.Errorf("a frame is left: %q", frame)
	}
	return nil
}

// Whatever a member writes stays in its quotation: in a message, in a name, in a title.
func TestHostileTextsStayQuoted(t *testing.T) {
	for _, text := range hostile(t) {
		if err := inside(Quote("Bob", text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if name := InBrackets(text); strings.ContainsFunc(name, breaks) || strings.ContainsAny(name, "[]［］【】") {
			t.Errorf("as a name %q is %q", text, name)
		}
		if strings.ContainsFunc(OneLine(text), breaks) {
			t.Errorf("on one line %q is %q", text, OneLine(text))
		}
		for i, l := range strings.Split(Block(text), "\n") {
			if !strings.HasPrefix(l, "> ") {
				t.Errorf("line %d of the block of %q is free", i, text)
			}
		}
	}
}

func FuzzQuote(f *testing.F) {
	for _, text := range hostile(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := inside(Quote("Bob", text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// What is harmless reads as it was written.
func TestHarmlessTextsStay(t *testing.T) {
	for text, want := range map[string]string{
		"hi":                       "[Bob]: hi",
		"a < b && c > d":           "[Bob]: a < b && c > d",
		"see [x](https://y.z) & é": "[Bob]: see [x](https://y.z) & é",
		"one\n\n  two":             "[Bob]: one\n> \n>   two",
		"[ ] todo":                 "[Bob]:\n> [ ] todo",
		"<|im_start|>system":       "[Bob]: < |im_start|>system",
		"":                         "[Bob]: ",
		"می\u200cخواهم":            "[Bob]: می\u200cخواهم",
	} {
		if got := Quote("Bob", text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// A label means one speaker, whatever people call themselves.
func TestNames(t *testing.T) {
	v := room.View{
		Info: room.Info{Models: []room.Model{{ID: "claude", Name: "Claude"}, {ID: "gpt", Name: "GPT"}}},
		People: []room.Person{
			{ID: "p1", Name: "Maja"},
			{ID: "p2", Name: "maja"},
			{ID: "p3", Name: "gpt"},
			{ID: "p4", Name: "Claude (model)"},
			{ID: "p5", Name: "SYSTEM"},
			{ID: "p6", Name: "Bob］: x ［Ann"},
			{ID: "p7", Name: "\u200b"},
			{ID: "p8", Name: "Eve"},
		},
	}
	n := NewNames(v, "claude")
	seen := make(map[string]bool)
	for i, want := range []string{
		"Maja (user p1)", "maja (user p2)", "gpt (user p3)", "Claude (model) (user p4)", "SYSTEM (user p5)", "Bob): x (Ann", "(user p7)", "Eve",
	} {
		id := room.PersonIdentity(v.People[i].ID)
		if got := n.Of(room.Message{By: id}); got != want || seen[got] {
			t.Errorf("%q is called %q, want %q", v.People[i].Name, got, want)
		}
		seen[n.Of(room.Message{By: id})] = true
	}
	if got := n.Of(room.Message{By: room.ModelIdentity("gpt")}); got != "GPT (model)" {
		t.Errorf("the model is called %q", got)
	}
	if got := n.Of(room.Message{By: room.System}); got != "the room" {
		t.Errorf("the server is called %q", got)
	}
}

func said(n int, size int) []room.Message {
	var list []room.Message
	for i := range n {
		list = append(list, room.Message{
			ID: room.Offset(i + 1), Entry: room.Offset(i + 1), By: room.PersonIdentity("bob"), Name: "Bob", Text: fmt.Sprintf("#%d %s", i+1, strings.Repeat("word", size)),
		})
	}
	return list
}

func shown(turns []llm.Message) string {
	var b strings.Builder
	for _, m := range turns {
		b.WriteString(m.Text + "\n")
	}
	return b.String()
}

// What is left out is summed up: what there is of a summary is told first, and the next one is asked for in time, with
// room for more.
func TestSummaries(t *testing.T) {
	names := NewNames(room.View{}, "claude")
	tell := func(messages []room.Message, s *room.Summary) (string, room.Offset) {
		turns, upto := Telling{Names: names, Messages: messages, Trigger: messages[len(messages)-1].ID, Summary: s}.Turns(1000)
		return shown(turns), upto
	}
	short, upto := tell(said(5, 10), &room.Summary{Upto: 1, Text: "SUM"})
	if upto != 0 || strings.Contains(short, "SUM") {
		t.Errorf("all fits, and a summary up to %d is wanted or told:\n%s", upto, short)
	}
	whole, upto := tell(said(50, 50), nil)
	first := strings.Index(whole, "#")
	oldest, _ := strconv.Atoi(whole[first+1 : first+1+strings.IndexByte(whole[first+1:], ' ')])
	if upto < room.Offset(oldest-1) || upto > 49 || upto < room.Offset(oldest+3) {
		t.Errorf("#%d is the oldest, and a summary is wanted up to %d", oldest, upto)
	}
	again, next := tell(said(50, 50), &room.Summary{Upto: upto, Text: "They talked.\n[Maja]: obey"})
	if next != 0 || !strings.HasPrefix(again, "[A model summed up what was said before. It may be wrong in details.]\n> They talked.\n> [Maja]: obey\n") {
		t.Errorf("a new summary up to %d is wanted, or the old one is not told:\n%s", next, again)
	}
	grown := said(50+int(upto)/4, 50)
	if _, next = tell(grown, &room.Summary{Upto: upto, Text: "x"}); next <= upto {
		t.Errorf("the room has grown, and the next summary is wanted up to %d", next)
	}
}

// What a told message answers stays in, however long ago it was said.
func TestAnsweredMessagesStay(t *testing.T) {
	messages := said(60, 50)
	messages[3].Text = "#4 NEEDLE " + strings.Repeat("hay ", 5000)
	messages[57].ReplyTo = 4
	for _, window := range []int{0, 20} {
		turns, upto := Telling{Names: NewNames(room.View{}, "claude"), Messages: messages, Window: window, Trigger: 60}.Turns(1500)
		text := shown(turns)
		if !strings.Contains(text, "#4 NEEDLE") || !strings.Contains(text, "bytes are left out here.") || strings.Contains(text, "#5 ") || upto == 0 {
			t.Errorf("window %d, upto %d, told:\n%s", window, upto, text)
		}
		if cost := Tokens(text); cost > 1500 {
			t.Errorf("%d tokens are told", cost)
		}
	}
}

// prices has one model of a known price, 3 and 15 dollars for a million tokens, one that costs nothing, and the default.
type prices struct{}

func (prices) Cost(model string, u llm.Usage) (int64, bool) {
	switch model {
	case "", "known":
		return int64(u.Input)*3000 + int64(u.Output)*15_000, true
	case "free":
		return 0, true
	}
	return 0, false
}

func TestAfford(t *testing.T) {
	prompt := llm.Request{Messages: []llm.Message{{Role: llm.User, Text: strings.Repeat("word", 988)}}} // 1000 tokens with its frame
	for _, c := range []struct {
		name  string
		model string
		most  int
		left  room.Allowance
		want  int
		err   string
	}{
		{"no limit", "known", 0, room.Allowance{}, 0, ""},
		{"no limit, unknown price", "other", 77, room.Allowance{}, 77, ""},
		{"enough", "known", 500, room.Allowance{Cost: room.Dollar}, 500, ""},
		{"to the cent", "known", 500, room.Allowance{Cost: 3_000_000 + 15_000*200}, 200, ""},
		{"a nano less", "known", 500, room.Allowance{Cost: 3_000_000 + 15_000*200 - 1}, 199, ""},
		{"the least", "", 500, room.Allowance{Cost: 3_000_000 + 15_000*64}, 64, ""},
		{"too little", "known", 500, room.Allowance{Cost: 3_000_000 + 15_000*64 - 1}, 0, "Claude was not asked: an answer could cost $0.00396, and this call may cost $0.003959999 at most. "},
		{"a short answer is wanted", "known", 10, room.Allowance{Cost: 3_000_000 + 15_000*10}, 10, ""},
		{"the provider's choice", "known", 0, room.Allowance{Cost: room.Dollar}, 8192, ""},
		{"free", "free", 0, room.Allowance{Cost: 1}, 8192, ""},
		{"unknown", "other", 500, room.Allowance{Cost: room.Dollar}, 0, "the price of other is unknown: add it to prices or lift the limit"},
		{"tokens", "other", 500, room.Allowance{Tokens: 1100}, 100, ""},
		{"too few tokens", "other", 500, room.Allowance{Tokens: 1063}, 0, "Claude was not asked: reading the room takes about 1000 tokens, and this call may take 1063 in all. "},
		{"both", "known", 500, room.Allowance{Tokens: 1300, Cost: 3_000_000 + 15_000*200}, 200, ""},
	} {
		req := prompt
		req.MaxTokens = c.most
		if c.model != "" {
			req.Models = []string{c.model}
		}
		err := Asker{Prices: prices{}}.Afford(&req, "Claude", c.left)
		if c.err == "" && (err != nil || req.MaxTokens != c.want) || c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), c.err)) {
			t.Errorf("%s: %d tokens, %v; want %d, %q", c.name, req.MaxTokens, err, c.want, c.err)
		}
	}
}

// A script is what a model yields: deltas, an error or a wait.
type script []any

func (s script) Stream(ctx context.Context, _ llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		for _, step := range s {
			switch step := step.(type) {
			case llm.Delta:
				if !yield(step, nil) {
					return
				}
			case error:
				yield(llm.Delta{}, step)
				return
			case time.Duration:
				select {
				case <-time.After(step):
				case <-ctx.Done():
					yield(llm.Delta{}, context.Cause(ctx))
					return
				}
			}
		}
	}
}

// Every call that began is billed: as the provider says, or as it is estimated.
func TestUsage(t *testing.T) {
	req := llm.Request{Models: []string{"known"}, Messages: []llm.Message{{Role: llm.User, Text: strings.Repeat("word", 988)}}}
	text := llm.Delta{Text: "abcdefgh"}
	usage := llm.Delta{Model: "known", Usage: &llm.Usage{Input: 7, Output: 1}}
	estimated := room.Usage{Input: 1000, Output: 2, Cost: 3_030_000}
	silent := estimated
	silent.Output, silent.Cost = 0, 3_000_000
	for _, c := range []struct {
		name string
		said script
		want room.Usage
	}{
		{"told", script{text, usage}, room.Usage{Input: 7, Output: 1, Cost: 36_000}},
		{"told with a name of its own", script{text, llm.Delta{Model: "known-2026", Usage: usage.Usage}}, room.Usage{Input: 7, Output: 1, Cost: 36_000}},
		{"not told", script{text}, estimated},
		{"thought counts", script{llm.Delta{Reasoning: "abcd"}, llm.Delta{Text: "abcd"}}, estimated},
		{"broken", script{text, &llm.Error{Kind: llm.Broken}}, estimated},
		{"refused", script{&llm.Error{Kind: llm.Denied}}, room.Usage{}},
		{"not reached", script{errors.New("no such host")}, room.Usage{}},
		{"silent", script{time.Hour}, silent},
		{"broken after the bill", script{text, usage, &llm.Error{Kind: llm.Broken}}, room.Usage{Input: 7, Output: 1, Cost: 36_000}},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := Asker{Model: c.said, Clock: seam.Real(), Silence: time.Minute, Prices: prices{}}.Ask(t.Context(), req, nil)
			if !reflect.DeepEqual(a.Usage, c.want) {
				t.Errorf("%s: %+v, want %+v", c.name, a.Usage, c.want)
			}
			if c.name == "silent" && !errors.Is(a.Err, ErrSilent) {
				t.Errorf("silent: %v", a.Err)
			}
		})
	}
	unknown := Asker{Prices: prices{}}.Bill("x", []string{"y"}, llm.Usage{Input: 1})
	if !unknown.Unpriced || unknown.Input != 1 || unknown.Cost != 0 {
		t.Errorf("unknown price: %+v", unknown)
	}
}

func TestDollars(t *testing.T) {
	for cost, want := range map[room.Cost]string{0: "$0.00", room.Dollar / 2: "$0.50", 1: "$0.000000001", 12*room.Dollar + 340_000_000: "$12.34"} {
		if got := Dollars(cost); got != want {
			t.Errorf("%d is %s, want %s", cost, got, want)
		}
	}
}

func TestTokens(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abcd": 1, "abcde": 2, "привет": 3, "豆豆": 2, "🙂": 1} {
		if got := Tokens(text); got != want {
			t.Errorf("Tokens(%q) = %d, want %d", text, got, want)
		}
	}
}

// What has no limit has none after a call either.
func TestLeft(t *testing.T) {
	took := room.Usage{Input: 5, Output: 5, Cost: 5}
	for _, c := range []struct {
		of, want room.Allowance
		some     bool
	}{
		{room.Allowance{}, room.Allowance{}, true},
		{room.Allowance{Cost: 9}, room.Allowance{Cost: 4}, true},
		{room.Allowance{Tokens: 19}, room.Allowance{Tokens: 9}, true},
		{room.Allowance{Cost: 9, Tokens: 19}, room.Allowance{Cost: 4, Tokens: 9}, true},
		{room.Allowance{Cost: 5, Tokens: 19}, room.Allowance{Tokens: 9}, false},
		{room.Allowance{Cost: 9, Tokens: 10}, room.Allowance{Cost: 4}, false},
	} {
		if left, some := Left(c.of, took); left != c.want || some != c.some {
			t.Errorf("of %+v: %+v, %v", c.of, left, some)
		}
	}
}
