package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/journal"
	"parley/room"
)

// A writer is the only one in its room, so what it tried is a single sequence.
type writer struct {
	id    room.ID
	rng   *rand.Rand
	tried []room.Entry // with the hashes it worked out
	ends  map[int]bool // lengths of tried at which a batch ends
	acked int          // how many entries were acknowledged
}

func (l *life) write(s journal.Store, w *writer) error {
	for range 5 + w.rng.IntN(10) {
		b, err := l.try(w)
		if err != nil {
			return err
		}
		if err := s.Append(context.Background(), b); err != nil {
			return err
		}
		l.mu.Lock()
		w.acked = len(w.tried)
		l.mu.Unlock()
	}
	return nil
}

// try notes a batch before it is appended.
func (l *life) try(w *writer) (journal.Batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := journal.Batch{Room: w.id, After: room.Offset(len(w.tried))}
	if n := len(w.tried); n > 0 {
		b.Prev = w.tried[n-1].Hash
	} else {
		b.Card = &room.Card{Room: w.id, Info: room.Info{Visibility: room.Public, CreatedAt: time.Unix(1, 0).UTC()}}
		b.Joined = []room.PersonID{"ada"}
	}
	prev := b.Prev
	for range 1 + w.rng.IntN(4) {
		size := w.rng.IntN(300)
		if w.rng.IntN(20) == 0 {
			size = w.rng.IntN(20_000)
		}
		at := room.Offset(len(w.tried) + 1)
		e := room.Entry{
			Room: w.id, Offset: at, At: time.Unix(int64(at), 0).UTC(), By: "person/ada",
			Cause: fmt.Sprint(w.rng.Uint64()), Event: room.MessagePosted{Name: "Ada", Text: strings.Repeat("x", size)},
		}
		var err error
		if _, e.Hash, err = room.AppendEntry(nil, prev, &e); err != nil {
			return b, err
		}
		prev = e.Hash
		w.tried = append(w.tried, e)
		b.Entries = append(b.Entries, e)
	}
	w.ends[len(w.tried)] = true
	return b, nil
}

func (l *life) compare(fs vfs.FS, dir string, acked map[room.ID]int) error {
	s, err := l.open(fs, dir)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	there := map[room.ID]bool{}
	for _, w := range l.writers {
		if there[w.id], err = l.compareRoom(s, w, acked[w.id]); err != nil {
			break
		}
	}
	if err == nil {
		err = compareCards(s, there)
	}
	return errors.Join(err, s.Close())
}

func (l *life) compareRoom(s journal.Store, w *writer, acked int) (there bool, _ error) {
	n := 0
	for e, err := range s.Read(context.Background(), w.id, 0) {
		if err != nil {
			return false, err
		}
		if n >= len(w.tried) {
			return false, fmt.Errorf("%s@%d was never written", w.id, e.Offset)
		}
		if !reflect.DeepEqual(e, w.tried[n]) {
			return false, fmt.Errorf("%s@%d is not what was written", w.id, n+1)
		}
		n++
	}
	if n < acked {
		return false, fmt.Errorf("%s ends at %d, and %d was acknowledged", w.id, n, acked)
	}
	if !w.ends[n] {
		return false, fmt.Errorf("%s ends at %d, in the middle of a batch", w.id, n)
	}
	if n == acked {
		l.note("lost")
	} else {
		l.note("kept")
	}
	return n > 0, nil
}

// compareCards wants every room that has begun to be listed, and no other.
func compareCards(s journal.Store, there map[room.ID]bool) error {
	for _, q := range []journal.Query{{}, {Member: "ada"}} {
		listed := map[room.ID]bool{}
		for c, err := range s.Cards(context.Background(), q) {
			if err != nil {
				return err
			}
			listed[c.Room] = true
		}
		for id, want := range there {
			if listed[id] != want {
				return fmt.Errorf("%s: listed %v, want %v", id, listed[id], want)
			}
		}
	}
	return nil
}
