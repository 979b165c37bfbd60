package embedded_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/journal"
)

// TestOneProcess is on a real disk, where the lock is the kernel's.
func TestOneProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "store")
	s := mustOpen(t, vfs.Default, dir)
	l := &log{id: "talk"}
	l.add(t, s, 3)
	_, err := openSmall(vfs.Default, dir)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("open twice: %v", err)
	}
	l.add(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, vfs.Default, dir)
	if n := count(t, s, l.id); n != 4 {
		t.Errorf("%d entries", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenSaysWhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", file, filepath.Join(file, "below")} {
		if s, err := openSmall(vfs.Default, dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("open %q: %v, %v", dir, s, err)
		}
	}
}

func TestCheckpoint(t *testing.T) {
	base := t.TempDir()
	s := mustOpen(t, vfs.Default, filepath.Join(base, "store"))
	l, m := &log{id: "talk"}, &log{id: "other"}
	l.add(t, s, 10)
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			b := m.batch(3)
			if err := s.Append(context.Background(), b); err != nil {
				ended <- err
				return
			}
			m.took(b)
		}
	}()
	backup := filepath.Join(base, "backup")
	if err := os.Mkdir(backup, 0o700); err != nil { // an empty one is welcome
		t.Fatal(err)
	}
	if err := s.Checkpoint(backup); err != nil {
		t.Fatal(err)
	}
	if err := s.Checkpoint(backup); err == nil || !strings.Contains(err.Error(), backup) {
		t.Errorf("checkpoint over another one: %v", err)
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	l.add(t, s, 1)
	b := mustOpen(t, vfs.Default, backup)
	if n := count(t, b, l.id); n != 10 {
		t.Errorf("the backup has %d entries", n)
	}
	if b.Epoch() == s.Epoch() {
		t.Errorf("the backup has the epoch of its original")
	}
	if names, _ := filepath.Glob(filepath.Join(base, "*.partial")); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	closeAll(t, s, b)
}

// TestCheckpointOfAnIdleStore is what a backup command does: open, copy, close. Pebble's own checkpoint is empty then.
func TestCheckpointOfAnIdleStore(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, "store")
	l := &log{id: "talk"}
	l.add(t, s, 10)
	closeAll(t, s)
	for _, dir := range []string{"one", "two", "three"} {
		s = mustOpen(t, fs, "store")
		if err := s.Checkpoint(dir); err != nil {
			t.Fatal(err)
		}
		b := mustOpen(t, fs, dir)
		if n := count(t, b, l.id); n != 10 {
			t.Errorf("%s has %d entries", dir, n)
		}
		closeAll(t, s, b)
	}
}

func TestCheckpointAfterClose(t *testing.T) {
	s := mustOpen(t, vfs.NewMem(), "store")
	closeAll(t, s)
	if err := s.Checkpoint("backup"); err == nil {
		t.Error("made a checkpoint of a closed store")
	}
}

func closeAll(t *testing.T, stores ...journal.Store) {
	t.Helper()
	for _, s := range stores {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
