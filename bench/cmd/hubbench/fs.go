package main

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A countingFS is the real file system; it counts the syncs of files.
type countingFS struct {
	vfs.FS
	n *atomic.Uint64
}

func newCountingFS() *countingFS { return &countingFS{vfs.Default, new(atomic.Uint64)} }

func (fs *countingFS) count() uint64 { return fs.n.Load() }

func (fs *countingFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.wrap(fs.FS.Create(name, c))
}

func (fs *countingFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.wrap(fs.FS.ReuseForWrite(from, to, c))
}

func (fs *countingFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return fs.wrap(fs.FS.OpenReadWrite(name, c, opts...))
}

func (fs *countingFS) wrap(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &countingFile{f, fs.n}, nil
}

type countingFile struct {
	vfs.File
	n *atomic.Uint64
}

func (f *countingFile) Sync() error {
	f.n.Add(1)
	return f.File.Sync()
}

func (f *countingFile) SyncData() error {
	f.n.Add(1)
	return f.File.SyncData()
}
