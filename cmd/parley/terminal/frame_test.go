package terminal

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/client"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "write the golden frames anew")

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// A rig is a screen without a terminal: what it would do to the world is written down.
type rig struct {
	t *testing.T
	*screen
	clock time.Time
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, clock: noon}
	r.screen = newScreen(client.JoinOptions{Room: "board", User: "maja"}, seat{})
	r.painter = newPainter(time.UTC)
	r.now = func() time.Time { return r.clock }
	r.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	return r
}

func (r *rig) tell(events ...client.Event) { r.Update(happened{events: events}) }

func (r *rig) press(keys ...rune) {
	for _, k := range keys {
		r.Update(tea.KeyPressMsg{Code: k})
	}
}

func (r *rig) write(text string) {
	for _, c := range text {
		r.Update(tea.KeyPressMsg{Code: c, Text: string(c)})
	}
}

// frame returns what the screen shows, without colours, and checks that it fits.
func (r *rig) frame() string {
	r.t.Helper()
	content := r.View().Content
	lines := strings.Split(ansi.Strip(content), "\n")
	if len(lines) != r.height {
		r.t.Errorf("%d lines on a screen of %d", len(lines), r.height)
	}
	for i, line := range lines {
		if w := ansi.StringWidth(line); w > r.width {
			r.t.Errorf("line %d has %d columns on a screen of %d: %q", i, w, r.width, line)
		}
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

func (r *rig) golden(name string) {
	r.t.Helper()
	path := filepath.Join("testdata", name+".golden")
	got := r.frame()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	if got != string(want) {
		r.t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

func board() client.Snapshot {
	return client.Snapshot{
		Room: client.Room{ID: "board", Name: "Tea Board", Models: []client.Model{
			{ID: "ada", Name: "Ada", Demo: true}, {ID: "basil", Name: "Basil Brown", Demo: true},
		}},
		People: []client.Person{
			{ID: "maja", Name: "Maja", Role: client.Admin}, {ID: "tom", Name: "Tom", Role: client.Member, Online: true},
		},
	}
}

func said(id, by, name, text string, minute int) client.MessageReceived {
	return client.MessageReceived{Message: client.Message{
		ID: id, SenderID: by, SenderName: name, Text: text, At: noon.Add(time.Duration(minute) * time.Minute),
	}}
}

func answer(id, by, name, text, to string) client.MessageReceived {
	m := said(id, by, name, text, 1)
	m.Message.ByModel, m.Message.ReplyTo, m.Message.End = true, to, client.Complete
	return m
}

func live() client.Event { return client.StateChanged{State: client.Live} }

func TestConversation(t *testing.T) {
	r := newRig(t)
	r.golden("connecting")
	r.tell(live(), board())
	r.golden("empty room")
	r.tell(
		client.UserJoined{Stamp: client.Stamp{Offset: 3}, Person: client.Person{ID: "kim", Name: "Kim", Online: true}},
		said("4", "tom", "Tom", "Good morning!", 0), said("5", "tom", "Tom", "Shall we begin?", 1),
		said("6", "maja", "Maja", "@ada @basil what is Parley?", 1),
		client.Thinking{ModelID: "ada", ReplyTo: "6", MessageID: "7"},
		client.Thinking{ModelID: "basil", ReplyTo: "6", MessageID: "8"},
		client.Typing{UserID: "tom", UserName: "Tom", Typing: true},
	)
	r.golden("thinking")
	long := "Parley is a server for rooms in which people and language models talk. "
	r.tell(client.Chunk{MessageID: "7", ModelID: "ada", Text: long}, client.Chunk{MessageID: "8", ModelID: "basil", Text: "A ro"})
	r.tell(client.Chunk{MessageID: "7", ModelID: "ada", Position: len(long), Text: "It keeps one log per room."})
	r.golden("speaking")
	stopped := answer("8", "basil", "Basil Brown", "A ro", "6")
	stopped.Message.End = client.Interrupted
	r.tell(stopped, client.Done{MessageID: "8", ModelID: "basil"},
		answer("7", "ada", "Ada", long+"It keeps one log per room.", "6"), client.Done{MessageID: "7", ModelID: "ada"})
	r.clock = r.clock.Add(10 * time.Second)
	r.Update(beat(r.clock)) // nobody has heard of Tom's typing for long
	r.golden("done")
	r.Update(tea.WindowSizeMsg{Width: 44, Height: 14})
	r.golden("narrow")
	r.Update(tea.WindowSizeMsg{Width: 10, Height: 3})
	if got := r.View().Content; !strings.Contains(got, "too small") {
		t.Errorf("in a tiny window: %q", got)
	}
}

func TestHappenings(t *testing.T) {
	r := newRig(t)
	described := board().Room
	described.Description = "Tea, and what goes with it"
	at := func(n uint64) client.Stamp { return client.Stamp{Offset: n} }
	r.tell(live(), board(),
		client.ModelAdded{Stamp: at(2), Model: client.Model{ID: "zed", Name: "Zed"}},
		client.ModelUpdated{Stamp: at(3), Model: client.Model{ID: "zed", Name: "Zed II"}},
		client.ModelRemoved{Stamp: at(4), ModelID: "zed"},
		client.RoomUpdated{Stamp: at(5), Room: described},
		client.UserLeft{UserID: "tom"}, client.UserJoined{Person: client.Person{ID: "tom", Name: "Tom"}}, client.UserLeft{UserID: "tom"},
		client.UserUpdated{Stamp: at(6), Person: client.Person{ID: "tom", Name: "Thomas", Role: client.Viewer}},
		client.UserLeft{Stamp: at(7), UserID: "tom", LeftRoom: true},
		client.Thinking{ModelID: "ada", MessageID: "8"}, client.Done{Stamp: at(9), MessageID: "8", ModelID: "ada", Declined: "not my field"},
		client.Thinking{ModelID: "ada", MessageID: "10"}, client.Done{Stamp: at(11), MessageID: "10", ModelID: "ada"},
		client.Thinking{ModelID: "ada", MessageID: "12"},
		client.Problem{Stamp: at(13), Err: &client.Error{Code: client.LLMError, Message: "Ada could not answer: no credit"}},
		client.Done{Stamp: at(13), MessageID: "12", ModelID: "ada"},
	)
	r.golden("happenings")
}

// What people and models write, and what the server says, never reaches the terminal raw.
func TestHostileText(t *testing.T) {
	evil := "\x1b[2J\x1b]0;pwned\x07\u009b31m\r\u202e"
	r := newRig(t)
	snap := board()
	snap.Room.Name, snap.People[1].Name, snap.Room.Models[0].Name = evil+"room", evil+"person", evil+"model"
	snap.Room.Models[0].Title, snap.People[1].ID = evil, evil
	r.tell(live(), snap, said("1", "tom", evil+"Tom", evil+"text", 0), answer("2", "ada", evil+"Ada", evil, "1"),
		client.Thinking{ModelID: "ada", MessageID: "3"}, client.Chunk{MessageID: "3", ModelID: "ada", Text: evil},
		client.Typing{UserID: "x", UserName: evil, Typing: true},
		client.Problem{Err: &client.Error{Message: evil}},
		client.StateChanged{State: client.Reconnecting, Err: fmt.Errorf("%s", evil)})
	for _, command := range []string{"/people", "/models", "/help", "/describe", "/nonsense\x1b[2J"} {
		r.carryOut(r.story.command(command))
	}
	r.Update(tea.PasteMsg{Content: evil})
	r.input.tab(r.story)
	for _, height := range []int{24, 200} {
		r.Update(tea.WindowSizeMsg{Width: 80, Height: height})
		v := r.View()
		for _, bad := range []string{"\x1b[2J", "\x1b]", "\x07", "\u009b", "\r", "\u202e"} {
			if strings.Contains(v.Content, bad) || strings.Contains(v.WindowTitle, bad) {
				t.Errorf("%q reaches a terminal of %d lines", bad, height)
			}
		}
	}
}

func TestConnectionLost(t *testing.T) {
	r := newRig(t)
	r.tell(live(), board(), said("4", "tom", "Tom", "Good morning!", 0))
	r.tell(client.StateChanged{State: client.Reconnecting, Retry: 3 * time.Second, Err: fmt.Errorf("connection refused")})
	r.write("are you there?")
	r.press(tea.KeyEnter)
	r.golden("reconnecting")
	id := r.story.pending[0].id
	back := said("5", "maja", "Maja", "are you there?", 1)
	back.ClientID = id
	r.tell(live(), back)
	r.Update(answered{id: id, offset: 5})
	r.golden("back again")
	r.write("one too many")
	r.press(tea.KeyEnter)
	r.Update(answered{id: r.story.pending[0].id, err: &client.Error{Code: client.Busy, Message: "the room is busy: try again"}})
	r.golden("not sent")
}

func TestResetReplacesTheStory(t *testing.T) {
	r := newRig(t)
	r.tell(live(), board(), said("4", "tom", "Tom", "what is lost", 0))
	snap := board()
	snap.Reset, snap.Reason = true, "the log was replaced by a backup"
	snap.Messages = []client.Message{said("2", "tom", "Tom", "what is left", 0).Message}
	snap.Replies = []client.Reply{{ID: "3", ModelID: "ada", Text: "half an ans", StartedAt: noon}}
	r.tell(snap)
	r.golden("reset")
}
