package room

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// A frozenEntry is a line of a frozen log: an entry to read, and the bytes in which it is stored.
type frozenEntry struct {
	Offset Offset          `json:"offset"`
	At     time.Time       `json:"at"`
	By     Identity        `json:"by"`
	Cause  string          `json:"cause,omitempty"`
	To     []Identity      `json:"to,omitempty"`
	Kind   string          `json:"kind"`
	Event  json.RawMessage `json:"event"`
	Hash   string          `json:"hash"`
	Stored []byte          `json:"stored"`
}

// A frozenView is a View under names that outlive those of the code.
type frozenView struct {
	Viewer   Identity        `json:"viewer"`
	Offset   Offset          `json:"offset"`
	Epoch    string          `json:"epoch"`
	Info     Info            `json:"info"`
	People   []Person        `json:"people"`
	Messages []frozenMessage `json:"messages"`
	Replies  []frozenReply   `json:"replies"`
	Due      time.Time       `json:"due"`
}

type frozenMessage struct {
	ID      Offset    `json:"id"`
	Entry   Offset    `json:"entry"`
	By      Identity  `json:"by"`
	Name    string    `json:"name"`
	Text    string    `json:"text"`
	ReplyTo Offset    `json:"reply_to,omitempty"`
	At      time.Time `json:"at"`
	End     End       `json:"end,omitempty"`
	Poll    Offset    `json:"poll,omitzero"`

	Autopilot Offset `json:"autopilot,omitzero"`
}

type frozenReply struct {
	Reply ReplyRef  `json:"reply"`
	Depth int       `json:"depth,omitempty"`
	Asked time.Time `json:"asked"`
}

// Logs that an earlier version wrote replay to the same View for ever. -update writes the newest one if there is none
// of its name yet; what is there is never written again: a new kind of event comes with a new log.
func TestFrozen(t *testing.T) {
	const newest = "testdata/frozen/v1"
	if _, err := os.Stat(newest + ".log"); *update && errors.Is(err, fs.ErrNotExist) {
		golden(t, newest+".log", freeze(t, "testdata/everything.txtar"), true)
	}
	logs, err := filepath.Glob("testdata/frozen/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatal("no frozen logs", err)
	}
	seen := make(map[string]bool)
	for _, log := range logs {
		s := thaw(t, log, seen)
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetIndent("", " ")
		for _, viewer := range []Identity{PersonIdentity("ada"), PersonIdentity("bob"), ModelIdentity("claude"), System} {
			if err := enc.Encode(look(s, viewer)); err != nil {
				t.Fatal(err)
			}
		}
		golden(t, strings.TrimSuffix(log, ".log")+".view.json", out.String(), true)
	}
	for kind := range kinds {
		if !seen[kind] {
			t.Errorf("no frozen log holds a %s", kind)
		}
	}
}

// freeze makes a frozen log of what a scenario leads to.
func freeze(t *testing.T, scenario string) string {
	t.Helper()
	archive, err := txtar.ParseFile(scenario)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, DefaultRules())
	run(t, w, strings.Split(string(archive.Files[0].Data), "\n"), make(map[string]bool))
	var out bytes.Buffer
	for i, e := range w.log {
		kind, data, err := EncodeEvent(e.Event)
		if err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(frozenEntry{e.Offset, e.At, e.By, e.Cause, e.To, kind, data, e.Hash.String(), w.stored[i]})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	return out.String()
}

// thaw folds a frozen log and notes which kinds it holds. What each line says must be what is stored.
func thaw(t *testing.T, file string, seen map[string]bool) *State {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, prev := New("council", DefaultRules()), Hash{}
	for line := range bytes.Lines(text) {
		var want frozenEntry
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		e, rest, err := CutEntry(want.Stored, prev, "council")
		if err != nil || len(rest) > 0 || e.Hash.String() != want.Hash {
			t.Fatalf("%s, entry %d: %v, hash %v, %d bytes left", file, want.Offset, err, e.Hash, len(rest))
		}
		same := e.Offset == want.Offset && e.At.Equal(want.At) && e.By == want.By && e.Cause == want.Cause && slices.Equal(e.To, want.To)
		kind, data, err := EncodeEvent(e.Event)
		if err != nil || !same || kind != want.Kind || string(data) != string(want.Event) {
			t.Errorf("%s, entry %d: read %+v, %s %s", file, want.Offset, e, kind, data)
		}
		if again, hash, err := AppendEntry(nil, prev, &e); err != nil || hash != e.Hash || !bytes.Equal(again, want.Stored) {
			t.Errorf("%s, entry %d is written differently now: %x, %v", file, want.Offset, again, err)
		}
		seen[kind] = true
		s.Apply(&e)
		prev = e.Hash
	}
	return s
}

func look(s *State, viewer Identity) frozenView {
	v := s.View(viewer, 100)
	f := frozenView{Viewer: viewer, Offset: v.Offset, Epoch: v.Epoch, Info: v.Info, People: v.People, Due: s.Due()}
	for _, m := range v.Messages {
		f.Messages = append(f.Messages, frozenMessage(m))
	}
	for _, r := range v.Replies {
		f.Replies = append(f.Replies, frozenReply{r.Ref, r.Depth, r.Asked})
	}
	return f
}
