package main

import (
	"encoding/binary"
	"hash/crc32"
	"log"
	"os"
	"sync"
	"syscall"
	"time"
)

// A batch is what one sync makes durable; done is closed then.
type batch struct {
	done   chan struct{}
	stamps []time.Time // when its events were appended, in an open loop
}

// A wal is one file and what is waiting to be written to it.
type wal struct {
	f    *os.File
	wake chan struct{}

	mu  sync.Mutex
	buf []byte
	n   int
	cur *batch
	seq uint64

	// of the committer
	events    int
	syncTook  []int64
	latencies []int64
}

func create(name string) (*wal, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	return &wal{f: f, wake: make(chan struct{}, 1), cur: newBatch()}, nil
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

func (w *wal) remove() {
	_ = w.f.Close()
	_ = os.Remove(w.f.Name())
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// append adds an event: 4 bytes of length, 4 of checksum, 8 of sequence number, the payload.
func (w *wal) append(p []byte, stamp time.Time) *batch {
	w.mu.Lock()
	var head [16]byte
	binary.LittleEndian.PutUint32(head[0:], uint32(len(p)))
	binary.LittleEndian.PutUint64(head[8:], w.seq)
	w.seq++
	sum := crc32.Update(crc32.Update(0, castagnoli, head[8:]), castagnoli, p)
	binary.LittleEndian.PutUint32(head[4:], sum)
	w.buf = append(append(w.buf, head[:]...), p...)
	w.n++
	b, first := w.cur, w.n == 1
	if !stamp.IsZero() {
		b.stamps = append(b.stamps, stamp)
	}
	w.mu.Unlock()
	if first {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	return b
}

// take empties the buffer.
func (w *wal) take(spare []byte) (buf []byte, n int, b *batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	buf, n, b = w.buf, w.n, w.cur
	w.buf, w.n, w.cur = spare[:0], 0, newBatch()
	return buf, n, b
}

// commit writes and syncs until wake is closed. A log that fails ends the program: there is nothing to measure.
func (w *wal) commit() {
	var spare []byte
	for range w.wake {
		for {
			buf, n, b := w.take(spare)
			if n == 0 {
				spare = buf
				break
			}
			if err := w.sync(buf); err != nil {
				log.Fatal(err)
			}
			close(b.done)
			w.events += n
			for _, s := range b.stamps {
				w.latencies = append(w.latencies, time.Since(s).Nanoseconds())
			}
			spare = buf
		}
	}
}

func (w *wal) sync(buf []byte) error {
	start := time.Now()
	if _, err := w.f.Write(buf); err != nil {
		return err
	}
	if err := syscall.Fdatasync(int(w.f.Fd())); err != nil {
		return err
	}
	w.syncTook = append(w.syncTook, time.Since(start).Nanoseconds())
	return nil
}
