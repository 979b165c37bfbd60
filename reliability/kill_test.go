package reliability

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"parley/journal/embedded"
	"parley/reliability/check"
	"parley/reliability/wire"
	"parley/room"
)

func TestKill(t *testing.T) {
	t.Parallel()
	killing(t, shortKills)
}

func TestSoakKill(t *testing.T) {
	soak(t)
	killing(t, 2000)
}

// killing kills a sound server so often, at random and at each crash point that this build has.
func killing(t *testing.T, kills int) {
	h := newKiller(t, sound)
	for left := kills; left > 0; left -= killsPerRound {
		h.round(min(left, killsPerRound))
	}
	h.report(t)
	if err := h.Err(); err != nil {
		t.Error(err)
	}
	if h.Replies.Resumed == 0 || h.Replies.Completed == 0 || h.Replies.Failed == 0 {
		t.Errorf("no kill met a reply: %+v", h.Replies)
	}
	for _, p := range h.points {
		if h.met[p] == 0 {
			t.Errorf("no process died at %s", p)
		}
	}
}

// Each planted bug has to be reported under its own name.
func TestKillNoticesBugs(t *testing.T) {
	t.Parallel()
	for b, want := range map[bug]check.Fault{ackEarly: check.Lost, noDedup: check.Duplicated, moves: check.Moved} {
		t.Run(string(b), func(t *testing.T) {
			h := newKiller(t, b)
			for range 40 {
				h.round(5)
				if h.Faults[want] > 0 {
					h.report(t)
					return
				}
			}
			t.Errorf("200 kills showed no message %s: %v", want, &h.Report)
		})
	}
}

const (
	killsPerRound  = 25
	roomsPerRound  = 4
	writersPerRoom = 2
)

// A killer kills servers on one folder, round after round, each with rooms of its own.
type killer struct {
	check.Report
	t      *testing.T
	rand   *rand.Rand
	cfg    childConfig
	points []string
	met    map[string]int // kills, by crash point; "" are those at random
	began  time.Time
	serial int
	acks   atomic.Int64
	most   int                    // acknowledgements that a process lives for, at most
	hits   func(point string) int // how often a crash point is passed before it strikes, at most
}

func newKiller(t *testing.T, b bug) *killer {
	return &killer{
		t: t, rand: seeded(t), cfg: childConfig{Dir: t.TempDir(), Bug: b}, points: slices.DeleteFunc(points(t), func(p string) bool { return unmet[p] != "" }),
		met: make(map[string]int), began: time.Now(), most: 40, hits: mostHits,
	}
}

func (h *killer) report(t *testing.T) {
	kills := 0
	for _, n := range h.met {
		kills += n
	}
	t.Logf("%d kills in %.1f s: %v", kills, time.Since(h.began).Seconds(), &h.Report)
	t.Logf("kills by crash point: %v", h.met)
}

// A fleet is the clients of one round.
type fleet struct {
	beacon  *beacon
	writers []*writer
	tails   []*tail
	wg      sync.WaitGroup
	writing sync.WaitGroup

	mu   sync.Mutex
	lost []string // rooms that are gone
}

// round has a fleet live through so many kills, then lets it finish and checks what is left.
func (h *killer) round(kills int) {
	h.serial++
	c := spawn(h.t, h.cfg, "")
	conn := h.serve(c)
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	f := h.fleet(ctx, conn)
	c, conn = h.rage(f, c, conn, kills)
	f.finish(ctx, h.t, conn)
	_ = conn.Close()
	c.stop(h.t)
	c.noise(h.t)
	h.check(f)
}

// rage kills servers under a fleet and returns the last one, which lives.
func (h *killer) rage(f *fleet, c *child, conn *grpc.ClientConn, kills int) (*child, *grpc.ClientConn) {
	for left := kills; left > 0; left-- {
		armed := ""
		if left > 1 {
			armed = h.arm()
		}
		next := spawn(h.t, h.cfg, armed) // while this one lives: only the folder is exclusive
		f.beacon.set(conn)
		h.kill(c)
		_ = conn.Close()
		c, conn = next, h.serve(next)
	}
	return c, conn
}

// serve has a child serve and connects to it.
func (h *killer) serve(c *child) *grpc.ClientConn {
	c.serve(h.t)
	conn, err := wire.Dial(c.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	return conn
}

// arm chooses where the next process dies: at random half of the time, at a crash point otherwise.
func (h *killer) arm() string {
	if len(h.points) == 0 || h.rand.IntN(2) == 0 {
		return ""
	}
	p := h.points[h.rand.IntN(len(h.points))]
	return fmt.Sprintf("%s:%d", p, 1+h.rand.IntN(h.hits(p)))
}

// kill lets a process acknowledge some messages and kills it, unless it dies at a crash point before.
func (h *killer) kill(c *child) {
	point := c.armed
	enough, look := h.acks.Load()+int64(h.rand.IntN(h.most)), time.NewTicker(time.Millisecond)
	defer look.Stop()
	late := time.After(time.Second)
	for point != "" || h.acks.Load() < enough {
		select {
		case <-c.died:
			h.met[point]++
			return
		case <-look.C:
		case <-late:
			h.t.Logf("nothing happens at %q: killed", point)
			point = ""
			enough = 0
		}
	}
	c.kill()
	c.noise(h.t)
	h.met[""]++
}

// fleet starts the clients of a round in new rooms.
func (h *killer) fleet(ctx context.Context, conn *grpc.ClientConn) *fleet {
	f := &fleet{beacon: newBeacon()}
	for r := range roomsPerRound {
		id, err := newRoom(ctx, conn, "slow")
		if err != nil {
			h.t.Fatal(err)
		}
		last := fmt.Sprintf("end of %d", r)
		reader := newTail(id, last)
		f.tails = append(f.tails, reader)
		// It reads from the beginning on, before anybody writes.
		if err := reader.look(ctx, conn); err != nil {
			h.t.Fatal(err)
		}
		f.wg.Go(func() { f.note(h.t, keep(ctx, f.beacon, reader.live)) })
		for w := range writersPerRoom {
			writer := newWriter(id, fmt.Sprintf("w%d-%d-%d", h.serial, r, w), &h.acks)
			f.writers = append(f.writers, writer)
			f.writing.Go(func() { f.note(h.t, keep(ctx, f.beacon, writer.live)) })
		}
	}
	return f
}

// note notes how a client ended. A lost room is a fault of the server's to report; any other end is unexpected.
func (f *fleet) note(t testing.TB, err error) {
	if gone, ok := errors.AsType[lostRoomError](err); ok {
		f.mu.Lock()
		defer f.mu.Unlock()
		if what := gone.Error(); !slices.Contains(f.lost, what) {
			f.lost = append(f.lost, what)
		}
	} else if err != nil {
		t.Errorf("a client never came to its end: %v", err)
	}
}

// finish lets the writers come to an end and the readers read to it.
func (f *fleet) finish(ctx context.Context, t testing.TB, conn *grpc.ClientConn) {
	for _, w := range f.writers {
		close(w.ending)
	}
	f.beacon.set(conn)
	f.writing.Wait()
	for _, r := range f.tails {
		f.note(t, sayLast(ctx, conn, r.room, r.last))
	}
	f.wg.Wait()
}

// check reads the folder and compares it with what the clients know.
func (h *killer) check(f *fleet) {
	store, err := embedded.Open(embedded.Config{Dir: h.cfg.Dir})
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	h.add(check.Lost, f.lost)
	for _, r := range f.tails {
		l := check.Read(h.t.Context(), store, room.ID(r.room))
		var promises []check.Promise
		for _, w := range f.writers {
			if w.room == r.room {
				promises = append(promises, w.promises...)
				h.add(check.Duplicated, w.twice)
			}
		}
		h.Log(l, promises)
		h.Reader(l, "the tail", r.after, r.saw)
		h.add(check.Diverged, r.bent)
		if r.resets > 0 {
			h.add(check.Diverged, []string{fmt.Sprintf("%d resumes of room %s were reset", r.resets, r.room)})
		}
	}
}

func (h *killer) add(f check.Fault, what []string) {
	for _, w := range what {
		h.Add(f, w)
	}
}
