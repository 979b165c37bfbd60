package embedded_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/journal"
	"parley/journal/embedded"
	"parley/room"
)

// BenchmarkAppend has every writer wait for its own append. With fewer rooms than writers, writers take turns.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256} {
		for _, rooms := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("writers=%d/rooms=%d", writers, rooms), func(b *testing.B) {
				benchAppend(b, writers, rooms)
			})
		}
	}
}

type benchRoom struct {
	mu   sync.Mutex
	last room.Offset
	hash room.Hash
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func (r *benchRoom) append(b *testing.B, s journal.Store, id room.ID, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := journal.Batch{Room: id, After: r.last, Prev: r.hash, Entries: []room.Entry{{
		Room: id, Offset: r.last + 1, At: at, By: "person/ada", Cause: "c-123456",
		Event: room.MessagePosted{Name: "Ada", Text: text},
	}}}
	if err := s.Append(b.Context(), batch); err != nil {
		b.Error(err)
	}
	r.last, r.hash = r.last+1, batch.Entries[0].Hash
}

func benchAppend(b *testing.B, writers, rooms int) {
	fs := &syncCounter{FS: vfs.Default}
	s, err := embedded.Open(embedded.Config{Dir: b.TempDir(), FS: fs})
	if err != nil {
		b.Fatal(err)
	}
	logs := make([]benchRoom, rooms)
	text := strings.Repeat("x", 170) // an entry of about 256 bytes
	var left atomic.Int64
	left.Store(int64(b.N))
	took := make([]time.Duration, 0, b.N)
	var mu sync.Mutex
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			mine := make([]time.Duration, 0, b.N/writers+1)
			r := &logs[w%rooms]
			id := room.ID(fmt.Sprintf("room-%d", w%rooms))
			for left.Add(-1) >= 0 {
				start := time.Now()
				r.append(b, s, id, text)
				mine = append(mine, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(fs.syncs.Load())/b.Elapsed().Seconds(), "syncs/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// syncCounter counts the syncs of write-ahead logs.
type syncCounter struct {
	vfs.FS
	syncs atomic.Int64
}

func (c *syncCounter) Create(name string, k vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.Create(name, k)
	if err == nil && strings.HasSuffix(name, ".log") {
		f = countedFile{f, &c.syncs}
	}
	return f, err
}

func (c *syncCounter) ReuseForWrite(from, name string, k vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.ReuseForWrite(from, name, k)
	return countedFile{f, &c.syncs}, err
}

type countedFile struct {
	vfs.File
	syncs *atomic.Int64
}

func (f countedFile) SyncData() error {
	f.syncs.Add(1)
	return f.File.SyncData()
}

func BenchmarkRead(b *testing.B) {
	const n = 10_000
	for _, batch := range []int{1, 10} {
		b.Run(fmt.Sprintf("entries=%d/batch=%d", n, batch), func(b *testing.B) { benchRead(b, n, batch) })
	}
}

func benchRead(b *testing.B, n, batch int) {
	s, err := embedded.Open(embedded.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	l := log{id: "talk"}
	for range n / batch {
		l.add(b, s, batch)
	}
	b.ReportAllocs()
	for b.Loop() {
		got := 0
		for _, err := range s.Read(b.Context(), l.id, 0) {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		if got != n {
			b.Fatalf("%d entries", got)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
