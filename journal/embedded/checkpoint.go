package embedded

import (
	"fmt"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2"

	"parley/seam"
)

// Checkpoint copies the store as it is into a folder that must not exist yet or be empty, while it goes on working:
// the copy holds every append that was acknowledged before. On the same disk it costs little, as tables are linked and
// not copied. The folder appears under its name when the copy is whole. A store opened from it has another epoch.
func (s *Store) Checkpoint(dir string) error {
	if err := s.checkpoint(dir); err != nil {
		return fmt.Errorf("checkpoint of %s in %s: %w", s.dir, dir, err)
	}
	return nil
}

func (s *Store) checkpoint(dir string) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	names, err := s.fs.List(dir)
	exists := err == nil
	if err != nil && !oserror.IsNotExist(err) {
		return err
	}
	if len(names) > 0 {
		return fmt.Errorf("the folder is not empty: choose another one")
	}
	partial := dir + ".partial"
	if err := s.fs.RemoveAll(partial); err != nil && !oserror.IsNotExist(err) {
		return err
	}
	seam.Hit("embedded.checkpoint.before")
	err = s.unlessFailed(func() error {
		if err := s.touch(); err != nil {
			return err
		}
		return s.db.Checkpoint(partial)
	})
	if err != nil {
		return err
	}
	seam.Hit("embedded.checkpoint.copied")
	if exists {
		if err := s.fs.Remove(dir); err != nil {
			return err
		}
	}
	if err := s.fs.Rename(partial, dir); err != nil {
		return err
	}
	return syncDir(s.fs, s.fs.PathDir(dir))
}

// touch has Pebble begin a MANIFEST if it has not since it was opened: until then its Checkpoint copies an empty one,
// and reports success.
func (s *Store) touch() error {
	if s.manifest.Load() {
		return nil
	}
	s.writing.Lock()
	err := s.db.Set([]byte{prefixTouch}, nil, pebble.Sync)
	s.writing.Unlock()
	if err == nil {
		err = s.db.Flush()
	}
	if err == nil && !s.manifest.Load() {
		err = fmt.Errorf("no MANIFEST after a flush")
	}
	return err
}
