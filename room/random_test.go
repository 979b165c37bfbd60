package room

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Whatever anybody sends in whatever order: see world.do and world.add for what holds at each step, and law for the
// rest.
func TestRandomCommands(t *testing.T) { rapid.Check(t, randomCommands) }

func FuzzCommands(f *testing.F) {
	addNoise(f)
	f.Fuzz(rapid.MakeFuzz(randomCommands))
}

// Whatever another version wrote.
func TestRandomEntries(t *testing.T) { rapid.Check(t, randomEntries) }

func FuzzEntries(f *testing.F) {
	addNoise(f)
	f.Fuzz(rapid.MakeFuzz(randomEntries))
}

// addNoise gives a fuzzer bytes enough for whole sequences to begin with.
func addNoise(f *testing.F) {
	source := rand.NewChaCha8([32]byte{1})
	for range 8 {
		noise := make([]byte, 16<<10)
		_, _ = source.Read(noise)
		f.Add(noise)
	}
}

func randomCommands(t *rapid.T) {
	w := newWorld(t, smallRules())
	w.must(PersonIdentity("ada"), Create{Epoch: "e1", Name: "Council", Models: []Model{{Name: "Claude"}, {Name: "GPT 4"}}})
	w.must(PersonIdentity("ada"), Join{})
	for range rapid.IntRange(1, 60).Draw(t, "commands") {
		w.at = w.at.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Minute)).Draw(t, "later")))
		m := Meta{By: anyActor().Draw(t, "by"), Cause: rapid.SampledFrom([]string{"", "~1", "k1", "k2", "k3", "k4"}).Draw(t, "cause")}
		if said := anyText().Draw(t, "said"); said != "" {
			m.Said = make(map[Offset]string)
			for _, r := range w.state.Running() {
				m.Said[r.Reply.ID] = said
			}
		}
		c := anyCommand(w.state).Draw(t, "command")
		head := w.state.Head()
		entries, err := w.do(m, c)
		checkRefusal(t, err)
		if w.state.Head() != head+Offset(len(entries)) {
			t.Fatalf("%T: head %d after %d and %d entries", c, w.state.Head(), head, len(entries))
		}
		law(t, w)
	}
	afresh(t, w)
}

func checkRefusal(t *rapid.T, err error) {
	var e *Error
	if err == nil {
		return
	}
	if !errors.As(err, &e) || e.Code == "" || e.Code == CodeInternal || e.Text == "" || !utf8.ValidString(e.Text) || len(e.Text) > 400 {
		t.Fatalf("refused with %#v", err)
	}
}

// law is what holds at any time.
func law(t *rapid.T, w *world) {
	open, due := unanswered(w.log)
	var jobs []Offset
	var others int
	for job := range w.state.Jobs() {
		switch job := job.(type) {
		case ReplyJob:
			jobs = append(jobs, job.Reply)
		case SummaryJob:
			others++
		}
	}
	polls := readPolls(w.log)
	polls.law(t, w)
	if !reflect.DeepEqual(jobs, open) {
		t.Fatalf("jobs %v, but %v are unanswered", jobs, open)
	}
	if summary, until := unsummarised(w.log); summary != 0 {
		due = sooner(due, until)
		others--
	}
	due = sooner(due, polls.due)
	if due = sooner(due, w.state.debtsDue()); !w.state.Due().Equal(due) {
		t.Fatalf("due %v, want %v", w.state.Due(), due)
	}
	if others != 0 {
		t.Fatalf("%d summaries more than are wanted", others)
	}
	idle := len(slices.Collect(w.state.Jobs())) == 0
	if card := w.state.Card(); card.Wake.IsZero() != (idle && polls.due.IsZero() && w.state.debtsDue().IsZero()) || !card.Equal(w.twin.Card()) {
		t.Fatalf("card %+v with %v unanswered", card, open)
	}
	askedOnce(t, w)
	v := w.state.View(PersonIdentity("ada"), 3)
	if len(v.Messages) > 3 || len(v.Replies) > len(open) || v.Offset != w.state.Head() {
		t.Fatalf("view %+v", v)
	}
	names := make(map[string]ModelID)
	for _, m := range v.Info.Models {
		for _, name := range m.spellings() {
			name = strings.ToLower(name)
			if other, taken := names[name]; taken && other != m.ID {
				t.Fatalf("%q is %s and %s", name, other, m.ID)
			}
			names[name] = m.ID
		}
	}
}

// askedOnce: no message asks a model twice, and each request says who asked whom.
func askedOnce(t *rapid.T, w *world) {
	type request struct {
		trigger Offset
		model   ModelID
	}
	asked := make(map[request]bool)
	for _, e := range w.log {
		v, ok := e.Event.(ReplyRequested)
		if !ok || v.Turn != nil {
			continue
		}
		r := request{v.Reply.Trigger, v.Reply.Model}
		if asked[r] || len(v.Path) != v.Depth || v.For == "" {
			t.Fatalf("entry %d: %+v", e.Offset, v)
		}
		asked[r] = true
	}
}

// unanswered reads from the log alone which replies are to be given, and until when the first.
func unanswered(log []Entry) (open []Offset, due time.Time) {
	ended := make(map[Offset]bool)
	for _, e := range log {
		switch v := e.Event.(type) {
		case ReplyCompleted:
			ended[v.Reply.ID] = true
		case ReplyInterrupted:
			ended[v.Reply.ID] = true
		case ReplyFailed:
			ended[v.Reply.ID] = true
		case ReplyDeclined:
			ended[v.Reply.ID] = true
		}
	}
	for _, e := range log {
		v, ok := e.Event.(ReplyRequested)
		if !ok || ended[e.Offset] {
			continue
		}
		open = append(open, e.Offset)
		if due.IsZero() || v.Until.Before(due) {
			due = v.Until
		}
	}
	return open, due
}

// unsummarised reads from the log alone which summary is to be written, and until when.
func unsummarised(log []Entry) (open Offset, until time.Time) {
	for _, e := range log {
		switch v := e.Event.(type) {
		case SummaryRequested:
			open, until = e.Offset, v.Until
		case SummaryWritten:
			open = 0
		case SummaryFailed:
			open = 0
		}
	}
	return open, until
}

// afresh folds what is stored into a new state, which is the old one in every field, and writes it again.
func afresh(t *rapid.T, w *world) {
	s, prev, rest := New("council", w.state.rules), Hash{}, bytes.Join(w.stored, nil)
	var again []byte
	for len(rest) > 0 {
		e, tail, err := CutEntry(rest, prev, "council")
		if err != nil {
			t.Fatal(err)
		}
		if again, _, err = AppendEntry(again, prev, &e); err != nil {
			t.Fatal(err)
		}
		s.Apply(&e)
		rest, prev = tail, e.Hash
	}
	if prev != w.prev || !bytes.Equal(again, bytes.Join(w.stored, nil)) {
		t.Fatal("the log is another one when it is written again")
	}
	if !reflect.DeepEqual(s, w.state) {
		t.Fatalf("folded afresh %+v\nwas %+v", s, w.state)
	}
	for _, viewer := range []Identity{PersonIdentity("ada"), ModelIdentity("claude"), System} {
		if got, want := s.View(viewer, 100), w.state.View(viewer, 100); !reflect.DeepEqual(got, want) {
			t.Fatalf("view afresh %+v\nwas %+v", got, want)
		}
	}
}

func randomEntries(t *rapid.T) {
	w := newWorld(t, smallRules())
	for range rapid.IntRange(1, 40).Draw(t, "entries") {
		e := Entry{By: anyActor().Draw(t, "by"), Cause: anyText().Draw(t, "cause"), Event: anyEvent().Draw(t, "event")}
		for range rapid.IntRange(0, 2).Draw(t, "audience") {
			e.To = append(e.To, anyActor().Draw(t, "to"))
		}
		w.at = w.at.Add(time.Second)
		w.add(e)
		for _, viewer := range []Identity{PersonIdentity("ada"), System} {
			checkAudience(t, w, viewer)
		}
		_, err := w.do(Meta{By: anyActor().Draw(t, "by")}, anyCommand(w.state).Draw(t, "command"))
		checkRefusal(t, err)
	}
	afresh(t, w)
}

// checkAudience holds a view against the log: nobody sees what is not for them.
func checkAudience(t *rapid.T, w *world, viewer Identity) {
	for _, m := range w.state.View(viewer, 100).Messages {
		if e := w.log[m.Entry-1]; !e.VisibleTo(viewer) {
			t.Fatalf("%q sees entry %d, which is for %v", viewer, e.Offset, e.To)
		}
	}
	for _, r := range w.state.View(viewer, 100).Replies {
		if e := w.log[r.Ref.ID-1]; !e.VisibleTo(viewer) {
			t.Fatalf("%q sees reply %d, which is for %v", viewer, e.Offset, e.To)
		}
	}
	for _, p := range w.state.View(viewer, 100).Polls {
		if e := w.log[p.ID-1]; !e.VisibleTo(viewer) {
			t.Fatalf("%q sees poll %d, which is for %v", viewer, e.Offset, e.To)
		}
	}
}
