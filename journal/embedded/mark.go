package embedded

import (
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/room"
)

// The mark names an entry that was made durable last. It is written after the sync and not synced itself: after a
// loss of power it may be old, but it is never ahead of the log. If the log does not reach it, the log has lost what
// was acknowledged, which Pebble cannot know: to it a write-ahead log that was cut short or damaged at its end looks
// like one whose last write was torn.
const (
	markFile = "ACKED"
	markSize = 128
)

type mark struct {
	room room.ID
	last room.Offset
}

// encode gives the mark's size, the room with its length, the offset and a checksum, in one sector.
func (m mark) encode(buf *[markSize]byte) []byte {
	*buf = [markSize]byte{}
	buf[0] = byte(copy(buf[1:65], m.room))
	binary.BigEndian.PutUint64(buf[65:], uint64(m.last))
	binary.BigEndian.PutUint32(buf[markSize-4:], crc32.ChecksumIEEE(buf[:markSize-4]))
	return buf[:]
}

func decodeMark(b []byte) (mark, bool) {
	if len(b) != markSize || crc32.ChecksumIEEE(b[:markSize-4]) != binary.BigEndian.Uint32(b[markSize-4:]) || b[0] > 64 {
		return mark{}, false
	}
	return mark{room.ID(b[1 : 1+b[0]]), room.Offset(binary.BigEndian.Uint64(b[65:]))}, b[0] > 0
}

// readMark returns the mark, if there is a sound one.
func readMark(fs vfs.FS, dir string) (m mark, ok bool, err error) {
	b, err := readFile(fs, fs.PathJoin(dir, markFile))
	if oserror.IsNotExist(err) {
		return mark{}, false, nil
	}
	if err != nil {
		return mark{}, false, err
	}
	m, ok = decodeMark(b)
	return m, ok, nil
}

// openMark opens the file for the marks to come, and leaves the one in it alone.
func openMark(fs vfs.FS, dir string) (vfs.File, error) {
	name := fs.PathJoin(dir, markFile)
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != markSize {
		var buf [markSize]byte
		if _, err = f.WriteAt(mark{}.encode(&buf), 0); err == nil {
			err = f.Sync()
		}
		if err == nil {
			err = syncDir(fs, dir)
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func readFile(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name, vfs.SequentialReadsOption)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(f)
}
