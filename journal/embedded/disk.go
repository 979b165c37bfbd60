package embedded

import (
	"fmt"
	"io"
	"path"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A disk is the file system under Pebble. After the first write to the store's folder that fails, it changes nothing
// in that folder any more, so that what is on the disk is what was there at that moment, as after a crash.
//
// Pebble must not see the failure, for it cannot deal with it: it answers an error of the write-ahead log by ending the
// process, sometimes by unlocking what is not locked; it tries a flush again without a pause; and after an error of
// the MANIFEST its tables are not what it thinks. So writes to the write-ahead log seem to succeed (nobody is told that
// they did, for the store has failed before), and everything else waits for ever.
type disk struct {
	vfs.FS
	dir  string
	fail func(error) // halts the disk, but first sees to it that nothing is acknowledged any more

	state atomic.Int32
}

const (
	opening int32 = iota // errors go to Pebble, whose Open returns them, except for those of the folder itself: a panic
	serving              // the first error is the last
	halted               // nothing is written
)

func newDisk(fs vfs.FS, dir string, fail func(error)) *disk {
	return &disk{FS: fs, dir: dir, fail: fail}
}

// serve is called when Pebble is open.
func (d *disk) serve() { d.state.CompareAndSwap(opening, serving) }

// halt is called when the store has failed.
func (d *disk) halt() { d.state.Store(halted) }

func (d *disk) halted() bool { return d.state.Load() == halted }

func (d *disk) ours(name string) bool { return path.Dir(name) == d.dir || name == d.dir }

// isWAL reports whether the file is written on the way of a commit.
func isWAL(name string) bool { return strings.HasSuffix(name, ".log") || path.Base(name) == markFile }

// change runs a change of the file name. lost says that it was not made although err is nil.
func (d *disk) change(op, name string, silent bool, f func() error) (lost bool, err error) {
	if !d.ours(name) {
		return false, f()
	}
	if !d.halted() {
		err = f()
		if err == nil || d.state.Load() == opening && name != d.dir {
			return false, err
		}
		d.fail(fmt.Errorf("%s %s: %w", op, path.Base(name), err))
	}
	if !silent {
		select {} // see above; the process has to end
	}
	return true, nil
}

func (d *disk) file(name string, f vfs.File, lost bool, err error) (vfs.File, error) {
	if lost && err == nil {
		f = nowhere{vfs.NewMemFile(nil)}
	}
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, d: d, name: name, silent: isWAL(name)}, nil
}

// Create is part of vfs.FS. A marker names another file, and Pebble syncs the folder only when both are there: after
// a loss of power just then the marker could be there alone, and the store could not be opened.
func (d *disk) Create(name string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	if d.ours(name) && strings.HasPrefix(path.Base(name), "marker.") {
		if _, err := d.change("sync", d.dir, false, func() error { return syncDir(d.FS, d.dir) }); err != nil {
			return nil, err
		}
	}
	lost, err := d.change("create", name, isWAL(name), func() error { f, err = d.FS.Create(name, c); return err })
	return d.file(name, f, lost, err)
}

// ReuseForWrite is part of vfs.FS.
func (d *disk) ReuseForWrite(from, name string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	lost, err := d.change("reuse", name, isWAL(name), func() error { f, err = d.FS.ReuseForWrite(from, name, c); return err })
	return d.file(name, f, lost, err)
}

// OpenReadWrite is part of vfs.FS.
func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (f vfs.File, err error) {
	lost, err := d.change("open", name, isWAL(name), func() error { f, err = d.FS.OpenReadWrite(name, c, opts...); return err })
	return d.file(name, f, lost, err)
}

// OpenDir is part of vfs.FS. Syncing the folder is part of beginning a new write-ahead log.
func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, d: d, name: name, silent: true}, nil
}

// Link is part of vfs.FS.
func (d *disk) Link(from, name string) error {
	_, err := d.change("link", name, false, func() error { return d.FS.Link(from, name) })
	return err
}

// Rename is part of vfs.FS.
func (d *disk) Rename(from, name string) error {
	_, err := d.change("rename", name, false, func() error { return d.FS.Rename(from, name) })
	return err
}

// Remove is part of vfs.FS. Pebble removes what it no longer needs, so that it fails does no harm.
func (d *disk) Remove(name string) error {
	if d.ours(name) && d.halted() {
		return nil
	}
	return d.FS.Remove(name)
}

// RemoveAll is part of vfs.FS.
func (d *disk) RemoveAll(name string) error {
	if d.ours(name) && d.halted() {
		return nil
	}
	return d.FS.RemoveAll(name)
}

// Lock is part of vfs.FS. The store holds the folder's lock already.
func (d *disk) Lock(string) (io.Closer, error) { return nowhere{}, nil }

// Unwrap is part of vfs.FS.
func (d *disk) Unwrap() vfs.FS { return d.FS }

type diskFile struct {
	vfs.File
	d      *disk
	name   string
	silent bool
}

func (f *diskFile) Write(p []byte) (n int, err error) {
	lost, err := f.d.change("write", f.name, f.silent, func() error { n, err = f.File.Write(p); return err })
	if lost && err == nil {
		return len(p), nil
	}
	return n, err
}

func (f *diskFile) WriteAt(p []byte, off int64) (n int, err error) {
	lost, err := f.d.change("write", f.name, f.silent, func() error { n, err = f.File.WriteAt(p, off); return err })
	if lost && err == nil {
		return len(p), nil
	}
	return n, err
}

func (f *diskFile) Sync() error {
	_, err := f.d.change("sync", f.name, f.silent, f.File.Sync)
	return err
}

func (f *diskFile) SyncData() error {
	_, err := f.d.change("sync", f.name, f.silent, f.File.SyncData)
	return err
}

func (f *diskFile) SyncTo(n int64) (full bool, err error) {
	_, err = f.d.change("sync", f.name, f.silent, func() error { full, err = f.File.SyncTo(n); return err })
	return full, err
}

// nowhere is a file that takes everything and keeps nothing.
type nowhere struct{ vfs.File }

func (nowhere) Close() error                           { return nil }
func (nowhere) Write(p []byte) (int, error)            { return len(p), nil }
func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (nowhere) Sync() error                            { return nil }
func (nowhere) SyncData() error                        { return nil }
func (nowhere) SyncTo(int64) (bool, error)             { return true, nil }
func (nowhere) Preallocate(int64, int64) error         { return nil }
func (nowhere) Prefetch(int64, int64) error            { return nil }
func (nowhere) Fd() uintptr                            { return vfs.InvalidFd }
