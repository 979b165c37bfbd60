package journaltest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"parley/journal"
	"parley/room"
)

// A log is what the suite knows to have been acknowledged in one room.
type log struct {
	id      room.ID
	entries []room.Entry
	hash    room.Hash
}

func (l *log) last() room.Offset { return room.Offset(len(l.entries)) }

// begun is when the suite's time begins.
func begun() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC) }

// batch makes the next n entries.
func (l *log) batch(n int) journal.Batch {
	b := journal.Batch{Room: l.id, After: l.last(), Prev: l.hash}
	for i := range n {
		at := l.last() + 1 + room.Offset(i)
		b.Entries = append(b.Entries, room.Entry{
			Room:   l.id,
			Offset: at,
			At:     begun().Add(time.Duration(at) * time.Millisecond),
			By:     room.PersonIdentity("ada"),
			Cause:  fmt.Sprintf("%s-%d", l.id, at),
			Event:  room.MessagePosted{Name: "Ada", Text: fmt.Sprintf("message %d of %s", at, l.id), Mentions: []room.ModelID{"m"}},
		})
	}
	return b
}

// took notes that a batch was acknowledged. It works out the hashes for itself.
func (l *log) took(b journal.Batch) error {
	for _, e := range b.Entries {
		_, hash, err := room.AppendEntry(nil, l.hash, &e)
		if err != nil {
			return err
		}
		if e.Hash != hash {
			return fmt.Errorf("append left hash %v in %s@%d, want %v", e.Hash, e.Room, e.Offset, hash)
		}
		l.entries, l.hash = append(l.entries, e), hash
	}
	return nil
}

// must appends a batch that has to be acknowledged.
func (t *test) must(l *log, b journal.Batch) {
	t.Helper()
	if err := t.store.Append(t.Context(), b); err != nil {
		t.Fatalf("append: %v", err)
	}
	if err := l.took(b); err != nil {
		t.Fatalf("%v", err)
	}
}

// add appends n entries one batch.
func (t *test) add(l *log, n int) {
	t.Helper()
	t.must(l, l.batch(n))
}

// check compares the store with what was acknowledged.
func (t *test) check(l *log) {
	t.Helper()
	t.checkAfter(l, 0)
}

func (t *test) checkAfter(l *log, after room.Offset) {
	t.Helper()
	got, err := t.read(l.id, after)
	if err != nil {
		t.Fatalf("read %s after %d: %v", l.id, after, err)
	}
	if err := same(got, l.entries[min(after, l.last()):]); err != nil {
		t.Fatalf("read %s after %d: %v", l.id, after, err)
	}
}

func (t *test) read(id room.ID, after room.Offset) (entries []room.Entry, err error) {
	for e, err := range t.store.Read(t.Context(), id, after) {
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// same compares entry by entry, so that the first difference is told.
func same(got, want []room.Entry) error {
	for i := range min(len(got), len(want)) {
		if !reflect.DeepEqual(got[i], want[i]) {
			return fmt.Errorf("entry %d:\n got %s\nwant %s", i, show(got[i]), show(want[i]))
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d entries, want %d", len(got), len(want))
	}
	return nil
}

func show(e room.Entry) string {
	data, _ := json.Marshal(e)
	return string(data[:min(len(data), 400)])
}

// refused wants an error that is not of the given kinds.
func (t *test) refused(what string, b journal.Batch, not ...error) {
	t.Helper()
	err := t.store.Append(t.Context(), b)
	if err == nil {
		t.Errorf("%s: acknowledged", what)
	}
	for _, target := range not {
		if errors.Is(err, target) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func (t *test) conflicts(what string, b journal.Batch) {
	t.Helper()
	if err := t.store.Append(t.Context(), b); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("%s: %v, want ErrConflict", what, err)
	}
}
