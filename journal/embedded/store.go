// Package embedded is the journal in one folder of this machine, on Pebble.
//
// All rooms share one write-ahead log. Appends that wait at the same time, whatever their rooms, are committed
// together with one fsync, and each is acknowledged only after it: while one group is being synced the next one
// gathers, without a timer. Within a room appends are ordered by compare-and-swap on the offset; groups are committed
// one after the other, so a record in the write-ahead log proves that every group before its own was synced.
//
// Read shows only what is durable; a Card may be shown while it is being made so. A write or fsync that fails makes the Store fail for good: nothing is acknowledged
// from then on and nothing more is written, while reading goes on. Opening the folder again finds everything that was
// acknowledged.
//
// One process may have the folder open. Damage is found by the hash chain and by Pebble's checksums, and is named by
// room and offset.
package embedded

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/journal"
)

// A Config says where the store is and how large it may grow in memory. Only Dir is needed.
type Config struct {
	Dir      string
	FS       vfs.FS       // default vfs.Default
	Logger   *slog.Logger // default slog.Default(); errors and stalls only
	Cache    int64        // bytes of blocks kept in memory; default 64 MiB
	Memtable uint64       // bytes of a table in memory before it is written out; default 32 MiB, up to four of them
	Heads    int          // rooms whose ends are remembered; default 65536
}

// A Store keeps logs in a folder. Its methods may be called from any goroutine.
type Store struct {
	dir    string
	fs     vfs.FS
	disk   *disk // fs, until a write fails
	lock   io.Closer
	marks  vfs.File
	mark   [markSize]byte // the committer's
	log    *slog.Logger
	epoch  string
	db     *pebble.DB
	heads  *heads
	queue  *queue
	flight flight
	failed *failure
	ended  chan struct{} // closed when the committer has ended

	writing  sync.Mutex   // held while a record of the write-ahead log is unsynced: there is one at a time
	saving   sync.Mutex   // held while a checkpoint is made
	manifest atomic.Bool  // Pebble has begun a MANIFEST since it was opened
	using    sync.RWMutex // held for reading by whoever uses db
	closed   bool
}

var _ journal.Store = (*Store)(nil)

// Epoch names this store's history. A checkpoint has another one as soon as it is opened.
func (s *Store) Epoch() string { return s.epoch }

// Close commits what is waiting, ends, and releases the folder. It may be called again. A store that has failed says so
// here again, and keeps its memory until the process ends.
func (s *Store) Close() error {
	s.queue.close()
	<-s.ended
	s.using.Lock()
	defer s.using.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := errors.Join(s.unlessFailed(s.db.Close), s.marks.Close(), s.lock.Close()); err != nil {
		return fmt.Errorf("close %s: %w", s.dir, err)
	}
	return nil
}

// unlessFailed runs f of Pebble's, which does not end if the store fails meanwhile.
func (s *Store) unlessFailed(f func() error) error {
	if err := s.failed.err(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- f() }()
	select {
	case err := <-ended:
		return err
	case <-s.failed.known:
		return s.failed.err()
	}
}

// use keeps the database open until the function it returns is called.
func (s *Store) use() (done func(), err error) {
	s.using.RLock()
	if s.closed {
		s.using.RUnlock()
		return nil, journal.ErrClosed
	}
	return s.using.RUnlock, nil
}
