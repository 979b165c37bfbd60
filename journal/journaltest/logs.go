package journaltest

import (
	"encoding/json"
	"strings"

	"parley/journal"
	"parley/room"
)

func appendAndRead(t *test) {
	l := &log{id: "talk"}
	t.add(l, 1)
	t.check(l)
	for _, n := range []int{1, 2, 7, 100, 1, 1} {
		t.add(l, n)
	}
	t.check(l)
}

func readFromEveryOffset(t *test) {
	l := &log{id: "talk"}
	for _, n := range []int{1, 3, 1, 80, 5, 1} {
		t.add(l, n)
	}
	for _, after := range []room.Offset{1, 2, 3, 4, 5, 6, 40, 84, 85, 86, 89, 90, 91, 92, 93} {
		t.checkAfter(l, after)
	}
	t.checkAfter(l, ^room.Offset(0))
}

func readNothing(t *test) {
	t.check(&log{id: "nowhere"})
	t.checkAfter(&log{id: "nowhere"}, 5)
	for c, err := range t.store.Cards(t.Context(), journal.Query{}) {
		t.Fatalf("a new store lists %v, %v", c, err)
	}
}

func conflict(t *test) {
	l := &log{id: "talk"}
	first := l.batch(2)
	t.must(l, first)
	t.conflicts("the same beginning again", first)

	second := l.batch(1)
	t.must(l, second)
	t.conflicts("the same batch again", second)

	gap := &log{id: l.id, entries: append(l.batch(1).Entries, l.entries...), hash: l.hash}
	t.conflicts("a gap", gap.batch(1))

	stranger := &log{id: l.id, entries: l.entries, hash: room.Hash{1}}
	t.conflicts("another history", stranger.batch(1))

	empty := &log{id: "new", entries: l.entries, hash: l.hash}
	t.conflicts("the middle of a log that has not begun", empty.batch(1))

	t.add(l, 1)
	t.check(l)
	t.check(&log{id: "new"})
}

func conflictWritesNothing(t *test) {
	l := &log{id: "talk"}
	t.add(l, 3)
	stale := &log{id: l.id, entries: l.entries[:1], hash: l.entries[0].Hash}
	t.conflicts("stale", stale.batch(5))
	t.check(l)
	t.add(l, 1)
	t.check(l)
}

func refusesWhatIsNoBatch(t *test) {
	l := &log{id: "talk"}
	t.add(l, 1)
	for what, change := range map[string]func(*journal.Batch){
		"no entries":            func(b *journal.Batch) { b.Entries = nil },
		"a hole inside":         func(b *journal.Batch) { b.Entries[2].Offset++ },
		"an offset twice":       func(b *journal.Batch) { b.Entries[1].Offset-- },
		"another room's entry":  func(b *journal.Batch) { b.Entries[1].Room = "other" },
		"another room's card":   func(b *journal.Batch) { b.Card = &room.Card{Room: "other"} },
		"no event":              func(b *journal.Batch) { b.Entries[1].Event = nil },
		"no room":               func(b *journal.Batch) { setRoom(b, "") },
		"a room that is a path": func(b *journal.Batch) { setRoom(b, "a/../b") },
		"a zero byte":           func(b *journal.Batch) { setRoom(b, "a\x00b") },
	} {
		b := l.batch(3)
		change(&b)
		t.refused(what, b, journal.ErrConflict, journal.ErrClosed)
	}
	t.refused("a beginning with a past", func() journal.Batch {
		b := (&log{id: "new"}).batch(1)
		b.Prev = room.Hash{1}
		return b
	}())
	t.check(l)
	t.add(l, 1)
	t.check(l)
}

func setRoom(b *journal.Batch, id room.ID) {
	b.Room = id
	for i := range b.Entries {
		b.Entries[i].Room = id
	}
}

func bigEntries(t *test) {
	l := &log{id: "talk"}
	for _, size := range []int{0, 1, 32 << 10, 300 << 10, 10} {
		b := l.batch(2)
		b.Entries[1].Event = room.MessagePosted{Name: "Ada", Text: strings.Repeat("ø", size/2)}
		t.must(l, b)
	}
	t.check(l)
	t.checkAfter(l, 9)
}

func tooBig(t *test) {
	l := &log{id: "talk"}
	t.add(l, 1)
	b := l.batch(1)
	b.Entries[0].Event = room.MessagePosted{Text: strings.Repeat("x", journal.MaxRecord)}
	t.refused("a batch above the limit", b, journal.ErrConflict, journal.ErrClosed)
	t.add(l, 1)
	t.check(l)
}

func privateEntries(t *test) {
	l := &log{id: "talk"}
	b := l.batch(3)
	b.Entries[1].To = []room.Identity{room.PersonIdentity("bob")}
	b.Entries[2].To = []room.Identity{room.PersonIdentity("bob"), room.ModelIdentity("m"), room.System}
	t.must(l, b)
	t.check(l)
}

func unknownEvents(t *test) {
	l := &log{id: "talk"}
	b := l.batch(3)
	b.Entries[0].Event = room.Unknown{Kind: "from_the_future", Data: json.RawMessage(`{ "b": 1,  "a": [2.50] }`)}
	b.Entries[2].Event = room.Unknown{Kind: "odd", Data: json.RawMessage("\x00\xff not json")}
	t.must(l, b)
	t.check(l)
}

// hashChain leans on took and check, which work the hashes out again.
func hashChain(t *test) {
	l := &log{id: "talk"}
	b := l.batch(3)
	for i := range b.Entries {
		b.Entries[i].Hash = room.Hash{0xee} // whatever the caller left there
	}
	t.must(l, b)
	t.add(l, 2)
	t.check(l)
	seen := map[room.Hash]bool{}
	for _, e := range l.entries {
		seen[e.Hash] = true
	}
	if len(seen) != len(l.entries) || seen[room.Hash{}] {
		t.Errorf("%d hashes of %d entries", len(seen), len(l.entries))
	}
}

// similarRooms would run into each other if a key were cut in the wrong place.
func similarRooms(t *test) {
	var logs []*log
	for _, id := range []room.ID{"a", "aa", "a-", "a_", "A", "0", "aaa", "a0", room.ID(strings.Repeat("z", 64)), "zz"} {
		logs = append(logs, &log{id: id})
	}
	for n := range 4 {
		for i, l := range logs {
			t.add(l, 1+(n+i)%3)
		}
	}
	for _, l := range logs {
		t.check(l)
	}
}

func reopenedLogs(t *test, reopen func()) {
	a, b := &log{id: "a"}, &log{id: "b"}
	epoch := t.store.Epoch()
	for range 3 {
		t.add(a, 2)
		t.add(b, 1)
		reopen()
		t.check(a)
		t.check(b)
		t.conflicts("stale after reopening", (&log{id: "a"}).batch(1))
	}
	t.add(a, 1)
	t.check(a)
	if t.store.Epoch() != epoch {
		t.Errorf("the epoch is %q, was %q before reopening", t.store.Epoch(), epoch)
	}
}

func epochs(t T, d Driver) {
	a, b := d.Open(t), d.Open(t)
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	if a.Epoch() == "" || a.Epoch() == b.Epoch() {
		t.Errorf("the epochs of two stores are %q and %q", a.Epoch(), b.Epoch())
	}
}
