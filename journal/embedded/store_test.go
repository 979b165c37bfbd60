package embedded_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/journal"
	"parley/journal/embedded"
	"parley/journal/journaltest"
)

// abandoned holds what tests had to leave behind.
var abandoned []goleak.Option

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(abandoned...); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func TestStore(t *testing.T) {
	fss := map[journal.Store]vfs.FS{}
	open := func(t journaltest.T, fs vfs.FS) journal.Store {
		s, err := embedded.Open(embedded.Config{Dir: "store", FS: fs, Memtable: 256 << 10, Heads: 8})
		if err != nil {
			t.Fatalf("%v", err)
		}
		fss[s] = fs
		return s
	}
	journaltest.Run(t, journaltest.Driver{
		Open: func(t journaltest.T) journal.Store { return open(t, vfs.NewMem()) },
		Reopen: func(t journaltest.T, s journal.Store) journal.Store {
			if err := s.Close(); err != nil {
				t.Fatalf("%v", err)
			}
			return open(t, fss[s])
		},
	})
}
