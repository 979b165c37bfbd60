package reliability

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"parley/reliability/bend"
	"parley/reliability/check"
	"parley/reliability/cut"
	"parley/reliability/wire"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

func TestDrop(t *testing.T) {
	t.Parallel()
	dropping(t, 500)
}

func TestSoakDrop(t *testing.T) {
	soak(t)
	dropping(t, 10_000)
}

// dropping breaks the connections of subscribers so often while rooms are written to.
func dropping(t *testing.T, drops int64) {
	s := start(t, serverConfig{})
	d := newDropper(t, s, s.addr)
	d.run(drops)
	t.Logf("%d drops in %.1f s at %.0f messages/s: %d resumed, %d events delivered to %d subscribers, %d resets",
		d.cuts(), d.took.Seconds(), float64(d.posted.Load())/d.took.Seconds(), d.resumed(), d.Read, len(d.tails)+len(d.sessions), d.resets())
	if err := d.Err(); err != nil {
		t.Error(err)
	}
	if d.resumed() < drops/2 {
		t.Errorf("only %d of %d drops led to a resume", d.resumed(), drops)
	}
}

// A server that skips an event when a client comes back, or tells one again, is found out.
func TestDropNoticesBugs(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*roompb.ServerEvent) []*roompb.ServerEvent{
		"skips":   func(*roompb.ServerEvent) []*roompb.ServerEvent { return nil },
		"repeats": func(e *roompb.ServerEvent) []*roompb.ServerEvent { return []*roompb.ServerEvent{e, e} },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, serverConfig{})
			bent, err := bend.New(dial(t, s.addr), bend.AfterResume(func(e *roompb.ServerEvent) []*roompb.ServerEvent {
				if e.GetMessageReceived().GetMessage().GetContent() == lastWord {
					return bend.Leave(e) // or they would wait for it for ever
				}
				return change(e)
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer bent.Close()
			d := newDropper(t, s, bent.Addr())
			d.run(60)
			if d.Faults[check.Diverged] == 0 {
				t.Errorf("nobody noticed: %v", &d.Report)
			}
		})
	}
}

const (
	droppedRooms = 5
	rawPerRoom   = 4
	postsPerTick = 5 // per room, every 10 ms: 2,500 messages/s in 5 rooms
)

// A dropper has rooms that are written to, and subscribers behind relays that break their connections.
type dropper struct {
	check.Report
	t        *testing.T
	server   *server
	rooms    []room.ID
	relays   []*cut.Relay
	tails    []*tail
	rawJoins atomic.Int64
	sessions []*subscriber
	posted   atomic.Int64
	took     time.Duration
	stop     chan struct{} // closed: relays break nothing any more
}

// newDropper makes the rooms; subscribers reach them through addr.
func newDropper(t *testing.T, s *server, addr string) *dropper {
	d := &dropper{t: t, server: s, stop: make(chan struct{})}
	random := seeded(t)
	conn := dial(t, s.addr)
	for range droppedRooms {
		id := mustRoom(t, conn)
		d.rooms = append(d.rooms, room.ID(id))
		if _, err := s.hub.Do(t.Context(), room.ID(id), room.Meta{By: room.PersonIdentity(dropWriter)}, room.Join{}); err != nil {
			t.Fatal(err)
		}
		for range rawPerRoom {
			r := newTail(id, lastWord)
			if err := r.look(t.Context(), conn); err != nil {
				t.Fatal(err)
			}
			d.tails = append(d.tails, r)
		}
		d.sessions = append(d.sessions, &subscriber{room: id})
	}
	for range len(d.tails) + len(d.sessions) {
		relay, err := cut.New(addr, d.budget(rand.New(rand.NewPCG(random.Uint64(), 0))))
		if err != nil {
			t.Fatal(err)
		}
		d.relays = append(d.relays, relay)
	}
	return d
}

const lastWord = "the last word"

// budget lets a connection live for some bytes: less than its handshake, or up to a hundred messages.
func (d *dropper) budget(random *rand.Rand) func() int64 {
	return func() int64 {
		select {
		case <-d.stop:
			return -1
		default:
			return 100 + random.Int64N(8000)
		}
	}
}

func (d *dropper) cuts() (n int64) {
	for _, r := range d.relays {
		n += r.Cuts()
	}
	return n
}

func (d *dropper) resumed() int64 {
	n := d.rawJoins.Load()
	for _, s := range d.sessions {
		n += s.reconnects
	}
	return n
}

func (d *dropper) resets() (n int) {
	for _, r := range d.tails {
		n += r.resets
	}
	for _, s := range d.sessions {
		n += s.resets
	}
	return n
}

// run writes and reads until so many connections were broken, then lets everybody read to the end and checks.
func (d *dropper) run(drops int64) {
	ctx, cancel := context.WithTimeout(d.t.Context(), 5*time.Minute)
	defer cancel()
	var reading, writing sync.WaitGroup
	for i, r := range d.tails {
		reading.Go(func() { d.tail(ctx, r, d.relays[i].Addr()) })
	}
	for i, s := range d.sessions {
		reading.Go(func() { s.run(ctx, d.t, d.relays[len(d.tails)+i].Addr()) })
	}
	began := time.Now()
	enough := make(chan struct{})
	for _, id := range d.rooms {
		writing.Go(func() { d.write(ctx, id, enough) })
	}
	d.wait(ctx, drops)
	close(enough)
	writing.Wait()
	d.took = time.Since(began)
	close(d.stop)
	for _, id := range d.rooms {
		d.post(ctx, id, lastWord)
	}
	reading.Wait()
	for _, r := range d.relays {
		r.Close()
	}
	d.check()
}

func (d *dropper) wait(ctx context.Context, drops int64) {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for d.cuts() < drops {
		select {
		case <-look.C:
		case <-ctx.Done():
			d.t.Errorf("after %d of %d drops: %v", d.cuts(), drops, context.Cause(ctx))
			return
		}
	}
}

// write posts at a steady rate, several messages at once, until there is enough.
func (d *dropper) write(ctx context.Context, id room.ID, enough <-chan struct{}) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n += postsPerTick {
		var posts sync.WaitGroup
		for i := range postsPerTick {
			posts.Go(func() { d.post(ctx, id, fmt.Sprintf("%s %d", id, n+i)) })
		}
		posts.Wait()
		select {
		case <-tick.C:
		case <-enough:
			return
		}
	}
}

const dropWriter = "writer"

func (d *dropper) post(ctx context.Context, id room.ID, text string) {
	if _, err := d.server.hub.Do(ctx, id, room.Meta{By: room.PersonIdentity(dropWriter)}, room.PostMessage{Text: text}); err != nil {
		d.t.Errorf("post: %v", err)
	}
	d.posted.Add(1)
}

// tail reads through a relay, coming back after each drop.
func (d *dropper) tail(ctx context.Context, r *tail, addr string) {
	conn, err := wire.Dial(addr, grpc.WithReadBufferSize(1<<10))
	if err != nil {
		d.t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	for !r.done {
		if ctx.Err() != nil {
			d.t.Errorf("a reader never came to its end: %v", context.Cause(ctx))
			return
		}
		_ = r.live(ctx, conn)
		if r.joined {
			d.rawJoins.Add(1)
		}
	}
}

func (d *dropper) check() {
	logs := make(map[string]check.Log)
	for _, id := range d.rooms {
		logs[string(id)] = check.Read(d.t.Context(), d.server.store, id)
		d.Log(logs[string(id)], nil)
	}
	for _, r := range d.tails {
		d.Reader(logs[r.room], "a reader", r.after, r.saw)
		for _, b := range r.bent {
			d.Add(check.Diverged, b)
		}
		if r.resets > 0 {
			d.Add(check.Diverged, fmt.Sprintf("%d resumes were reset", r.resets))
		}
	}
	for _, s := range d.sessions {
		d.Reader(logs[s.room], "a session of package client", s.after, s.saw)
		if s.resets > 0 {
			d.Add(check.Diverged, fmt.Sprintf("%d resumes of package client were reset", s.resets))
		}
	}
}
