package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/seam"
)

// Open opens the store in a folder, which it makes if need be.
func Open(cfg Config) (*Store, error) {
	if cfg.Dir == "" {
		return nil, errors.New("open the store: no folder given")
	}
	s, err := open(cfg.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", cfg.Dir, err)
	}
	return s, nil
}

func (c Config) withDefaults() Config {
	c.Dir = path.Clean(c.Dir)
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Cache == 0 {
		c.Cache = 64 << 20
	}
	if c.Memtable == 0 {
		c.Memtable = 32 << 20
	}
	if c.Heads == 0 {
		c.Heads = 65536
	}
	return c
}

func open(cfg Config) (_ *Store, err error) {
	s := &Store{
		dir:    cfg.Dir,
		fs:     cfg.FS,
		log:    cfg.Logger,
		heads:  newHeads(cfg.Heads),
		queue:  newQueue(),
		failed: newFailure(),
		ended:  make(chan struct{}),
	}
	s.disk = newDisk(cfg.FS, cfg.Dir, s.fail)
	if err := s.lockFolder(); err != nil {
		return nil, err
	}
	if err := s.openAll(cfg); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	s.disk.serve()
	go s.commitLoop()
	return s, nil
}

func (s *Store) openAll(cfg Config) (err error) {
	o := s.options(cfg)
	if err := s.preflight(o); err != nil {
		return err
	}
	seam.Hit("embedded.open.checked")
	if err := s.openDB(o); err != nil {
		return err
	}
	seam.Hit("embedded.open.replayed")
	if s.epoch, err = readEpoch(s.fs, s.dir); err == nil {
		s.marks, err = openMark(s.disk, s.dir)
	}
	if err != nil {
		return errors.Join(err, s.unlessFailed(s.db.Close))
	}
	return nil
}

// lockFolder takes the folder for this process. Pebble's own lock would stay taken if its Open hangs.
func (s *Store) lockFolder() error {
	if err := s.fs.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	lock, err := s.fs.Lock(s.fs.PathJoin(s.dir, "LOCK"))
	if err != nil {
		return fmt.Errorf("another process has it open (%w): end that one, or give this one a folder of its own", err)
	}
	s.lock = lock
	return nil
}

// openDB opens Pebble, which never returns if it cannot write out what it found in the write-ahead log.
func (s *Store) openDB(o *pebble.Options) error {
	opened := make(chan error, 1)
	go func() {
		db, err := openPebble(s.dir, o)
		s.db = db
		opened <- err
	}()
	select {
	case err := <-opened:
		if err == nil {
			return s.failed.err()
		}
		return s.explain(err)
	case <-s.failed.known:
		return s.failed.err()
	}
}

// openPebble turns a panic into an error: Pebble's answer to a folder that cannot be synced.
func openPebble(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, fmt.Errorf("%v", p)
		}
	}()
	return pebble.Open(dir, o)
}

// epochFile holds the epoch. A checkpoint has no such file, so that opening it begins a history of its own.
const epochFile = "EPOCH"

func readEpoch(fs vfs.FS, dir string) (string, error) {
	epoch, err := readFile(fs, fs.PathJoin(dir, epochFile))
	if oserror.IsNotExist(err) || err == nil && len(epoch) == 0 {
		return writeEpoch(fs, dir)
	}
	return string(epoch), err
}

func writeEpoch(fs vfs.FS, dir string) (string, error) {
	epoch := rand.Text()
	name := fs.PathJoin(dir, epochFile)
	if err := writeFile(fs, name+".new", []byte(epoch)); err != nil {
		return "", err
	}
	if err := fs.Rename(name+".new", name); err != nil {
		return "", err
	}
	return epoch, syncDir(fs, dir)
}

func writeFile(fs vfs.FS, name string, data []byte) error {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
