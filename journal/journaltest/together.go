package journaltest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"parley/journal"
	"parley/room"
)

// each runs f for 0..n-1 at once and reports the first error.
func (t *test) each(n int, f func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("%v", err)
	}
}

// oneRoomManyWriters is what several nodes do: read the tail, append, read again on a conflict.
func oneRoomManyWriters(t *test) {
	const writers, appends = 8, 20
	t.each(writers, func(i int) error {
		l := &log{id: "talk"}
		for n := range appends {
			if err := t.appendBehindOthers(l, fmt.Sprintf("%d-%d", i, n)); err != nil {
				return err
			}
		}
		return nil
	})
	entries, err := t.read("talk", 0)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	l, seen := &log{id: "talk"}, map[string]int{}
	for i, e := range entries {
		if e.Offset != room.Offset(i+1) {
			t.Fatalf("offset %d at place %d", e.Offset, i+1)
		}
		seen[e.Cause]++
		if err := l.took(journal.Batch{Entries: []room.Entry{e}}); err != nil {
			t.Fatalf("%v", err)
		}
	}
	for i := range writers {
		for n := range appends {
			if c := fmt.Sprintf("%d-%d", i, n); seen[c] != 1 {
				t.Errorf("%s was acknowledged once and is there %d times", c, seen[c])
			}
		}
	}
	if len(entries) != writers*appends {
		t.Errorf("%d entries, want %d", len(entries), writers*appends)
	}
}

func (t *test) appendBehindOthers(l *log, cause string) error {
	for {
		b := l.batch(1)
		b.Entries[0].Cause = cause
		err := t.store.Append(t.Context(), b)
		if err == nil {
			return l.took(b)
		}
		if !errors.Is(err, journal.ErrConflict) {
			return err
		}
		before := l.last()
		tail, err := t.read(l.id, before)
		if err == nil {
			err = l.took(journal.Batch{Entries: tail})
		}
		if err == nil && l.last() == before {
			err = fmt.Errorf("a conflict at %d, yet nothing follows", before)
		}
		if err != nil {
			return err
		}
	}
}

func manyRoomsManyWriters(t *test) {
	const rooms = 40
	logs := make([]*log, rooms)
	t.each(rooms, func(i int) error {
		l := &log{id: room.ID(fmt.Sprintf("room-%d", i))}
		logs[i] = l
		for n := range 10 {
			b := l.batch(1 + n%3)
			if err := t.store.Append(t.Context(), b); err != nil {
				return err
			}
			if err := l.took(b); err != nil {
				return err
			}
		}
		return nil
	})
	for _, l := range logs {
		t.check(l)
	}
}

// readWhileAppending wants every read to see at least what was acknowledged before it, in order.
func readWhileAppending(t *test) {
	var mu sync.Mutex
	l := &log{id: "talk"}
	known := func() room.Offset {
		mu.Lock()
		defer mu.Unlock()
		return l.last()
	}
	write := func() error {
		for n := range 150 {
			b := l.batch(1 + n%4)
			if err := t.store.Append(t.Context(), b); err != nil {
				return err
			}
			mu.Lock()
			err := l.took(b)
			mu.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	}
	written := make(chan struct{})
	t.each(3, func(i int) error {
		if i == 0 {
			defer close(written)
			return write()
		}
		for {
			select {
			case <-written:
				return nil
			default:
			}
			before := known()
			if err := t.readsUpTo(l.id, before/room.Offset(i), before); err != nil {
				return err
			}
		}
	})
	t.check(l)
}

func (t *test) readsUpTo(id room.ID, after, known room.Offset) error {
	entries, err := t.read(id, after)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if e.Offset != after+1+room.Offset(i) {
			return fmt.Errorf("offset %d follows %d", e.Offset, after+room.Offset(i))
		}
	}
	if last := after + room.Offset(len(entries)); last < known {
		return fmt.Errorf("read up to %d, but %d was acknowledged before", last, known)
	}
	return nil
}

func leaveEarly(t *test) {
	l := &log{id: "talk"}
	for range 5 {
		t.add(l, 40)
	}
	for stop := range 100 {
		n := 0
		for _, err := range t.store.Read(t.Context(), l.id, room.Offset(stop)) {
			if err != nil {
				t.Fatalf("read: %v", err)
			}
			if n++; n > stop {
				break
			}
		}
	}
	t.add(l, 1)
	t.check(l)
	if err := t.store.Close(); err != nil {
		t.Errorf("close after leaving early: %v", err)
	}
}

// cancelled wants an append that was given up to be there whole or not at all, and the log to go on.
func cancelled(t *test) {
	l := &log{id: "talk"}
	t.add(l, 1)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		b := l.batch(3)
		go cancel()
		err := t.store.Append(ctx, b)
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("append: %v", err)
		}
		t.settle(l, b, err == nil)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := l.batch(1)
	if err := t.store.Append(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("append with a context that has ended: %v", err)
	}
	t.settle(l, b, false)
	t.check(l)
}

// settle finds out whether b landed by appending behind it, as its outcome may still be on its way.
func (t *test) settle(l *log, b journal.Batch, acknowledged bool) {
	t.Helper()
	next := &log{id: l.id, entries: l.entries, hash: l.hash}
	mark := next.batch(1)
	mark.Entries[0].Cause = "mark"
	err := t.store.Append(t.Context(), mark)
	if err == nil && acknowledged {
		t.Fatalf("append after %d: acknowledged twice", l.last())
	}
	if err == nil {
		b = mark
	} else if !errors.Is(err, journal.ErrConflict) {
		t.Fatalf("append: %v", err)
	}
	if err := l.took(b); err != nil {
		t.Fatalf("%v", err)
	}
	t.check(l)
}

func cancelledWhileReading(t *test) {
	l := &log{id: "talk"}
	for range 30 {
		t.add(l, 100)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range t.store.Read(ctx, l.id, 0) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("read: %v", err)
			}
			return
		}
		if n++; n == 10 {
			cancel()
		}
	}
	t.Errorf("read of %d entries did not notice that its context ended after 10", n)
}

func closed(t *test) {
	l := &log{id: "talk"}
	t.add(l, 1)
	for range 2 {
		if err := t.store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := t.store.Append(t.Context(), l.batch(1)); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if _, err := t.read(l.id, 0); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	var err error
	for _, err = range t.store.Cards(t.Context(), journal.Query{}) {
		break
	}
	if !errors.Is(err, journal.ErrClosed) {
		t.Errorf("cards after close: %v", err)
	}
}

// closeWhileUsed wants Close to let running calls end, and later ones to be refused.
func closeWhileUsed(t *test) {
	const writers, before = 4, 3
	var started sync.WaitGroup
	started.Add(writers)
	t.each(writers+1, func(i int) error {
		if i == writers {
			started.Wait()
			return t.store.Close()
		}
		l := &log{id: room.ID(fmt.Sprintf("room-%d", i))}
		var once sync.Once
		defer once.Do(started.Done)
		for n := 0; ; n++ {
			if n == before {
				once.Do(started.Done)
			}
			if err := t.appendAndReadBack(l); err != nil {
				return only(journal.ErrClosed, err)
			}
		}
	})
}

func (t *test) appendAndReadBack(l *log) error {
	b := l.batch(1)
	if err := t.store.Append(t.Context(), b); err != nil {
		return err
	}
	if err := l.took(b); err != nil {
		return err
	}
	_, err := t.read(l.id, 0)
	return err
}

func only(want, err error) error {
	if errors.Is(err, want) {
		return nil
	}
	return err
}
