package embedded_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/journal"
)

// TestPowerLossIsSeen plants bugs under and over the store, and wants the losses of power to show each.
func TestPowerLossIsSeen(t *testing.T) {
	for name, open := range map[string]func(vfs.FS, string) (journal.Store, error){
		"acknowledged without a sync": func(fs vfs.FS, dir string) (journal.Store, error) {
			return openSmall(unsynced{fs}, dir)
		},
		"acknowledged before the commit": wrapped(func(s journal.Store) journal.Store { return newHasty(s) }),
		"batches taken apart":            wrapped(func(s journal.Store) journal.Store { return torn{s} }),
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(200) {
				if _, err := newLife(seed, open).live(); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Error("not seen in 200 lives of a store")
		})
	}
}

func wrapped(f func(journal.Store) journal.Store) func(vfs.FS, string) (journal.Store, error) {
	return func(fs vfs.FS, dir string) (journal.Store, error) {
		s, err := openSmall(fs, dir)
		if err != nil {
			return nil, err
		}
		return f(s), nil
	}
}

// unsynced is a disk whose write-ahead logs are never synced, as pebble.NoSync would have it.
type unsynced struct{ vfs.FS }

func (u unsynced) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := u.FS.Create(name, c)
	if err == nil && strings.HasSuffix(name, ".log") {
		f = unsyncedFile{f}
	}
	return f, err
}

func (u unsynced) ReuseForWrite(from, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := u.FS.ReuseForWrite(from, name, c)
	return unsyncedFile{f}, err
}

type unsyncedFile struct{ vfs.File }

func (unsyncedFile) Sync() error     { return nil }
func (unsyncedFile) SyncData() error { return nil }

// hasty acknowledges what it has only taken on.
type hasty struct {
	journal.Store
	todo chan journal.Batch
	done chan error
}

func newHasty(s journal.Store) *hasty {
	h := &hasty{s, make(chan journal.Batch, 1000), make(chan error, 1)}
	go func() {
		var err error
		for b := range h.todo {
			if err == nil {
				err = h.Store.Append(context.Background(), b)
			}
		}
		h.done <- err
	}()
	return h
}

func (h *hasty) Append(_ context.Context, b journal.Batch) error {
	b.Entries = slices.Clone(b.Entries)
	h.todo <- b
	return nil
}

func (h *hasty) Close() error {
	close(h.todo)
	if err := <-h.done; err != nil {
		return err
	}
	return h.Store.Close()
}

// torn writes the entries of a batch one by one.
type torn struct{ journal.Store }

func (s torn) Append(ctx context.Context, b journal.Batch) error {
	entries := b.Entries
	for i := range entries {
		b.Entries = entries[i : i+1]
		if err := s.Store.Append(ctx, b); err != nil {
			return err
		}
		b.After, b.Prev, b.Card, b.Joined = entries[i].Offset, entries[i].Hash, nil, nil
	}
	return nil
}
