package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"parley/hub"
	"parley/journal"
	"parley/journal/embedded"
	"parley/room"
)

// A layer appends one event and returns when it is durable. Each writer calls append from its own goroutine.
type layer interface {
	append(writer int) error
	syncs() uint64
	close() error
}

func newLayer(cf *config) (layer, error) {
	switch cf.layer {
	case "hub":
		return newHubLayer(cf)
	case "journal":
		return newJournalLayer(cf)
	case "pebble":
		return newPebbleLayer(cf)
	}
	return nil, fmt.Errorf("unknown layer %q", cf.layer)
}

func openStore(cf *config, fs *countingFS) (*embedded.Store, error) {
	return embedded.Open(embedded.Config{Dir: filepath.Join(cf.dir, "store"), FS: fs, Logger: slog.New(slog.DiscardHandler)})
}

func roomID(i int) room.ID { return room.ID("room" + strconv.Itoa(i)) }

// next picks the room of a writer's next event: writers go round all rooms, each from another one on.
type next struct{ n []paddedInt }

type paddedInt struct {
	v int
	_ [7]int
}

func (x next) room(writer, rooms int) int {
	x.n[writer].v++
	return (writer + x.n[writer].v) % rooms
}

type hubLayer struct {
	cf    *config
	fs    *countingFS
	store *embedded.Store
	hub   *hub.Hub
	next  next
	text  string
}

const writer = room.PersonID("writer")

func newHubLayer(cf *config) (*hubLayer, error) {
	l := &hubLayer{cf: cf, fs: newCountingFS(), next: next{make([]paddedInt, cf.writers)}, text: strings.Repeat("x", cf.size)}
	var err error
	if l.store, err = openStore(cf, l.fs); err != nil {
		return nil, err
	}
	if l.hub, err = hub.New(hub.Config{Store: l.store, IdleAfter: time.Hour}); err != nil {
		return nil, err
	}
	return l, makeRooms(l.hub, cf.rooms)
}

// makeRooms creates the rooms at the same time, and joins a writer to each.
func makeRooms(h *hub.Hub, n int) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, errs[i] = h.Do(background, roomID(i), room.Meta{By: room.System}, room.Create{Epoch: hub.NewEpoch(), Name: "bench"}); errs[i] == nil {
				_, errs[i] = h.Do(background, roomID(i), room.Meta{By: room.PersonIdentity(writer)}, room.Join{Name: "Writer"})
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (l *hubLayer) append(w int) error {
	id := roomID(l.next.room(w, l.cf.rooms))
	_, err := l.hub.Do(background, id, room.Meta{By: room.PersonIdentity(writer)}, room.PostMessage{Text: l.text})
	return err
}

func (l *hubLayer) syncs() uint64 { return l.fs.count() }

func (l *hubLayer) close() error { return errors.Join(l.hub.Close(), l.store.Close()) }

// journalLayer appends to rooms without a hub: a lock per room stands in for the actor.
type journalLayer struct {
	cf    *config
	fs    *countingFS
	store *embedded.Store
	next  next
	text  string
	logs  []journalLog
}

type journalLog struct {
	mu   sync.Mutex
	head room.Offset
	hash room.Hash
}

func newJournalLayer(cf *config) (*journalLayer, error) {
	l := &journalLayer{cf: cf, fs: newCountingFS(), next: next{make([]paddedInt, cf.writers)}, text: strings.Repeat("x", cf.size), logs: make([]journalLog, cf.rooms)}
	var err error
	l.store, err = openStore(cf, l.fs)
	return l, err
}

func (l *journalLayer) append(w int) error {
	i := l.next.room(w, l.cf.rooms)
	log := &l.logs[i]
	log.mu.Lock()
	defer log.mu.Unlock()
	b := journal.Batch{Room: roomID(i), After: log.head, Prev: log.hash, Entries: []room.Entry{{
		Room: roomID(i), Offset: log.head + 1, At: time.Now(), By: room.PersonIdentity(writer), Cause: "bench",
		Event: room.MessagePosted{Name: "Writer", Text: l.text},
	}}}
	if err := l.store.Append(background, b); err != nil {
		return err
	}
	log.head, log.hash = log.head+1, b.Entries[0].Hash
	return nil
}

func (l *journalLayer) syncs() uint64 { return l.fs.count() }

func (l *journalLayer) close() error { return l.store.Close() }

// pebbleLayer is Pebble as it is, with its own grouping of commits.
type pebbleLayer struct {
	fs   *countingFS
	db   *pebble.DB
	seq  atomic.Uint64
	text []byte
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

func newPebbleLayer(cf *config) (*pebbleLayer, error) {
	l := &pebbleLayer{fs: newCountingFS(), text: bytes.Repeat([]byte("x"), cf.size)}
	var err error
	l.db, err = pebble.Open(filepath.Join(cf.dir, "pebble"), &pebble.Options{
		FS: l.fs, MemTableSize: 32 << 20, MemTableStopWritesThreshold: 4, FormatMajorVersion: pebble.FormatNewest, Logger: quiet{},
	})
	return l, err
}

func (l *pebbleLayer) append(int) error {
	var key [9]byte
	key[0] = 'e'
	binary.BigEndian.PutUint64(key[1:], l.seq.Add(1))
	return l.db.Set(key[:], l.text, pebble.Sync)
}

func (l *pebbleLayer) syncs() uint64 { return l.fs.count() }

func (l *pebbleLayer) close() error { return l.db.Close() }
