package journal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/journal"
	"parley/room"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sample is a batch with everything an entry can have.
func sample(after room.Offset, prev room.Hash) journal.Batch {
	b := journal.Batch{Room: "talk", After: after, Prev: prev}
	for i, ev := range []room.Event{
		room.MessagePosted{Name: "Ada", Text: "søt \"quoted\"\n", ReplyTo: 3, Mentions: []room.ModelID{"m", "n"}},
		room.Unknown{Kind: "from_the_future", Data: json.RawMessage(`{"a":  1}`)},
		room.PersonLeft{Person: room.Person{ID: "bob", Role: room.Viewer}},
	} {
		b.Entries = append(b.Entries, room.Entry{
			Room: "talk", Offset: after + 1 + room.Offset(i), At: time.Unix(5, int64(i)).UTC(),
			By: room.PersonIdentity("ada"), Cause: fmt.Sprint("c", i), Event: ev,
		})
	}
	b.Entries[2].To = []room.Identity{"person/bob", room.System}
	return b
}

func record(t testing.TB, b journal.Batch) []byte {
	t.Helper()
	rec, err := journal.AppendRecord(nil, &b)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestRecord(t *testing.T) {
	b := sample(41, room.Hash{7})
	rec := record(t, b)
	s, got, err := journal.ReadRecord(rec, "talk")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, b.Entries) {
		t.Errorf("got  %+v\nwant %+v", got, b.Entries)
	}
	want := journal.Span{First: 42, Last: 44, Prev: room.Hash{7}, End: b.Entries[2].Hash}
	if s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
	if _, _, err := journal.ReadRecord(rec, "other"); !errors.Is(err, room.ErrDamaged) {
		t.Errorf("another room's record: %v", err)
	}
	pre := []byte("before")
	if rec2, err := journal.AppendRecord(bytes.Clone(pre), &b); err != nil || !bytes.Equal(rec2, append(pre, rec...)) {
		t.Errorf("appended to something: %v", err)
	}
}

// TestRecordBits flips every bit and cuts every length.
func TestRecordBits(t *testing.T) {
	rec := record(t, sample(0, room.Hash{}))
	for i := range len(rec) * 8 {
		rec[i/8] ^= 1 << (i % 8)
		if _, _, err := journal.ReadRecord(rec, "talk"); !errors.Is(err, room.ErrDamaged) {
			t.Errorf("byte %d, bit %d: %v", i/8, i%8, err)
		}
		rec[i/8] ^= 1 << (i % 8)
	}
	for n := range rec {
		if _, _, err := journal.ReadRecord(rec[:n], "talk"); !errors.Is(err, room.ErrDamaged) {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
	if _, _, err := journal.ReadRecord(append(rec, 0), "talk"); !errors.Is(err, room.ErrDamaged) {
		t.Errorf("a byte too many: %v", err)
	}
}

// FuzzReadRecord wants no panic, and that what is accepted is the very encoding of what it says.
func FuzzReadRecord(f *testing.F) {
	f.Add(record(f, sample(0, room.Hash{})))
	f.Add(record(f, sample(9, room.Hash{1, 2})))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, rec []byte) {
		s, entries, err := journal.ReadRecord(rec, "talk")
		if err != nil {
			return
		}
		b := journal.Batch{Room: "talk", After: s.First - 1, Prev: s.Prev, Entries: entries}
		again, err := journal.AppendRecord(nil, &b)
		if err == nil && b.Entries[len(entries)-1].Hash != s.End {
			return // a JSON text that is not canonical: no hash of ours would match it
		}
		if err != nil || !bytes.Equal(again, rec) {
			t.Errorf("accepted %x, which is %x, %v", rec, again, err)
		}
	})
}

func TestChain(t *testing.T) {
	one := sample(0, room.Hash{})
	recOne := record(t, one)
	two := sample(3, one.Entries[2].Hash)
	recTwo := record(t, two)
	stranger := record(t, sample(3, room.Hash{9}))
	type step struct {
		first room.Offset
		rec   []byte
	}
	cases := map[string]struct {
		after room.Offset
		steps []step
		want  []room.Offset
		bad   room.Offset // the first offset that is not trusted, or 0
	}{
		"whole":             {0, []step{{1, recOne}, {4, recTwo}}, []room.Offset{1, 2, 3, 4, 5, 6}, 0},
		"from the middle":   {4, []step{{4, recTwo}}, []room.Offset{5, 6}, 0},
		"from one before":   {3, []step{{1, recOne}, {4, recTwo}}, []room.Offset{4, 5, 6}, 0},
		"after the end":     {99, []step{{4, recTwo}}, nil, 0},
		"no beginning":      {0, []step{{4, recTwo}}, nil, 1},
		"nothing between":   {2, []step{{4, recTwo}}, nil, 3},
		"twice":             {0, []step{{1, recOne}, {1, recOne}}, []room.Offset{1, 2, 3}, 4},
		"another history":   {0, []step{{1, recOne}, {4, stranger}}, []room.Offset{1, 2, 3}, 4},
		"under a false key": {0, []step{{1, recOne}, {5, recTwo}}, []room.Offset{1, 2, 3}, 4},
		"no record":         {0, []step{{1, recOne}, {4, []byte("junk")}}, []room.Offset{1, 2, 3}, 4},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			chain := journal.NewChain("talk", c.after)
			var got []room.Offset
			var err error
			for _, s := range c.steps {
				var entries []room.Entry
				if entries, err = chain.Read(s.first, s.rec); err != nil {
					break
				}
				for _, e := range entries {
					got = append(got, e.Offset)
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			var d *journal.DamageError
			if errors.As(err, &d) != (c.bad != 0) || d != nil && (d.Offset != c.bad || d.Room != "talk" || !errors.Is(err, room.ErrDamaged)) {
				t.Errorf("%v, want damage at %d", err, c.bad)
			}
		})
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	batch := sample(0, room.Hash{})
	var rec []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if rec, err = journal.AppendRecord(rec[:0], &batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadRecord(b *testing.B) {
	rec := record(b, sample(0, room.Hash{}))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := journal.ReadRecord(rec, "talk"); err != nil {
			b.Fatal(err)
		}
	}
}
