package reliability

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parley/hub"
	"parley/journal"
	"parley/journal/embedded"
	"parley/journal/memory"
	"parley/reliability/check"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// Whatever cursor a follower comes with, after restarts and restored backups: it gets exactly what it missed, or a view
// that says why, and pages close the gap.
func TestReset(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newResetMachine(soundFollow)
		defer m.close()
		rt.Repeat(map[string]func(*rapid.T){"step": func(rt *rapid.T) {
			if err := m.step(func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "choice") }); err != nil {
				rt.Fatal(err)
			}
		}})
	})
}

func TestSoakReset(t *testing.T) {
	soak(t)
	resets(t, 20_000, soundFollow, nil)
}

// A server that takes any epoch for its own, or trims an offset that is ahead, is found out.
func TestResetNoticesBugs(t *testing.T) {
	for name, bent := range map[string]follow{
		"any epoch": func(ctx context.Context, h *hub.Hub, from hub.Cursor) iter.Seq2[*hub.Item, error] {
			if now := cursorOf(h); from != (hub.Cursor{}) && from.Offset <= now.Offset {
				from.Epoch = now.Epoch
			}
			return soundFollow(ctx, h, from)
		},
		"ahead": func(ctx context.Context, h *hub.Hub, from hub.Cursor) iter.Seq2[*hub.Item, error] {
			if now := cursorOf(h); from.Epoch == now.Epoch {
				from.Offset = min(from.Offset, now.Offset)
			}
			return soundFollow(ctx, h, from)
		},
	} {
		noticed := false
		t.Run(name, func(t *testing.T) { resets(t, 200, bent, &noticed) })
		if !noticed {
			t.Errorf("nobody noticed %q", name)
		}
	}
}

// resets plays so many sequences. noticed, if not nil, wants a fault and is told of it.
func resets(t *testing.T, sequences int, f follow, noticed *bool) {
	random := seeded(t)
	for range sequences {
		m := newResetMachine(f)
		for range 30 {
			err := m.step(random.IntN)
			if err != nil && noticed == nil {
				t.Fatal(err)
			}
			if err != nil {
				*noticed = true
				break
			}
		}
		m.close()
	}
}

// follow is how followers are served.
type follow func(ctx context.Context, h *hub.Hub, from hub.Cursor) iter.Seq2[*hub.Item, error]

const resetRoom, resetWriter = room.ID("room"), room.PersonID("writer")

func soundFollow(ctx context.Context, h *hub.Hub, from hub.Cursor) iter.Seq2[*hub.Item, error] {
	return h.Follow(ctx, resetRoom, room.PersonIdentity(resetWriter), from)
}

func cursorOf(h *hub.Hub) hub.Cursor {
	v, err := h.View(context.Background(), resetRoom, room.System, 0)
	if err != nil {
		panic(err)
	}
	return v.Cursor
}

// A resetMachine is a hub that is restarted and whose store is replaced by older copies of itself.
type resetMachine struct {
	follow  follow
	store   journal.Store
	hub     *hub.Hub
	cursors []hub.Cursor // that followers may come with
	serial  int
}

func newResetMachine(f follow) *resetMachine {
	m := &resetMachine{follow: f, store: memory.New(), cursors: []hub.Cursor{{}}}
	m.open()
	m.do(room.Create{Epoch: hub.NewEpoch(), Name: "Test"})
	m.do(room.Join{})
	return m
}

func (m *resetMachine) open() {
	var err error
	if m.hub, err = hub.New(hub.Config{Store: m.store, Ring: 4}); err != nil {
		panic(err)
	}
}

func (m *resetMachine) close() { _ = m.hub.Close() }

func (m *resetMachine) do(c room.Command) {
	if _, err := m.hub.Do(context.Background(), resetRoom, room.Meta{By: room.PersonIdentity(resetWriter)}, c); err != nil {
		panic(err)
	}
}

func (m *resetMachine) step(choose func(n int) int) error {
	switch choose(8) {
	case 0:
		m.close()
		m.open()
	case 1:
		m.restore(choose)
	case 2, 3, 4:
		for range 1 + choose(8) {
			m.serial++
			m.do(room.PostMessage{Text: fmt.Sprint("message ", m.serial)})
		}
	default:
		return m.come(m.cursor(choose))
	}
	return nil
}

// restore goes on with a copy of the log's beginning, as after a backup.
func (m *resetMachine) restore(choose func(n int) int) {
	m.close()
	entries := check.Read(context.Background(), m.store, resetRoom).Entries
	keep := 2 + choose(len(entries)-1)
	old := memory.New()
	var prev room.Hash
	for i, e := range entries[:keep] {
		b := journal.Batch{Room: resetRoom, After: room.Offset(i), Prev: prev, Entries: []room.Entry{e}}
		if err := old.Append(context.Background(), b); err != nil {
			panic(err)
		}
		prev = b.Entries[0].Hash
	}
	m.store = old
	m.open()
}

// cursor chooses where a follower comes from: where one was, or somewhere else.
func (m *resetMachine) cursor(choose func(n int) int) hub.Cursor {
	c := m.cursors[choose(len(m.cursors))]
	switch choose(5) {
	case 0:
		c.Offset += room.Offset(choose(100))
	case 1:
		c.Epoch += "x"
	}
	return c
}

// come follows from a cursor up to the head and compares what it gets with the log.
func (m *resetMachine) come(from hub.Cursor) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	now := cursorOf(m.hub)
	m.cursors = append(m.cursors, now)
	log := check.Read(ctx, m.store, resetRoom).Entries
	next := from.Offset
	for it, err := range m.follow(ctx, m.hub, from) {
		switch {
		case err != nil:
			return fmt.Errorf("follow from %v at %v: %w", from, now, err)
		case it.View != nil:
			return m.viewed(ctx, from, now, it.View)
		case it.Resumed && (from.Epoch != now.Epoch || from.Offset > now.Offset):
			return fmt.Errorf("the cursor %v was resumed at %v", from, now)
		case it.Entry != nil:
			if next++; it.Entry.Offset != next || it.Entry.Hash != log[next-1].Hash || it.Epoch != now.Epoch {
				return fmt.Errorf("after %v came entry %d of %s where %d of %s was next", from, it.Entry.Offset, it.Epoch, next, now.Epoch)
			}
		}
		if next >= now.Offset {
			break
		}
	}
	return nil
}

// viewed checks that a view was due, that it says why, and that pages hold all messages.
func (m *resetMachine) viewed(ctx context.Context, from, now hub.Cursor, v *hub.View) error {
	fits := from.Epoch == now.Epoch && from.Offset <= now.Offset
	if fits || v.Cursor != now || (v.Reset != "") != (from != hub.Cursor{}) {
		return fmt.Errorf("the cursor %v was answered at %v with a view at %v, reason %q", from, now, v.Cursor, v.Reset)
	}
	var pages []check.Said
	for before, more := room.Offset(0), true; more; more = before != 0 {
		page, older, err := m.hub.History(ctx, resetRoom, room.System, before, 7)
		if err != nil {
			return err
		}
		var list []check.Said
		for _, msg := range page {
			list = append(list, check.Said{Offset: uint64(msg.Entry), Text: msg.Text})
		}
		pages, before = append(list, pages...), older
	}
	if want := check.Read(ctx, m.store, resetRoom).Said(); !slices.Equal(pages, want) {
		return fmt.Errorf("the pages hold %v, the log %v", pages, want)
	}
	return nil
}

// The same over the wire, with a backup of the default store.
func TestResetAfterRestoredBackup(t *testing.T) {
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	store, err := embedded.Open(embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	first := start(t, serverConfig{store: store})
	conn := dial(t, first.addr)
	id := mustRoom(t, conn)
	bea := sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: "bea"})
	bea.say("k1", "in the backup")
	if err := store.Checkpoint(backup); err != nil {
		t.Fatal(err)
	}
	offset := bea.say("k2", "after it")
	cursor := &roompb.Cursor{Epoch: bea.state.GetCursor().GetEpoch(), Offset: offset}
	restored, err := embedded.Open(embedded.Config{Dir: backup})
	if err != nil {
		t.Fatal(err)
	}
	second := start(t, serverConfig{store: restored})
	again := dial(t, second.addr)
	for name, from := range map[string]*roompb.Cursor{
		"of the lost log": cursor,
		"before the loss": {Epoch: cursor.GetEpoch(), Offset: 1},
		"made up":         {Epoch: "none", Offset: 1},
	} {
		s := sit(t, again, &roompb.JoinRoom{RoomId: id, UserId: "bea", Cursor: from})
		if s.state.GetResetReason() == "" || len(s.state.GetMessages()) != 1 {
			t.Errorf("the cursor %s was answered with %v", name, s.state)
		}
	}
	ahead := sit(t, again, &roompb.JoinRoom{RoomId: id, UserId: "bea"}).state.GetCursor()
	ahead.Offset += 5
	if s := sit(t, again, &roompb.JoinRoom{RoomId: id, UserId: "bea", Cursor: ahead}); s.state.GetResetReason() == "" {
		t.Errorf("a cursor ahead was answered with %v", s.state)
	}
}
