package journal

import (
	"encoding/binary"
	"fmt"

	"parley/room"
)

// A record is the stored form of one batch: the version, the first entry's offset, the number of entries, the hash of
// the entry before, the entries (room.AppendEntry), and the hash of the last one. A record therefore verifies by
// itself, and the hashes at its two ends tie it to its neighbours.
const (
	recordVersion = 1
	recordFront   = 1 + 8 + 4 + len(room.Hash{})
	recordBack    = len(room.Hash{})
)

// MaxRecord is the most bytes one batch may take as a record.
const MaxRecord = 8 << 20

// A Span says which entries a record holds and which hashes it has at its ends.
type Span struct {
	First, Last room.Offset
	Prev, End   room.Hash
}

// AppendRecord appends the record of b to dst and fills in the hashes of its entries. It refuses a batch that cannot
// be one.
func AppendRecord(dst []byte, b *Batch) ([]byte, error) {
	if err := b.check(); err != nil {
		return dst, err
	}
	start := len(dst)
	dst = append(dst, recordVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(b.After+1))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(b.Entries)))
	dst = append(dst, b.Prev[:]...)
	hash := b.Prev
	for i := range b.Entries {
		var err error
		if dst, hash, err = room.AppendEntry(dst, hash, &b.Entries[i]); err != nil {
			return dst, err
		}
		b.Entries[i].Hash = hash
	}
	dst = append(dst, hash[:]...)
	if n := len(dst) - start; n > MaxRecord {
		return dst, fmt.Errorf("a batch of %d bytes: the most is %d", n, MaxRecord)
	}
	return dst, nil
}

func (b *Batch) check() error {
	if !room.ValidID(string(b.Room)) {
		return fmt.Errorf("%q is no room id", b.Room)
	}
	if len(b.Entries) == 0 {
		return fmt.Errorf("a batch without entries")
	}
	if b.After == 0 && b.Prev != (room.Hash{}) {
		return fmt.Errorf("a log begins with the zero hash, not %v", b.Prev)
	}
	for i := range b.Entries {
		e := &b.Entries[i]
		if e.Room != b.Room || e.Offset != b.After+1+room.Offset(i) {
			return fmt.Errorf("entry %s@%d at place %s@%d", e.Room, e.Offset, b.Room, b.After+1+room.Offset(i))
		}
	}
	if c := b.Card; c != nil && c.Room != b.Room {
		return fmt.Errorf("the card of room %s", c.Room)
	}
	for _, p := range append(b.Joined[:len(b.Joined):len(b.Joined)], b.Left...) {
		if !room.ValidID(string(p)) {
			return fmt.Errorf("%q is no user id", p)
		}
	}
	return nil
}

// ReadSpan reads the ends of a record without verifying what is between.
func ReadSpan(rec []byte) (Span, error) {
	if len(rec) < recordFront+recordBack || rec[0] != recordVersion {
		return Span{}, fmt.Errorf("not a record: %w", room.ErrDamaged)
	}
	first := binary.BigEndian.Uint64(rec[1:])
	n := uint64(binary.BigEndian.Uint32(rec[9:]))
	if first == 0 || n == 0 || first+n-1 < first {
		return Span{}, fmt.Errorf("a record of %d entries from %d: %w", n, first, room.ErrDamaged)
	}
	s := Span{First: room.Offset(first), Last: room.Offset(first + n - 1)}
	copy(s.Prev[:], rec[13:])
	copy(s.End[:], rec[len(rec)-recordBack:])
	return s, nil
}

// ReadRecord reads and verifies a record of room id. Nothing it returns aliases rec.
func ReadRecord(rec []byte, id room.ID) (Span, []room.Entry, error) {
	s, err := ReadSpan(rec)
	if err != nil {
		return Span{}, nil, err
	}
	rest := rec[recordFront : len(rec)-recordBack]
	entries := make([]room.Entry, 0, min(uint64(s.Last-s.First+1), uint64(len(rest))))
	for at, prev := s.First, s.Prev; at <= s.Last; at++ {
		var e room.Entry
		if e, rest, err = room.CutEntry(rest, prev, id); err != nil {
			return Span{}, nil, err
		}
		if e.Offset != at {
			return Span{}, nil, fmt.Errorf("entry %d at place %d: %w", e.Offset, at, room.ErrDamaged)
		}
		prev = e.Hash
		entries = append(entries, e)
	}
	if len(rest) > 0 || entries[len(entries)-1].Hash != s.End {
		return Span{}, nil, fmt.Errorf("the hashes do not match: %w", room.ErrDamaged)
	}
	return s, entries, nil
}
