package embedded_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"parley/journal"
	"parley/room"
)

// A log makes batches that continue what was acknowledged.
type log struct {
	id   room.ID
	last room.Offset
	hash room.Hash
}

func (l *log) batch(n int) journal.Batch {
	b := journal.Batch{Room: l.id, After: l.last, Prev: l.hash}
	for i := range n {
		at := l.last + 1 + room.Offset(i)
		b.Entries = append(b.Entries, room.Entry{
			Room:   l.id,
			Offset: at,
			At:     time.Unix(0, int64(at)).UTC(),
			By:     "person/ada",
			Cause:  fmt.Sprintf("%s-%d", l.id, at),
			Event:  room.MessagePosted{Name: "Ada", Text: strings.Repeat("word ", int(at%40))},
		})
	}
	return b
}

func (l *log) took(b journal.Batch) {
	end := b.Entries[len(b.Entries)-1]
	l.last, l.hash = end.Offset, end.Hash
}

func (l *log) add(tb testing.TB, s journal.Store, n int) {
	tb.Helper()
	b := l.batch(n)
	if err := s.Append(tb.Context(), b); err != nil {
		tb.Fatal(err)
	}
	l.took(b)
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }
