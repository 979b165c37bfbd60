package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"parley/journal"
	"parley/journal/embedded"
	"parley/room"
)

// Losing power is simulated on a file system that knows what was synced: at a random write, sync, rename or removal
// anywhere (in a commit, a flush, a compaction, a checkpoint, or in opening after an earlier loss) it is copied with
// everything synced and a random part of the rest, block by block. What the copy holds when it is opened is compared
// with what the writers know to have been acknowledged before.
//
// Each seed is one life of a store, with several losses in it. A failure names its seed; POWERLOSS_SEED runs only that.

const (
	shortCrashes = 2_000
	raceCrashes  = 500 // with the race detector each takes five times as long
	soakCrashes  = 100_000
	crashesALife = 20
)

func TestPowerLoss(t *testing.T) {
	want := shortCrashes
	if raceEnabled {
		want = raceCrashes
	}
	if os.Getenv("SOAK") != "" {
		want = soakCrashes
	}
	first, only := uint64(1), false
	if s := os.Getenv("POWERLOSS_SEED"); s != "" {
		_, err := fmt.Sscan(s, &first)
		if err != nil {
			t.Fatal(err)
		}
		only = true
	}
	start, crashes := time.Now(), 0
	tally := map[string]int{}
	for seed := first; crashes < want; seed++ {
		l := newLife(seed, openSmall)
		n, err := l.live()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		crashes += n
		for what, n := range l.seen {
			tally[what] += n
		}
		if only {
			break
		}
	}
	t.Logf("%d losses of power in %v; %v", crashes, time.Since(start).Round(time.Millisecond), tally)
	for _, what := range []string{"lost", "kept", "opening", "checkpoint", "backup"} {
		if tally[what] == 0 && !only {
			t.Errorf("no loss of power was of the kind %q", what)
		}
	}
}

// openSmall opens a store that flushes and compacts all the time.
func openSmall(fs vfs.FS, dir string) (journal.Store, error) {
	return embedded.Open(embedded.Config{Dir: dir, FS: fs, Logger: silent(), Cache: 64 << 10, Memtable: 16 << 10, Heads: 2})
}

// A life is one store, its writers, and the losses of power it suffers.
type life struct {
	seed uint64
	open func(vfs.FS, string) (journal.Store, error)
	rng  *rand.Rand

	noting sync.Mutex
	seen   map[string]int // what kinds of losses there were

	mu      sync.Mutex
	writers []*writer
	backups int // checkpoints begun
	crashes []crash
}

// A crash is what a loss of power left behind, and what had been acknowledged before it.
type crash struct {
	fs     *vfs.MemFS
	acked  map[room.ID]int
	backup bool // a checkpoint had been acknowledged
	during string
}

func newLife(seed uint64, open func(vfs.FS, string) (journal.Store, error)) *life {
	l := &life{seed: seed, open: open, rng: rand.New(rand.NewPCG(seed, 1)), seen: map[string]int{}}
	for i := range 3 {
		l.writers = append(l.writers, &writer{
			id: room.ID(fmt.Sprintf("room-%d", i)), rng: rand.New(rand.NewPCG(seed, 2+uint64(i))), ends: map[int]bool{0: true},
		})
	}
	return l
}

func (l *life) note(what string) {
	l.noting.Lock()
	defer l.noting.Unlock()
	l.seen[what]++
}

// live runs generations: each works on what a crash of the one before left.
func (l *life) live() (crashes int, err error) {
	fs := vfs.NewCrashableMem()
	for generation := range 3 {
		l.crashes = nil
		if err := l.generation(fs); err != nil {
			return crashes, fmt.Errorf("generation %d: %w", generation, err)
		}
		for i, c := range l.crashes {
			if err := l.check(c); err != nil {
				return crashes, fmt.Errorf("generation %d, crash %d, during %s: %w", generation, i, c.during, err)
			}
			crashes++
		}
		if len(l.crashes) == 0 {
			break
		}
		c := l.crashes[l.rng.IntN(len(l.crashes))]
		if err := l.rewind(c); err != nil {
			return crashes, err
		}
		fs = c.fs
	}
	return crashes, nil
}

// generation opens the store, lets the writers work, and copies the disk at random points of all that.
func (l *life) generation(mem *vfs.MemFS) error {
	next, during := 1+l.rng.IntN(40), "opening"
	var ops int
	rng := rand.New(rand.NewPCG(l.seed, 99))
	hook := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
			return nil
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if ops++; ops == next && len(l.crashes) < crashesALife/2 {
			l.crash(mem, rng, during)
			next += 1 + rng.IntN(40)
		}
		return nil
	})
	s, err := l.open(errorfs.Wrap(mem, hook), "store")
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	l.mu.Lock()
	during = "running"
	l.mu.Unlock()
	err = l.work(s, func(what string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		during = what
	})
	return errors.Join(err, s.Close())
}

// work has every writer append, each in a goroutine, and makes a checkpoint meanwhile.
func (l *life) work(s journal.Store, during func(string)) error {
	errs := make([]error, len(l.writers)+1)
	var wg sync.WaitGroup
	for i, w := range l.writers {
		wg.Go(func() { errs[i] = l.write(s, w) })
	}
	if c, ok := s.(interface{ Checkpoint(string) error }); ok && l.rng.IntN(3) == 0 {
		wg.Go(func() {
			during("checkpoint")
			errs[len(l.writers)] = c.Checkpoint(fmt.Sprintf("backup-%d", l.backups))
			l.mu.Lock()
			l.backups++
			l.mu.Unlock()
			during("running")
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// crash copies the disk. Its caller holds mu, so nothing is acknowledged between the count and the copy that is not
// counted.
func (l *life) crash(mem *vfs.MemFS, rng *rand.Rand, during string) {
	c := crash{acked: map[room.ID]int{}, during: during, backup: l.backups > 0}
	for _, w := range l.writers {
		c.acked[w.id] = w.acked
	}
	percent := []int{0, 0, 10, 50, 90, 100}[rng.IntN(6)]
	c.fs = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
	l.crashes = append(l.crashes, c)
	l.note(during)
}

// check opens what a crash left, and compares. A part of the time power is lost again while opening.
func (l *life) check(c crash) error {
	fs := c.fs
	var again *vfs.MemFS
	left := -1
	if l.rng.IntN(4) == 0 {
		left = l.rng.IntN(30)
	}
	rng := rand.New(rand.NewPCG(l.seed, 7))
	copied := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
	hook := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			l.mu.Lock()
			defer l.mu.Unlock()
			if left--; left == 0 {
				again = copied.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
				l.note("again")
			}
		}
		return nil
	})
	if err := l.compare(errorfs.Wrap(copied, hook), "store", c.acked); err != nil {
		return err
	}
	if again != nil {
		if err := l.compare(again, "store", c.acked); err != nil {
			return fmt.Errorf("after another loss while opening: %w", err)
		}
	}
	return l.checkBackups(c)
}

// checkBackups wants every checkpoint under its final name to be whole.
func (l *life) checkBackups(c crash) error {
	for i := range l.backups {
		dir := fmt.Sprintf("backup-%d", i)
		if names, err := c.fs.List(dir); err != nil || len(names) == 0 {
			continue
		}
		l.note("backup")
		copied := c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: l.rng})
		if err := l.compare(copied, dir, nil); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	return nil
}

// rewind lets the writers go on from what the crash left.
func (l *life) rewind(c crash) error {
	l.crashes, l.backups = nil, l.backups+1
	copied := c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: l.rng})
	s, err := l.open(copied, "store")
	if err != nil {
		return err
	}
	for _, w := range l.writers {
		n := 0
		for _, err := range s.Read(context.Background(), w.id, 0) {
			if err != nil {
				return err
			}
			n++
		}
		w.tried, w.acked = w.tried[:n], n
		for end := range w.ends {
			if end > n {
				delete(w.ends, end)
			}
		}
	}
	return s.Close()
}
