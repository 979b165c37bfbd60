package room

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// A scenario file holds transcripts of a room. The one called given comes first, and each of the others goes on from
// where it ends. In a transcript ">" is a command and what follows is what it led to; "+" is an entry that is there
// already: who, kind and event, with to=WHO,WHO before them if it is not for everyone. -update writes what comes out.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	used := make(map[string]bool)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { runFile(t, file, used) })
	}
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return
	}
	for verb := range verbs {
		if !used[verb] {
			t.Errorf("no scenario uses %s", verb)
		}
	}
}

func runFile(t *testing.T, file string, used map[string]bool) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var given []string
	for i := range archive.Files {
		f := &archive.Files[i]
		t.Run(f.Name, func(t *testing.T) {
			w := newWorld(t, smallRules())
			run(t, w, given, used)
			lines := strings.Split(strings.TrimRight(string(f.Data), "\n"), "\n")
			got := run(t, w, lines, used)
			if *update {
				f.Data = []byte(got)
			} else if got != string(f.Data) {
				t.Errorf("got:\n%s\nwant:\n%s", got, f.Data)
			}
			if f.Name == "given" {
				given = lines
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// smallRules are limits that a scenario can reach.
func smallRules() Rules {
	return Rules{
		MessageBytes: 80, MaxDepth: 2, MaxReplies: 64, ReplyTime: 10 * time.Minute, ReplyAttempts: 2, Window: 4, Causes: 3,
		BallotTime: 2 * time.Minute, Polls: 3, Secret: "hush", AutopilotTurns: 6,
	}
}

// run does the lines of a transcript and returns the transcript as it is.
func run(t *testing.T, w *world, lines []string, used map[string]bool) string {
	t.Helper()
	var out strings.Builder
	for _, text := range lines {
		raw, entry := strings.CutPrefix(text, "+ ")
		command, ok := strings.CutPrefix(text, "> ")
		switch {
		case entry:
			w.addLine(t, raw)
		case ok:
			text += "\n" + w.doLine(t, command, used)
		case text != "" && !strings.HasPrefix(text, "#"):
			continue
		}
		out.WriteString(strings.TrimRight(text, "\n") + "\n")
	}
	return out.String()
}

// addLine adds an entry that is there already.
func (w *world) addLine(t *testing.T, text string) {
	t.Helper()
	var e Entry
	if to, rest, ok := strings.Cut(text, " "); ok && strings.HasPrefix(to, "to=") {
		for who := range strings.SplitSeq(strings.TrimPrefix(to, "to="), ",") {
			e.To = append(e.To, line{who: who}.by())
		}
		text = rest
	}
	parts := strings.SplitN(text, " ", 3)
	if len(parts) < 3 {
		t.Fatalf("+ %s: want who, kind and event", text)
	}
	e.By = line{who: parts[0]}.by()
	var err error
	if e.Event, err = DecodeEvent(parts[1], []byte(parts[2])); err != nil {
		t.Fatal(err)
	}
	w.add(e)
}

// doLine does a command, or shows something, and returns what there is to see.
func (w *world) doLine(t *testing.T, text string, used map[string]bool) string {
	t.Helper()
	l, err := parseLine(text)
	if err != nil {
		t.Fatal(err)
	}
	switch l.who {
	case "wait":
		d, err := time.ParseDuration(l.verb)
		if err != nil {
			t.Fatal(err)
		}
		w.at = w.at.Add(d)
		return ""
	case "show":
		return w.show(l.verb)
	}
	used[l.verb] = true
	m, c, err := l.command()
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := w.landed(m, c); ok {
		return fmt.Sprintf("landed at %d\n", at)
	}
	entries, err := w.do(m, c)
	return told(t, entries, err)
}

// told says what a command led to.
func told(t *testing.T, entries []Entry, err error) string {
	t.Helper()
	var e *Error
	switch {
	case errors.As(err, &e):
		return strings.TrimSuffix(fmt.Sprintf("refused %s %s", e.Code, e.Reason), " ") + ": " + e.Text
	case err != nil:
		t.Fatalf("%T is no refusal: %v", err, err)
	case len(entries) == 0:
		return "nothing"
	}
	var b strings.Builder
	for _, e := range entries {
		kind, data, err := EncodeEvent(e.Event)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(e.By), voterPrefix) {
			kind += " by " + string(e.By)
		}
		fmt.Fprintf(&b, "%d %s %s\n", e.Offset, kind, data)
	}
	return b.String()
}

// String is an autopilot in a line, and a line for each guide.
func (a *Autopilot) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d turn %d of %d, spent %d", a.ID, a.Turn, a.Started.Turns, a.Spent.Cost)
	if a.Paused {
		b.WriteString(", paused")
	}
	if len(a.Next) > 0 {
		fmt.Fprintf(&b, ", next %v", a.Next)
	}
	if a.Poll != 0 {
		fmt.Fprintf(&b, ", vote %d", a.Poll)
	}
	if a.Ended != nil {
		fmt.Fprintf(&b, ", %s", a.Ended.Outcome)
	}
	for _, g := range a.Guides {
		fmt.Fprintf(&b, "\n%d %s: %q", g.ID, g.Name, g.Text)
	}
	return b.String()
}

// show tells of the state: jobs, due, info, people, autopilot, accounts, summary, or a view by who sees it.
func (w *world) show(what string) string {
	v := w.state.View(line{who: what}.by(), 100)
	var lines []string
	switch what {
	case "jobs":
		for job := range w.state.Jobs() {
			lines = append(lines, fmt.Sprintf("%s by %s, again with %T%+v", job.ID(), job.By(), job.Retry(), job.Retry()))
		}
	case "due":
		lines = append(lines, w.state.Due().Format(time.TimeOnly))
	case "info":
		data, _ := json.Marshal(v.Info)
		lines = append(lines, string(data))
	case "autopilot":
		lines = append(lines, v.Autopilot.String())
	case "accounts":
		lines = append(lines, v.Accounts.lines()...)
	case "summary":
		if v.Summary != nil {
			lines = append(lines, fmt.Sprintf("up to %d: %q", v.Summary.Upto, v.Summary.Text))
		}
	case "people":
		for _, p := range v.People {
			data, _ := json.Marshal(p)
			lines = append(lines, string(data))
		}
	default:
		for _, m := range v.Messages {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%d %s: %q %s", m.ID, m.Name, m.Text, m.End)))
		}
		for _, r := range v.Replies {
			lines = append(lines, fmt.Sprintf("%d %s is answering %d", r.Ref.ID, r.Ref.Name, r.Ref.Trigger))
		}
		for _, p := range v.Polls {
			lines = append(lines, pollLines(p)...)
		}
	}
	return strings.Join(slices.DeleteFunc(lines, func(s string) bool { return s == "" }), "\n")
}
