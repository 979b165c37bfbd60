package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/journal"
	"parley/journal/embedded"
	"parley/room"
)

// TestDamage flips single bits of a store's files and cuts them short. Whatever it hits, nothing may be served that
// was not written, and nothing that was acknowledged may be missing without an error, at Open or when the room is
// read, that names room and offset.
func TestDamage(t *testing.T) {
	flips := 600
	if os.Getenv("SOAK") != "" {
		flips = 100_000
	}
	for name, make := range map[string]func(*testing.T) *hurt{
		"closed":           func(t *testing.T) *hurt { return newHurt(t, true, 16<<10) },
		"killed":           func(t *testing.T) *hurt { return newHurt(t, false, 16<<10) },
		"killed, no table": func(t *testing.T) *hurt { return newHurt(t, false, 4<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			h := make(t)
			rng := rand.New(rand.NewPCG(3, 4))
			for i := range flips {
				file := h.pick(rng)
				data := bytes.Clone(h.files[file])
				var what string
				if i%4 == 0 {
					n := rng.IntN(len(data))
					data, what = data[:n], fmt.Sprintf("%s cut to %d of %d bytes", file, n, len(data))
				} else {
					n := rng.IntN(len(data) * 8)
					data[n/8] ^= 1 << (n % 8)
					what = fmt.Sprintf("%s, byte %d of %d, bit %d", file, n/8, len(data), n%8)
				}
				if err := h.check(file, data); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			t.Logf("%v", h.tally)
		})
	}
}

// A hurt is a store to be damaged, and what it holds.
type hurt struct {
	fs    *vfs.MemFS
	files map[string][]byte
	names []string
	want  map[room.ID][]room.Entry
	tally map[string]int
}

func newHurt(t *testing.T, closed bool, memtable uint64) *hurt {
	mem := vfs.NewCrashableMem()
	s, err := embedded.Open(embedded.Config{Dir: "store", FS: mem, Logger: silent(), Cache: 64 << 10, Memtable: memtable})
	if err != nil {
		t.Fatal(err)
	}
	h := &hurt{files: map[string][]byte{}, want: map[room.ID][]room.Entry{}, tally: map[string]int{}}
	logs := []*log{{id: "a"}, {id: "b"}, {id: "c"}}
	for i := range 60 {
		l := logs[i%3]
		b := l.batch(1 + i%5)
		if l.last == 0 {
			b.Card = &room.Card{Room: l.id, Info: room.Info{Visibility: room.Public, CreatedAt: at}}
		}
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		l.took(b)
		h.want[l.id] = append(h.want[l.id], b.Entries...)
	}
	if !closed {
		h.fs = copyOf(mem)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if closed {
		h.fs = copyOf(mem)
	}
	names, err := h.fs.List("store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if data := contents(t, h.fs, "store/"+name); len(data) > 0 {
			h.files[name] = data
			h.names = append(h.names, name)
		}
	}
	return h
}

// pick favours the logs, where dropping is easiest.
func (h *hurt) pick(rng *rand.Rand) string {
	for range 3 {
		name := h.names[rng.IntN(len(h.names))]
		if strings.HasSuffix(name, ".log") || strings.HasPrefix(name, "MANIFEST") {
			return name
		}
	}
	return h.names[rng.IntN(len(h.names))]
}

func (h *hurt) check(file string, data []byte) error {
	fs := copyOf(h.fs)
	if err := overwrite(fs, "store/"+file, data); err != nil {
		return err
	}
	kind, _, _ := strings.Cut(file, "-")
	if i := strings.LastIndexByte(file, '.'); i > 0 {
		kind = file[i:]
	}
	s, err := openSmall(fs, "store")
	if err != nil {
		h.tally[kind+" refused at open"]++
		return nil //nolint:nilerr // damage that is refused is damage found
	}
	harmless := true
	for id, want := range h.want {
		damaged, err := compareDamaged(s, id, want)
		if err != nil {
			return errors.Join(err, s.Close())
		}
		harmless = harmless && !damaged
	}
	if harmless {
		h.tally[kind+" harmless"]++
	} else {
		h.tally[kind+" found when read"]++
	}
	return s.Close()
}

func compareDamaged(s journal.Store, id room.ID, want []room.Entry) (damaged bool, _ error) {
	n := 0
	for e, err := range s.Read(context.Background(), id, 0) {
		var d *journal.DamageError
		switch {
		case err == nil && n < len(want) && e.Hash == want[n].Hash && e.Offset == want[n].Offset:
			n++
		case err == nil:
			return false, fmt.Errorf("%s@%d is not what was written", id, n+1)
		case errors.As(err, &d) && d.Room == id && d.Offset == room.Offset(n+1):
			return true, nil
		default:
			return false, fmt.Errorf("after %s@%d: %w", id, n, err)
		}
	}
	if n < len(want) {
		return false, fmt.Errorf("%s ends at %d of %d, and nobody says so", id, n, len(want))
	}
	return false, nil
}

// TestDamageIsNamed wants a flipped byte of the write-ahead log to be named by room and offset at Open, and the
// message to say what to do.
func TestDamageIsNamed(t *testing.T) {
	h := newHurt(t, false, 4<<20)
	var name string
	for n := range h.files {
		if strings.HasSuffix(n, ".log") && len(h.files[n]) > len(h.files[name]) {
			name = n
		}
	}
	data := h.files[name]
	text := []byte(h.want["b"][2].Cause) // in the second batch of b, which begins with 3
	i := bytes.Index(data, text)
	data[i] ^= 0x10
	fs := copyOf(h.fs)
	if err := overwrite(fs, "store/"+name, data); err != nil {
		t.Fatal(err)
	}
	_, err := openSmall(fs, "store")
	var d *journal.DamageError
	if !errors.As(err, &d) || d.Room != "b" || d.Offset != 3 {
		t.Fatalf("open: %v", err)
	}
	for _, part := range []string{"store", name, "restore a backup", "b"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not tell %q", err, part)
		}
	}
}

// TestVerify wants all rooms that are damaged to be told, and the others to be readable.
func TestVerify(t *testing.T) {
	h := newHurt(t, true, 16<<10)
	fs := copyOf(h.fs)
	s, err := openSmall(fs, "store")
	if err != nil {
		t.Fatal(err)
	}
	for err := range s.(*embedded.Store).Verify(t.Context()) {
		t.Errorf("sound: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, _ := fs.List("store")
	hit := 0
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			data := contents(t, fs, "store/"+name)
			data[len(data)/8] ^= 1
			if err := overwrite(fs, "store/"+name, data); err != nil {
				t.Fatal(err)
			}
			hit++
		}
	}
	s, err = openSmall(fs, "store")
	if err != nil {
		t.Fatal(err)
	}
	told := map[room.ID]bool{}
	for err := range s.(*embedded.Store).Verify(t.Context()) {
		var d *journal.DamageError
		if !errors.As(err, &d) {
			t.Errorf("%v", err)
			continue
		}
		told[d.Room] = true
	}
	if hit == 0 || len(told) == 0 {
		t.Errorf("%d tables damaged, rooms told: %v", hit, told)
	}
	for id, want := range h.want {
		if damaged, err := compareDamaged(s, id, want); err != nil || damaged != told[id] {
			t.Errorf("%s: damaged %v, told %v, %v", id, damaged, told[id], err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func mustOpen(t testing.TB, fs vfs.FS, dir string) *embedded.Store {
	t.Helper()
	s, err := openSmall(fs, dir)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*embedded.Store)
}

func copyOf(fs *vfs.MemFS) *vfs.MemFS {
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
}

func contents(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

func overwrite(fs vfs.FS, name string, data []byte) error {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
