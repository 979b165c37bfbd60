package room

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the scenarios and golden files hold; what is for ever is written once")

// morning is when every test begins.
var morning = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// A failer is a testing.TB or a rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// A world is a room and all that a hub would keep of it. Its twin is folded from what is stored, so that each step
// shows whether Decide left the State alone and whether the log says the same as the events did.
type world struct {
	t      failer
	at     time.Time
	state  *State
	twin   *State
	log    []Entry
	stored [][]byte
	prev   Hash
}

func newWorld(t failer, rules Rules) *world {
	return &world{t: t, at: morning, state: New("council", rules), twin: New("council", rules)}
}

// do does a command as a hub would, and returns the entries that it led to.
func (w *world) do(m Meta, c Command) ([]Entry, error) {
	w.t.Helper()
	m.At = w.at
	if _, ok := w.landed(m, c); ok {
		return nil, nil
	}
	author := w.state.Author(m, c)
	events, err := w.state.Decide(m, c)
	w.same("Decide(%v, %T) changed the state", m.By, c)
	if err != nil && len(events) > 0 {
		w.t.Fatalf("%T by %v is refused (%v) and leads to %d events", c, m.By, err, len(events))
	}
	first := len(w.log)
	for _, event := range events {
		w.add(Entry{By: author.By, Cause: author.Cause, Event: event})
	}
	return w.log[first:], err
}

// landed tells where the command is in the log already, if it is.
func (w *world) landed(m Meta, c Command) (Offset, bool) {
	author := w.state.Author(m, c)
	return w.state.Landed(author.By, author.Cause)
}

// add applies an entry and sends it through the store's form to the twin.
func (w *world) add(e Entry) {
	w.t.Helper()
	e.Room, e.Offset, e.At = "council", w.state.Head()+1, w.at
	data, hash, err := AppendEntry(nil, w.prev, &e)
	if err != nil {
		w.t.Fatalf("append %T: %v", e.Event, err)
	}
	e.Hash = hash
	read, rest, err := CutEntry(data, w.prev, "council")
	if err != nil || len(rest) > 0 {
		w.t.Fatalf("cut %T: %v, %d bytes left", e.Event, err, len(rest))
	}
	if !reflect.DeepEqual(read, e) {
		w.t.Fatalf("wrote %+v\n read %+v", e, read)
	}
	w.state.Apply(&e)
	w.twin.Apply(&read)
	w.same("after entry %d, %T", e.Offset, e.Event)
	w.log, w.stored, w.prev = append(w.log, e), append(w.stored, data), hash
}

func (w *world) same(format string, args ...any) {
	w.t.Helper()
	if !reflect.DeepEqual(w.state, w.twin) {
		w.t.Fatalf("%s:\nstate %+v\n twin %+v", fmt.Sprintf(format, args...), w.state, w.twin)
	}
}

// must does a command that has to be accepted.
func (w *world) must(by Identity, c Command) []Entry {
	w.t.Helper()
	entries, err := w.do(Meta{By: by}, c)
	if err != nil {
		w.t.Fatalf("%T by %v: %v", c, by, err)
	}
	return entries
}

// golden compares got with a file, or writes the file. One that is for ever is never written twice.
func golden(t *testing.T, path, got string, forever bool) {
	t.Helper()
	want, err := os.ReadFile(path)
	if *update && (os.IsNotExist(err) || !forever) {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s\n got:\n%s\nwant:\n%s", path, got, want)
	}
}
