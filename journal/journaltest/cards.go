package journaltest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"parley/journal"
	"parley/room"
)

func card(id room.ID, minute int, v room.Visibility) *room.Card {
	return &room.Card{Room: id, Info: room.Info{
		Name:        "Room " + string(id),
		Description: "about " + string(id),
		Visibility:  v,
		CreatedAt:   begun().Add(time.Duration(minute) * time.Minute),
		CreatedBy:   room.PersonIdentity("ada"),
		Models:      []room.Model{{ID: "m", Name: "M"}},
	}}
}

// show appends one entry with a card beside it.
func (t *test) show(l *log, c *room.Card, joined, left []room.PersonID) {
	t.Helper()
	b := l.batch(1)
	b.Card, b.Joined, b.Left = c, joined, left
	t.must(l, b)
}

// lists wants exactly these rooms, in this order.
func (t *test) lists(q journal.Query, want ...room.ID) []room.Card {
	t.Helper()
	var got []room.ID
	var cards []room.Card
	for c, err := range t.store.Cards(t.Context(), q) {
		if err != nil {
			t.Fatalf("cards: %v", err)
		}
		got, cards = append(got, c.Room), append(cards, c)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("cards of %+v:\n got %v\nwant %v", q, got, want)
	}
	return cards
}

func publicCards(t *test) {
	c := card("b", 2, room.Public)
	t.show(&log{id: "a"}, card("a", 1, room.Public), nil, nil)
	t.show(&log{id: "b"}, c, nil, nil)
	t.show(&log{id: "secret"}, card("secret", 3, room.Private), nil, nil)
	t.show(&log{id: "d"}, card("d", 1, room.Public), nil, nil)
	t.add(&log{id: "cardless"}, 1)
	cards := t.lists(journal.Query{}, "b", "a", "d")
	if !cards[0].Equal(*c) {
		t.Errorf("got card %+v, want %+v", cards[0], *c)
	}
}

// publicCardPages has rooms that were created at one instant, at a page's border too.
func publicCardPages(t *test) {
	var want []room.ID
	for i := range 150 {
		id := room.ID(fmt.Sprintf("room-%03d", i))
		t.show(&log{id: id}, card(id, -(i/4), room.Public), nil, nil)
		want = append(want, id)
	}
	cards := t.lists(journal.Query{}, want...)
	for _, i := range []int{0, 1, 2, 3, 4, 62, 63, 64, 65, 127, 128, 148, 149} {
		t.lists(journal.Query{After: journal.Position(cards[i])}, want[i+1:]...)
	}
	n := 0
	for range t.store.Cards(t.Context(), journal.Query{}) {
		if n++; n == 70 {
			break
		}
	}
}

func cardChanges(t *test) {
	l := &log{id: "a"}
	t.show(l, card("a", 1, room.Public), nil, nil)
	c := card("a", 1, room.Public)
	c.Info.Name, c.Info.Description, c.Info.Models = "Another name", "", nil
	t.show(l, c, nil, nil)
	t.add(l, 1) // leaves the card as it is
	if got := t.lists(journal.Query{}, "a")[0]; !got.Equal(*c) {
		t.Errorf("got card %+v, want %+v", got, *c)
	}
	t.check(l)
}

func cardVisibility(t *test) {
	l := &log{id: "a"}
	t.show(l, card("a", 1, room.Public), []room.PersonID{"ada"}, nil)
	t.show(l, card("a", 1, room.Private), nil, nil)
	t.lists(journal.Query{})
	t.lists(journal.Query{Member: "ada"}, "a")
	t.show(l, card("a", 1, room.Public), nil, nil)
	t.lists(journal.Query{}, "a")
}

func memberCards(t *test) {
	a, b, c := &log{id: "a"}, &log{id: "b"}, &log{id: "c"}
	t.show(a, card("a", 1, room.Public), []room.PersonID{"ada"}, nil)
	t.show(b, card("b", 2, room.Private), []room.PersonID{"ada", "ad"}, nil)
	t.show(c, card("c", 3, room.Private), []room.PersonID{"bob"}, nil)
	t.lists(journal.Query{Member: "ada"}, "b", "a")
	t.lists(journal.Query{Member: "ad"}, "b")
	t.lists(journal.Query{Member: "bob"}, "c")
	t.lists(journal.Query{Member: "nobody"})

	t.show(c, nil, []room.PersonID{"ada"}, nil)
	t.lists(journal.Query{Member: "ada"}, "c", "b", "a")
	t.show(b, nil, nil, []room.PersonID{"ada", "nobody"})
	t.lists(journal.Query{Member: "ada"}, "c", "a")
	t.lists(journal.Query{Member: "ad"}, "b")
	t.show(b, nil, []room.PersonID{"ada", "ada"}, nil)
	t.lists(journal.Query{Member: "ada"}, "c", "b", "a")
	t.lists(journal.Query{}, "a")
}

func memberCardPages(t *test) {
	var want []room.ID
	for i := range 80 {
		id := room.ID(fmt.Sprintf("room-%03d", i))
		t.show(&log{id: id}, card(id, -i, room.Private), []room.PersonID{"ada"}, nil)
		want = append(want, id)
	}
	cards := t.lists(journal.Query{Member: "ada"}, want...)
	t.lists(journal.Query{Member: "ada", After: journal.Position(cards[63])}, want[64:]...)
	t.lists(journal.Query{Member: "ada", After: journal.Position(cards[79])})
}

func woken(t *test) {
	wake := func(l *log, minute int) {
		t.Helper()
		c := card(l.id, 1, room.Private)
		if minute >= 0 {
			c.Wake = begun().Add(time.Duration(minute) * time.Minute)
		}
		t.show(l, c, nil, nil)
	}
	until := func(minute int) journal.Query {
		return journal.Query{Woken: begun().Add(time.Duration(minute) * time.Minute)}
	}
	a, b, c := &log{id: "a"}, &log{id: "b"}, &log{id: "c"}
	wake(a, 20)
	wake(b, 10)
	wake(c, -1)
	t.lists(until(9))
	t.lists(until(10), "b")
	cards := t.lists(until(60), "b", "a")
	if !cards[0].Wake.Equal(begun().Add(10 * time.Minute)) {
		t.Errorf("b wakes at %v", cards[0].Wake)
	}
	wake(b, 30)
	wake(a, -1)
	t.lists(until(29))
	t.lists(until(60), "b")
	wake(b, -1)
	t.lists(until(60))
	t.lists(journal.Query{})
}

func cardsOfConflicts(t *test) {
	l := &log{id: "a"}
	t.show(l, card("a", 1, room.Public), []room.PersonID{"ada"}, nil)
	b := (&log{id: "a"}).batch(1)
	c := card("a", 1, room.Private)
	b.Card, b.Joined, b.Left = c, []room.PersonID{"bob"}, []room.PersonID{"ada"}
	t.conflicts("stale", b)
	t.lists(journal.Query{}, "a")
	t.lists(journal.Query{Member: "ada"}, "a")
	t.lists(journal.Query{Member: "bob"})
}

func refusesCards(t *test) {
	l := &log{id: "a"}
	b := l.batch(1)
	b.Joined = []room.PersonID{"ada"}
	t.refused("a member of a room without a card", b, journal.ErrConflict)
	t.show(l, card("a", 1, room.Public), nil, nil)
	b = l.batch(1)
	b.Card = card("a", 2, room.Public)
	t.refused("a card with another birth", b, journal.ErrConflict)
	for _, p := range []room.PersonID{"", "a\x00b", "a/b"} {
		b = l.batch(1)
		b.Joined = []room.PersonID{p}
		t.refused(fmt.Sprintf("member %q", p), b, journal.ErrConflict)
	}
	t.lists(journal.Query{}, "a")
	t.add(l, 1)
	t.check(l)
}

func reopenedCards(t *test, reopen func()) {
	l, m := &log{id: "a"}, &log{id: "b"}
	c := card("a", 1, room.Public)
	c.Wake = begun()
	t.show(l, c, []room.PersonID{"ada"}, nil)
	t.show(m, card("b", 2, room.Private), []room.PersonID{"ada", "bob"}, nil)
	reopen()
	t.lists(journal.Query{Woken: begun()}, "a")
	t.lists(journal.Query{Member: "ada"}, "b", "a")
	t.lists(journal.Query{}, "a")

	// The indexes must be brought on from what is stored, not from what this process remembers.
	t.show(l, card("a", 1, room.Private), nil, []room.PersonID{"ada"})
	reopen()
	t.lists(journal.Query{Woken: begun()})
	t.lists(journal.Query{Member: "ada"}, "b")
	t.lists(journal.Query{})
	err := t.store.Append(t.Context(), func() journal.Batch {
		b := m.batch(1)
		b.Card = card("b", 3, room.Private)
		return b
	}())
	if err == nil || errors.Is(err, journal.ErrConflict) {
		t.Errorf("a card with another birth after reopening: %v", err)
	}
}
