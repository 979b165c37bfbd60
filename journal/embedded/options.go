package embedded

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

func (s *Store) options(cfg Config) *pebble.Options {
	o := &pebble.Options{
		FS:                    s.disk,
		CacheSize:             cfg.Cache,
		MemTableSize:          cfg.Memtable,
		L0CompactionThreshold: 4,
		// Appends go on while compaction is behind: reads of an old room get slower before they do.
		MemTableStopWritesThreshold: 4,
		L0StopWritesThreshold:       40,
		LBaseMaxBytes:               64 << 20,
		MaxManifestFileSize:         16 << 20,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      logger{s},
		EventListener:               s.listener(),
	}
	// The newest records leave the upper levels soon; compressing them there costs more than it spares.
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	return o
}

func (s *Store) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: s.background,
		ManifestCreated: func(i pebble.ManifestCreateInfo) { s.manifest.Store(i.Err == nil) },
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			s.log.Error("the store is damaged", "store", s.dir, "file", i.Path, "error", i.Details)
		},
		DiskSlow: func(i pebble.DiskSlowInfo) {
			s.log.Warn("the disk is slow", "store", s.dir, "file", i.Path, "took", i.Duration)
		},
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
			s.log.Warn("appends wait for the disk", "store", s.dir, "reason", i.Reason)
		},
		WriteStallEnd: func() { s.log.Info("appends go on", "store", s.dir) },
		LowDiskSpace: func(i pebble.LowDiskSpaceInfo) {
			s.log.Warn("the disk is nearly full", "store", s.dir, "free", i.AvailBytes)
		},
	}
}

// background hears of flushes and compactions that failed. Pebble tries them again at once and for ever, and while it
// opens nobody else can stop it.
func (s *Store) background(err error) {
	s.log.Error("pebble", "store", s.dir, "error", err)
	if pebble.IsCorruptionError(err) {
		return // of a table that is read: what it holds is refused when asked for
	}
	s.fail(err)
}

// fail ends all writing, after it saw to it that nothing is acknowledged any more. It may be called by any goroutine
// of Pebble's, whatever that has locked.
func (s *Store) fail(err error) {
	first := s.failed.set(err)
	s.disk.halt()
	if first {
		s.log.Error("the store failed", "store", s.dir, "error", err)
	}
}

// logger passes Pebble's errors on. A fatal one makes the store fail; by default Pebble would end the process.
type logger struct{ s *Store }

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.s.log.Error("pebble", "store", l.s.dir, "error", fmt.Sprintf(format, args...))
}

func (l logger) Fatalf(format string, args ...any) { l.s.fail(fmt.Errorf(format, args...)) }

// quiet is for opening to look only.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}
