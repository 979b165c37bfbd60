package embedded

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"

	"parley/journal"
	"parley/room"
)

// preflight looks at the logs before Pebble does, for Pebble takes damage at their ends for torn writes, drops what
// follows and deletes the file. Nothing has been changed when it fails.
func (s *Store) preflight(o *pebble.Options) error {
	if err := checkManifest(s.fs, s.dir); err != nil {
		return err
	}
	logs, err := wal.Scan(wal.Dir{FS: s.fs, Dirname: s.dir})
	if err != nil {
		return err
	}
	m, marked, err := readMark(s.fs, s.dir)
	if err != nil {
		return err
	}
	sc := scan{mark: m, ends: map[room.ID]room.Offset{}}
	if n := len(logs); n > 0 {
		if err := sc.newest(logs[n-1]); err != nil {
			return err
		}
	}
	if !marked || sc.ends[m.room] >= m.last {
		return nil
	}
	return s.reaches(o, m)
}

func checkManifest(fs vfs.FS, dir string) error {
	desc, err := pebble.Peek(dir, fs)
	if err != nil || !desc.Exists {
		return err
	}
	data, err := readFile(fs, desc.ManifestFilename)
	if err != nil {
		return err
	}
	l := logFile{data: data}
	at := l.records(func(int, []byte) {})
	if at < len(data) && l.damagedAt(at) {
		return fmt.Errorf("%s is damaged at byte %d: restore a backup: %w", desc.ManifestFilename, at, room.ErrDamaged)
	}
	return nil
}

// reaches opens the database without changing it and looks whether the log of the marked room goes up to the mark.
func (s *Store) reaches(o *pebble.Options, m mark) error {
	readOnly := *o
	readOnly.ReadOnly, readOnly.Logger, readOnly.EventListener = true, quiet{}, nil
	db, err := pebble.Open(s.dir, &readOnly)
	if err != nil {
		return s.explain(err)
	}
	h, err := readHead(db, m.room)
	if errors.Is(err, room.ErrDamaged) || pebble.IsCorruptionError(err) {
		return db.Close() // not lost: whoever reads the room is told
	}
	if err == nil && h.last < m.last {
		err = fmt.Errorf("%w; to give up what is lost, delete %s", &journal.DamageError{
			Room: m.room, Offset: h.last + 1,
			Err: fmt.Errorf("offset %d was acknowledged, and the log ends before it: %w", m.last, room.ErrDamaged),
		}, s.fs.PathJoin(s.dir, markFile))
	}
	return errors.Join(err, db.Close())
}

// explain finds what a write-ahead log that Pebble refuses to read would have held.
func (s *Store) explain(cause error) error {
	if !pebble.IsCorruptionError(cause) {
		return cause
	}
	logs, err := wal.Scan(wal.Dir{FS: s.fs, Dirname: s.dir})
	if err != nil {
		return errors.Join(cause, err)
	}
	sc := scan{ends: map[room.ID]room.Offset{}}
	for i, ll := range logs {
		l, name, err := load(ll)
		if err != nil {
			return errors.Join(cause, err)
		}
		at := l.records(sc.record)
		if at < len(l.data) && (i < len(logs)-1 && !l.ends(at) || l.damagedAt(at)) {
			return fmt.Errorf("%w: %w", cause, sc.damage(l, name, at))
		}
	}
	return fmt.Errorf("%w: restore a backup", cause)
}

// A scan reads write-ahead logs and notes how far each room gets in them.
type scan struct {
	mark mark
	ends map[room.ID]room.Offset
}

func load(ll wal.LogicalLog) (l logFile, name string, err error) {
	fs, name := ll.SegmentLocation(ll.NumSegments() - 1)
	data, err := readFile(fs, name)
	return logFile{data: data, number: uint32(ll.Num)}, name, err
}

func (sc *scan) newest(ll wal.LogicalLog) error {
	l, name, err := load(ll)
	if err != nil {
		return err
	}
	at := l.records(sc.record)
	if at == len(l.data) || l.ends(at) || !l.damagedAt(at) {
		return nil
	}
	return fmt.Errorf("%w; to give up what follows, cut %s to %d bytes and delete %s in the same folder",
		sc.damage(l, name, at), name, at, markFile)
}

func (sc *scan) record(_ int, rec []byte) {
	each(rec, func(id room.ID, span journal.Span) bool {
		sc.ends[id] = max(sc.ends[id], span.Last)
		return true
	})
}

// each calls f for the records in a batch of Pebble's, as far as it can be read.
func each(batch []byte, f func(room.ID, journal.Span) bool) {
	if len(batch) < batchrepr.HeaderLen {
		return
	}
	defer func() { _ = recover() }() // Pebble's reader indexes past a batch that was cut short
	for r := batchrepr.Read(batch); ; {
		kind, key, value, ok, err := r.Next()
		if err != nil || !ok {
			return
		}
		id, first, isRecord := cutRecordKey(key)
		if kind != pebble.InternalKeyKindSet || !isRecord || !room.ValidID(string(id)) {
			continue
		}
		if span, err := journal.ReadSpan(value); err == nil && span.First == first && !f(id, span) {
			return
		}
	}
}

// damage names the first entry that cannot be read because the log is damaged at a byte: the first in the damaged
// record, if so much of it can be guessed; otherwise the first gap that a later record shows.
func (sc *scan) damage(l logFile, name string, at int) error {
	d := &journal.DamageError{Err: fmt.Errorf("%s is damaged at byte %d: %w", name, at, room.ErrDamaged)}
	lost := func(id room.ID, span journal.Span) bool {
		if end, known := sc.ends[id]; d.Room == "" && (!known || span.First > end) {
			d.Room, d.Offset = id, span.First
			if known {
				d.Offset = end + 1
			}
		}
		return d.Room == ""
	}
	each(l.guess(at), lost)
	for i := at + 1; d.Room == "" && i+chunkFront <= len(l.data); i++ {
		if l.begins(i) {
			each(l.guess(i), lost)
		}
	}
	if d.Room == "" && sc.mark.room != "" {
		d.Room, d.Offset = sc.mark.room, sc.ends[sc.mark.room]+1
	}
	if d.Room == "" {
		return fmt.Errorf("%w: restore a backup", d.Err)
	}
	return d
}

// guess returns the payload of the record at i as far as its chunks can be found, sound or not.
func (l logFile) guess(i int) (rec []byte) {
	for i+chunkFront <= len(l.data) {
		body, _, ok := l.chunk(i, l.length(i))
		if !ok {
			return rec
		}
		rec = append(rec, body[frontOf(body[0])-chunkFront+1:]...)
		if p := position(body[0]); p == chunkFull || p == chunkLast {
			return rec
		}
		i = l.skip(i + frontOf(body[0]) + l.length(i))
	}
	return rec
}
