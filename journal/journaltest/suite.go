// Package journaltest is the suite that every driver of journal.Store passes.
//
// It keeps its own record of what was acknowledged and compares the store with it.
package journaltest

import (
	"context"
	"testing"

	"parley/journal"
)

// T is the part of testing.TB that the suite needs, so that its own tests can watch it fail.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
	Cleanup(f func())
}

// A Driver makes the stores to be tested.
type Driver struct {
	// Open gives a new, empty store. The suite closes it.
	Open func(t T) journal.Store
	// Reopen closes the store and opens what it left behind. It is nil for a store that forgets.
	Reopen func(t T, s journal.Store) journal.Store
}

// Run runs the suite.
func Run(t *testing.T, d Driver) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, d) })
	}
}

type testCase struct {
	name string
	run  func(T, Driver)
}

// A test is one store under test.
type test struct {
	T
	store journal.Store
}

func on(f func(*test)) func(T, Driver) {
	return func(t T, d Driver) {
		s := d.Open(t)
		t.Cleanup(func() { _ = s.Close() })
		f(&test{t, s})
	}
}

func onReopened(f func(*test, func())) func(T, Driver) {
	return func(t T, d Driver) {
		if d.Reopen == nil {
			return
		}
		x := &test{t, d.Open(t)}
		t.Cleanup(func() { _ = x.store.Close() })
		f(x, func() { x.store = d.Reopen(t, x.store) })
	}
}

var cases = []testCase{
	{"AppendAndRead", on(appendAndRead)},
	{"ReadFromEveryOffset", on(readFromEveryOffset)},
	{"ReadNothing", on(readNothing)},
	{"Conflict", on(conflict)},
	{"ConflictWritesNothing", on(conflictWritesNothing)},
	{"RefusesWhatIsNoBatch", on(refusesWhatIsNoBatch)},
	{"BigEntries", on(bigEntries)},
	{"TooBig", on(tooBig)},
	{"PrivateEntries", on(privateEntries)},
	{"UnknownEvents", on(unknownEvents)},
	{"HashChain", on(hashChain)},
	{"SameNameDifferentRoom", on(similarRooms)},
	{"OneRoomManyWriters", on(oneRoomManyWriters)},
	{"ManyRoomsManyWriters", on(manyRoomsManyWriters)},
	{"ReadWhileAppending", on(readWhileAppending)},
	{"LeaveEarly", on(leaveEarly)},
	{"Cancelled", on(cancelled)},
	{"CancelledWhileReading", on(cancelledWhileReading)},
	{"Closed", on(closed)},
	{"CloseWhileUsed", on(closeWhileUsed)},
	{"PublicCards", on(publicCards)},
	{"PublicCardPages", on(publicCardPages)},
	{"CardChanges", on(cardChanges)},
	{"CardVisibility", on(cardVisibility)},
	{"MemberCards", on(memberCards)},
	{"MemberCardPages", on(memberCardPages)},
	{"Woken", on(woken)},
	{"CardsOfConflictsAreNotWritten", on(cardsOfConflicts)},
	{"RefusesCardsNoIndexFollows", on(refusesCards)},
	{"Epoch", epochs},
	{"ReopenedLogs", onReopened(reopenedLogs)},
	{"ReopenedCards", onReopened(reopenedCards)},
}
