package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"parley/journal"
	"parley/journal/journaltest"
	"parley/journal/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	journaltest.Run(t, journaltest.Driver{
		Open: func(journaltest.T) journal.Store { return memory.New() },
	})
}
