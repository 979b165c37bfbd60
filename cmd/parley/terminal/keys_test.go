package terminal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/client"

	tea "charm.land/bubbletea/v2"
)

// filled is a room with n messages, the newest 50 of them known.
func filled(t *testing.T, n int) *rig {
	r := newRig(t)
	snap := board()
	for i := max(n-50, 0); i < n; i++ {
		snap.Messages = append(snap.Messages, numbered(i))
	}
	r.tell(live(), snap)
	return r
}

func numbered(i int) client.Message {
	return said(fmt.Sprint(i+1), "tom", "Tom", fmt.Sprintf("message %d", i), 0).Message
}

func TestScrolling(t *testing.T) {
	r := filled(t, 50)
	bottom := r.frame()
	r.press(tea.KeyPgUp)
	r.golden("scrolled up")
	held := body(r.frame())
	r.tell(said("x1", "tom", "Tom", "news", 9), client.Thinking{ModelID: "ada", MessageID: "x2"},
		client.Chunk{MessageID: "x2", ModelID: "ada", Text: strings.Repeat("words ", 300)})
	if body(r.frame()) != held {
		t.Error("what comes below moves what the reader reads")
	}
	r.golden("news below")
	r.press(tea.KeyEscape)
	if r.frame() == bottom || !r.scroll.follows() {
		t.Error("Esc does not lead to the newest")
	}
	r.Update(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
	if r.scroll.follows() {
		t.Error("the wheel does not scroll")
	}
	for range 3 {
		r.Update(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	}
	if !r.scroll.follows() {
		t.Error("scrolled down to the end, the screen does not follow")
	}
}

// body is the transcript without the lines around it.
func body(frame string) string {
	lines := strings.Split(frame, "\n")
	return strings.Join(lines[1:len(lines)-3], "\n")
}

func TestOlderMessages(t *testing.T) {
	const total = 180
	r := filled(t, total)
	var asked []string
	r.seat.older = func(from string, limit int) tea.Msg {
		asked = append(asked, fmt.Sprintf("%q %d", from, limit))
		end := total
		if from != "" {
			_, _ = fmt.Sscan(from, &end)
		}
		page := client.Page{}
		for i := max(end-limit, 0); i < end; i++ {
			page.Messages = append(page.Messages, numbered(i))
		}
		if end > limit {
			page.Older = fmt.Sprint(end - limit)
		}
		return loaded{page: page}
	}
	for range 40 {
		if load := r.scrollUp(10); load != nil {
			before := body(r.frame())
			r.Update(load())
			if after := body(r.frame()); after != before {
				t.Fatalf("older messages move what the reader reads:\n%s\nbefore:\n%s", after, before)
			}
		}
	}
	if got := strings.Join(asked, ", "); got != `"" 100, "80" 50, "30" 50` {
		t.Errorf("asked for %s", got)
	}
	if n := len(r.story.items); n != total+1 {
		t.Errorf("%d items", n)
	}
	r.golden("the beginning")
	if r.scrollUp(10) != nil {
		t.Error("asks for what is before the beginning")
	}
}

func TestHistoryFails(t *testing.T) {
	r := filled(t, 50)
	r.seat.older = func(string, int) tea.Msg { return loaded{err: errors.New("no connection")} }
	for range 10 {
		if load := r.scrollUp(20); load != nil {
			r.Update(load())
			if r.history.loading || r.story.items[len(r.story.items)-1].kind != problem {
				t.Error("the failure is not told")
			}
			return
		}
	}
	t.Error("nothing is loaded at the top")
}

func TestRecall(t *testing.T) {
	r := newRig(t)
	for _, text := range []string{"first", "second"} {
		r.write(text)
		r.press(tea.KeyEnter)
	}
	r.write("draft")
	for i, want := range []string{"second", "first", "first"} {
		if r.press(tea.KeyUp); r.input.area.Value() != want {
			t.Errorf("up %d: %q", i, r.input.area.Value())
		}
	}
	for i, want := range []string{"second", "draft", "draft"} {
		if r.press(tea.KeyDown); r.input.area.Value() != want {
			t.Errorf("down %d: %q", i, r.input.area.Value())
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		text string
		tabs int
		want string
	}{
		{"hello @ad", 1, "hello @Ada "},
		{"hello @", 2, "hello @ada "},
		{"@bas", 1, "@Basil_Brown "},
		{"@bas", 3, "@Basil_Brown "},
		{"@T", 1, "@Tom "},
		{"/in", 1, "/interrupt "},
		{"/interrupt ", 1, "/interrupt ada "},
		{"/r", 2, "/rename "},
		{"nothing", 1, "nothing"},
		{"@zzz", 1, "@zzz"},
	} {
		r := newRig(t)
		r.tell(live(), board())
		r.write(c.text)
		for range c.tabs {
			r.press(tea.KeyTab)
		}
		if got := r.input.area.Value(); got != c.want {
			t.Errorf("%q and %d tabs: %q, want %q", c.text, c.tabs, got, c.want)
		}
	}
}

func TestPasteOfManyLines(t *testing.T) {
	r := newRig(t)
	r.tell(live(), board())
	r.Update(tea.PasteMsg{Content: "one\r\ntwo\nthree\n\nfive\nsix\nseven\neight"})
	r.golden("pasted")
	if got := r.input.area.Value(); got != "one\ntwo\nthree\n\nfive\nsix\nseven\neight" {
		t.Errorf("%q", got)
	}
}

// Messages are sent one at a time, so that they keep their order.
func TestOrderOfMessages(t *testing.T) {
	r := newRig(t)
	r.tell(live(), board())
	for _, text := range []string{"a", "b", "c"} {
		r.write(text)
		r.press(tea.KeyEnter)
	}
	if len(r.unsent) != 3 || len(r.story.pending) != 3 {
		t.Fatalf("%d unsent, %d pending", len(r.unsent), len(r.story.pending))
	}
	for _, d := range append([]client.Draft(nil), r.unsent...) {
		if r.unsent[0].Text != d.Text {
			t.Fatalf("%q is next, want %q", r.unsent[0].Text, d.Text)
		}
		r.answered(answered{id: d.ClientID, offset: 7})
	}
	snap := board()
	snap.Cursor.Offset = 7
	r.tell(snap)
	if r.sendNext() != nil || len(r.story.pending) != 0 {
		t.Error("something is left")
	}
}

func TestCommands(t *testing.T) {
	r := newRig(t)
	r.tell(live(), board())
	for line, want := range map[string]string{
		"/nonsense": "There is no command", "/interrupt": "No model is saying anything", "/interrupt zed": "There is no model zed",
		"/add": "Which one?", "/remove": "Which model?", "/rename": "What is the new name?",
	} {
		if a := r.story.command(line); !strings.Contains(a.fail, want) || a.do != nil {
			t.Errorf("%s: %+v", line, a)
		}
	}
	for _, line := range []string{"/interrupt @Basil_Brown", "/add zed=gpt-5 Zed", "/remove ada", "/describe tea", "/rename M", "/leave"} {
		if a := r.story.command(line); a.do == nil || a.fail != "" {
			t.Errorf("%s: %+v", line, a)
		}
	}
	if !r.story.command("/quit").quit {
		t.Error("/quit does not")
	}
	if text, is := isCommand("//etc is a path"); is || text != "/etc is a path" {
		t.Errorf("//: %q, %v", text, is)
	}
	for _, line := range []string{"/people", "/models", "/help"} {
		r.write(line)
		r.press(tea.KeyEnter)
	}
	r.Update(tea.WindowSizeMsg{Width: 80, Height: 52})
	r.golden("commands")
}

func TestTypingIsToldNowAndThen(t *testing.T) {
	r := newRig(t)
	r.tell(live(), board())
	told := func() bool { return r.typing() != nil }
	r.input.area.SetValue("hel")
	if !told() || told() {
		t.Error("typing is to be told once")
	}
	r.clock = r.clock.Add(typingEvery)
	if !told() {
		t.Error("typing is to be told again after a while")
	}
	r.input.area.SetValue("")
	if !told() || told() {
		t.Error("that nothing is left is to be told once")
	}
	r.input.area.SetValue("/help")
	if told() {
		t.Error("commands are nobody's business")
	}
}

func TestEnds(t *testing.T) {
	for _, c := range []struct{ err, want error }{
		{client.ErrLeft, client.ErrLeft},
		{client.ErrClosed, nil},
		{&client.Error{Code: client.RoomNotFound, Message: "gone"}, &client.Error{Code: client.RoomNotFound, Message: "gone"}},
	} {
		r := newRig(t)
		r.Update(happened{err: c.err})
		if fmt.Sprint(r.ended) != fmt.Sprint(c.want) {
			t.Errorf("%v ends the screen with %v", c.err, r.ended)
		}
	}
}

// A frame while two hundred tokens a second come in: a batch of events and a view of it.
func BenchmarkStreaming(b *testing.B) {
	r := newRig(nil)
	snap := board()
	for i := range 50 {
		snap.Messages = append(snap.Messages, numbered(i))
	}
	r.tell(live(), snap, client.Thinking{ModelID: "ada", MessageID: "x"})
	at := 0
	for b.Loop() {
		if at > 16<<10 {
			at = 0
		}
		for range 7 {
			r.tell(client.Chunk{MessageID: "x", ModelID: "ada", Position: at, Text: "token "})
			at += len("token ")
		}
		r.clock = r.clock.Add(30 * time.Millisecond)
		_ = r.View()
	}
}
