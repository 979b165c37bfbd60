//go:build seam

package hub_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/fanout"
	"parley/fanout/local"
	"parley/hub"
	"parley/journal"
	"parley/journal/memory"
	"parley/room"
	"parley/seam"
	"parley/work"
)

// The simulation runs two hubs on one log, with a bus that loses and a store that fails, under writers that send
// again, followers that come and go, and restarts. A seed decides everything: how long each named point takes, what
// fails, what is lost. Time is virtual. Afterwards a checker, which knows nothing of the hub, compares what everybody
// saw with the log.
//
//	SEED=7 go test -tags seam -run TestSimulation ./hub      replays one seed
//	SEEDS=100000 go test -tags seam -run TestSimulation ./hub
//	FROM=100001 SEEDS=100000 go test ...                     the next as many

// A dice rolls by seed: the nth roll of a name is always the same, whatever else is rolled.
type dice struct {
	seed uint64
	mu   sync.Mutex
	n    map[string]uint64
}

func newDice(seed uint64) *dice { return &dice{seed: seed, n: make(map[string]uint64)} }

// roll returns a number from 0 to sides-1.
func (d *dice) roll(name string, sides int) int {
	d.mu.Lock()
	n := d.n[name]
	d.n[name] = n + 1
	d.mu.Unlock()
	x := d.seed<<32 ^ n
	for _, c := range []byte(name) {
		x = (x ^ uint64(c)) * 0x100000001b3
	}
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return int(x % uint64(sides))
}

// wait lets some virtual time pass: mostly little, sometimes much.
func (d *dice) wait(name string, most time.Duration) {
	n := d.roll(name, int(most))
	if d.roll(name+"/long", 8) > 0 {
		n /= 50
	}
	time.Sleep(time.Duration(n + 1))
}

// calm is how long a run goes on after everything was said: all that is under way comes to its end.
const calm = 10 * time.Second

// A sim is one run of the simulation.
type sim struct {
	*dice
	t     *testing.T
	store *faultyStore
	nodes *local.Exchange
	reach *reached

	nodesUp int
	mu      sync.Mutex
	hubs    [2]*hub.Hub
	acks    map[string]room.Offset // by author and cause: what senders were told
	tails   []*simTail
	errors  []string
}

// reached counts the rare states that runs came through.
type reached struct {
	mu sync.Mutex
	n  map[string]int
}

func (r *reached) hit(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n[name]++
}

// rare are the states that a simulation must reach to be worth anything.
var rare = []string{
	"conflict", "unknown outcome, landed", "unknown outcome, not landed", "sent again, written once", "resumed",
	"resumed in the middle of a reply", "served from the store", "words joined", "interrupted with words", "reply resumed",
	"reply given up", "restarted while a reply ran", "packet lost",
}

func simulate(t *testing.T, seed uint64, reach *reached) (trace string, problems []string) {
	s := &sim{dice: newDice(seed), t: t, nodes: local.New(), reach: reach, acks: make(map[string]room.Offset)}
	s.store = &faultyStore{Store: memory.New(), sim: s, hashes: make(map[room.Offset]room.Hash)}
	s.nodesUp = 1 + s.roll("nodes", 2)
	defer seam.Handle(func(name string) { s.wait(name, 3*time.Millisecond) })()
	for i := range s.nodesUp {
		s.start(i)
	}
	s.setup()
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() { s.write(fmt.Sprintf("w%d", i)) })
	}
	stop := make(chan struct{})
	var tails sync.WaitGroup
	for i := range 2 {
		tail := &simTail{name: fmt.Sprintf("f%d", i)}
		s.tails = append(s.tails, tail)
		tails.Go(func() { s.tail(tail, stop) })
	}
	wg.Go(s.restart)
	wg.Wait()
	close(stop)
	tails.Wait()
	for i := range s.nodesUp {
		_ = s.hub(i).Close()
	}
	return check(s)
}

func (s *sim) start(i int) {
	rules := room.DefaultRules()
	rules.ReplyTime = calm / 2
	cfg := hub.Config{
		Store: s.store, Bus: lossyBus{s.nodes.Node(), s}, Rules: rules, Ring: 4,
		IdleAfter: 2 * time.Second, Retry: 100 * time.Millisecond, Poll: calm / 4,
	}
	if i == 0 {
		cfg.Worker = simTalker{s}
	}
	h, err := hub.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hubs[i] = h
}

func (s *sim) hub(i int) *hub.Hub {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hubs[i]
}

func (s *sim) setup() {
	s.must("w0", room.Create{Epoch: "e", Name: "Lobby", Models: []room.Model{{ID: "ada", Name: "Ada"}, {ID: "bob", Name: "Bob"}}})
	for _, p := range []string{"w0", "w1", "w2", "f0", "f1"} {
		s.must(p, room.Join{})
	}
}

func (s *sim) must(who string, c room.Command) {
	if err := s.send(who, fmt.Sprintf("c:%T", c), c); err != nil {
		s.t.Fatalf("seed %d: %s %T: %v", s.seed, who, c, err)
	}
}

// send issues a command until somebody says what became of it.
func (s *sim) send(who, cause string, c room.Command) error {
	by := room.PersonIdentity(room.PersonID(who))
	for range 1000 {
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Duration(s.roll(who+"/patience", int(50*time.Millisecond))+1))
		got, err := s.hub(s.roll(who+"/node", s.nodesUp)).Do(ctx, lobby, room.Meta{By: by, Cause: cause}, c)
		cancel()
		switch code := room.CodeOf(err); {
		case err == nil:
			if got.Entries == 0 && got.Offset > 0 {
				s.reach.hit("sent again, written once")
			}
			s.mu.Lock()
			s.acks[string(by)+cause] = got.Offset
			s.mu.Unlock()
			return nil
		case code == room.CodeDraining, code == room.CodeUnavailable, code == room.CodeBusy, errors.Is(err, context.DeadlineExceeded):
			s.wait(who+"/again", 20*time.Millisecond)
		default:
			return err
		}
	}
	return errors.New("never answered")
}

func (s *sim) write(who string) {
	for i := range 6 {
		s.wait(who, 200*time.Millisecond)
		cause := fmt.Sprintf("c:%d", i)
		var err error
		switch s.roll(who+"/what", 6) {
		case 0:
			err = s.send(who, cause, room.PostMessage{Text: "@ada and @bob, what now? " + who + cause})
		case 1:
			err = s.send(who, cause, room.PostMessage{Text: "@ada? " + who + cause})
		case 2:
			err = s.send(who, cause, room.InterruptReply{Model: "ada"})
			if room.CodeOf(err) == room.CodeNotFound {
				err = nil
			}
		default:
			err = s.send(who, cause, room.PostMessage{Text: who + cause})
		}
		if err != nil {
			s.report("%s: %v", who, err)
		}
	}
}

func (s *sim) report(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors = append(s.errors, fmt.Sprintf(format, args...))
}

// restart ends a node, at some time, and starts another one in its place.
func (s *sim) restart() {
	for range s.roll("restarts", 4) {
		s.wait("restart", 500*time.Millisecond)
		i := s.roll("restart/node", s.nodesUp)
		if v, err := s.hub(i).View(s.t.Context(), lobby, room.System, 0); i == 0 && err == nil && len(v.Replies) > 0 {
			s.reach.hit("restarted while a reply ran")
		}
		_ = s.hub(i).Close()
		s.start(i)
	}
}

// A simTail is what one follower saw, over all its connections.
type simTail struct {
	name    string
	cursor  hub.Cursor
	entries []room.Entry           // since the view
	words   map[room.Offset]string // of the replies under way
	from    room.Offset            // of the view
}

func (t *simTail) identity() room.Identity { return room.PersonIdentity(room.PersonID(t.name)) }

func (s *sim) tail(t *simTail, stop <-chan struct{}) {
	for {
		stay, last := time.Duration(s.roll(t.name+"/stay", int(400*time.Millisecond))+1), false
		select {
		case <-stop:
			stay, last = calm, true
		default:
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), stay)
		h := s.hub(s.roll(t.name+"/node", s.nodesUp))
		if s.roll(t.name+"/served", 2) == 0 {
			s.serve(ctx, h, t)
		} else {
			s.follow(ctx, h, t)
		}
		cancel()
		if last {
			return
		}
		s.wait(t.name+"/away", 50*time.Millisecond)
	}
}

func (s *sim) follow(ctx context.Context, h *hub.Hub, t *simTail) {
	for it, err := range h.Follow(ctx, lobby, t.identity(), t.cursor) {
		if err != nil {
			return
		}
		s.read(t, it)
	}
}

func (s *sim) read(t *simTail, it *hub.Item) {
	s.see(t, it)
	if s.roll(t.name+"/slow", 4) == 0 {
		s.wait(t.name+"/read", 30*time.Millisecond)
	}
}

// serve is follow by a sink.
func (s *sim) serve(ctx context.Context, h *hub.Hub, t *simTail) {
	sink := &simSink{sim: s, tail: t, ended: make(chan struct{}), mu: make(simLock, 1)}
	served, err := h.Serve(ctx, lobby, t.identity(), t.cursor, sink)
	if err != nil {
		return
	}
	select {
	case <-ctx.Done():
	case <-sink.ended:
	}
	served.Stop()
	sink.mu.Lock() // a Take that is under way is waited for, and none comes after it
	defer sink.mu.Unlock()
	sink.closed = true
}

type simSink struct {
	sim    *sim
	tail   *simTail
	ended  chan struct{}
	once   sync.Once
	mu     simLock
	closed bool
}

// A simLock is a mutex whose wait lets virtual time pass.
type simLock chan struct{}

func (l simLock) Lock()   { l <- struct{}{} }
func (l simLock) Unlock() { <-l }

func (s *simSink) Take(items []*hub.Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("the tail is elsewhere by now")
	}
	for _, it := range items {
		s.sim.read(s.tail, it)
	}
	return nil
}

func (s *simSink) End(error) { s.once.Do(func() { close(s.ended) }) }

// see takes note of an item, and checks what can be checked at once.
func (s *sim) see(t *simTail, it *hub.Item) {
	switch {
	case it.View != nil:
		if t.from != 0 {
			s.report("%s: a view instead of a resume: %s", t.name, it.View.Reset)
		}
		t.from, t.cursor = it.View.Offset, it.View.Cursor
		t.words = make(map[room.Offset]string)
		for _, r := range it.View.Replies {
			t.words[r.Ref.ID] = r.Text
		}
	case it.Resumed:
		s.reach.hit("resumed")
		if len(t.words) > 0 {
			s.reach.hit("resumed in the middle of a reply")
		}
		t.words = make(map[room.Offset]string)
	case it.Entry != nil:
		t.cursor.Offset = it.Entry.Offset
		t.entries = append(t.entries, *it.Entry)
		s.store.durable(t, it.Entry)
		s.ended(t, it.Entry.Event)
	default:
		if said, ok := it.Signal.(room.Said); ok {
			s.hear(t, said)
		}
	}
}

func (s *sim) hear(t *simTail, said room.Said) {
	known := t.words[said.Reply.ID]
	if said.Position > len(known) || said.Position < len(known) && said.Position != 0 {
		s.report("%s: words at %d of reply %d, %d bytes known", t.name, said.Position, said.Reply.ID, len(known))
		return
	}
	if len(said.Text) > len("word 0 ") {
		s.reach.hit("words joined")
	}
	t.words[said.Reply.ID] = known[:said.Position] + said.Text
}

// ended compares the words heard of a reply with those the log keeps.
func (s *sim) ended(t *simTail, event room.Event) {
	var ref room.ReplyRef
	var text string
	switch v := event.(type) {
	case room.ReplyResumed:
		delete(t.words, v.Reply.ID)
		s.reach.hit("reply resumed")
		return
	case room.ReplyCompleted:
		ref, text = v.Reply, v.Text
	case room.ReplyInterrupted:
		ref, text = v.Reply, v.Text
		if text != "" {
			s.reach.hit("interrupted with words")
		}
		delete(t.words, ref.ID)
		return // another node may have heard less than this follower
	default:
		return
	}
	if heard := t.words[ref.ID]; len(heard) > len(text) || text[:len(heard)] != heard {
		s.report("%s: reply %d: heard %q, but it says %q", t.name, ref.ID, heard, text)
	}
	delete(t.words, ref.ID)
}

// A simTalker answers in words, at the dice's pace, or fails in one of several ways.
type simTalker struct{ *sim }

func (k simTalker) Do(ctx context.Context, job room.Job, desk work.Desk) error {
	reply := job.(room.ReplyJob).Reply
	name := job.ID()
	text := ""
	for i := range k.roll(name+"/length", 8) {
		k.wait(name, 100*time.Millisecond)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		word := fmt.Sprintf("word %d ", i)
		desk.Signal(room.Said{Reply: room.ReplyRef{ID: reply}, Position: len(text), Text: word})
		text += word
	}
	var c room.Command = room.CompleteReply{Reply: reply, Text: text + "end"}
	switch k.roll(name+"/outcome", 6) {
	case 0:
		c = room.FailReply{Reply: reply, Text: text, Reason: "out of words"}
	case 1:
		c = room.DeclineReply{Reply: reply}
	case 2:
		if k.roll(fmt.Sprintf("%s/hopeless", name), 2) == 0 {
			return errors.New("lost the thread")
		}
	}
	_, err := desk.Do(ctx, c)
	return err
}

// A lossyBus loses some packets.
type lossyBus struct {
	fanout.Bus
	sim *sim
}

func (b lossyBus) Publish(p fanout.Packet) {
	if b.sim.roll("bus", 4) == 0 {
		b.sim.reach.hit("packet lost")
		return
	}
	b.Bus.Publish(p)
}

// A faultyStore takes its time, and sometimes does not say what it did.
type faultyStore struct {
	journal.Store
	sim *sim

	mu     sync.Mutex
	hashes map[room.Offset]room.Hash // of what is stored
}

var errFault = errors.New("the disk did not answer")

func (f *faultyStore) Append(ctx context.Context, b journal.Batch) error {
	f.sim.wait("append/before", 2*time.Millisecond)
	fault := f.sim.roll("append/fault", 24)
	if fault == 0 {
		f.sim.reach.hit("unknown outcome, not landed")
		return errFault
	}
	err := f.Store.Append(ctx, b)
	if err == nil {
		f.stored(b.Entries)
	}
	f.sim.wait("append/after", 2*time.Millisecond)
	switch {
	case errors.Is(err, journal.ErrConflict):
		f.sim.reach.hit("conflict")
	case err == nil && fault == 1:
		f.sim.reach.hit("unknown outcome, landed")
		return errFault
	}
	return err
}

func (f *faultyStore) Read(ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	if after > 0 {
		f.sim.reach.hit("served from the store")
	}
	return f.Store.Read(ctx, id, after)
}

func (f *faultyStore) stored(entries []room.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range entries {
		f.hashes[e.Offset] = e.Hash
	}
}

// durable reports an entry that a follower saw before the store had it, or that differs from the store's.
func (f *faultyStore) durable(t *simTail, e *room.Entry) {
	f.mu.Lock()
	stored, ok := f.hashes[e.Offset]
	f.mu.Unlock()
	if !ok || stored != e.Hash {
		f.sim.report("%s saw entry %d %x, which is not what is stored (%x)", t.name, e.Offset, e.Hash[:4], stored[:4])
	}
}

// check compares what everybody was told with the log. It reads the log through the store's codec and nothing else.
func check(s *sim) (trace string, problems []string) {
	problems = s.errors
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var logged []room.Entry
	for e, err := range s.store.Store.Read(context.Background(), lobby, 0) {
		if err != nil {
			bad("read: %v", err)
			break
		}
		logged = append(logged, e)
	}
	checkAcks(s, logged, bad)
	checkReplies(s, logged, bad)
	for _, t := range s.tails {
		checkTail(t, logged, bad)
	}
	h := fnv.New64a()
	for _, e := range logged {
		fmt.Fprintln(h, e.Offset, e.By, e.Event)
	}
	return strconv.FormatUint(h.Sum64(), 16), problems
}

func checkAcks(s *sim, logged []room.Entry, bad func(string, ...any)) {
	first := make(map[string]room.Offset)
	posted := make(map[string]int)
	for _, e := range logged {
		key := string(e.By) + e.Cause
		if _, ok := first[key]; !ok {
			first[key] = e.Offset
		}
		if m, ok := e.Event.(room.MessagePosted); ok {
			if posted[key]++; posted[key] > 1 {
				bad("message %q of %s is in the log %d times", m.Text, key, posted[key])
			}
		}
	}
	for key, at := range s.acks {
		if got := first[key]; at != 0 && got != at {
			bad("%s was acknowledged at %d, the log has it at %d", key, at, got)
		}
	}
}

func checkReplies(s *sim, logged []room.Entry, bad func(string, ...any)) {
	outcomes := make(map[room.Offset]int)
	for _, e := range logged {
		var ref room.ReplyRef
		switch v := e.Event.(type) {
		case room.ReplyRequested:
			outcomes[e.Offset] = 0
			continue
		case room.ReplyCompleted:
			ref = v.Reply
		case room.ReplyFailed:
			ref = v.Reply
			if v.Reason != "out of words" {
				s.reach.hit("reply given up")
			}
		case room.ReplyDeclined:
			ref = v.Reply
		case room.ReplyInterrupted:
			ref = v.Reply
		default:
			continue
		}
		outcomes[ref.ID]++
	}
	for id, n := range outcomes {
		if n != 1 {
			bad("reply %d has %d outcomes, want one", id, n)
		}
	}
}

func checkTail(t *simTail, logged []room.Entry, bad func(string, ...any)) {
	want := logged[min(int(t.from), len(logged)):]
	if len(t.entries) != len(want) {
		bad("%s saw %d entries after %d, the log has %d", t.name, len(t.entries), t.from, len(want))
	}
	for i := range min(len(want), len(t.entries)) {
		if got := t.entries[i]; got.Offset != want[i].Offset || got.Hash != want[i].Hash {
			bad("%s: entry %d is %d, want %d", t.name, i, got.Offset, want[i].Offset)
			return
		}
	}
}

func envInt(name string, standard int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return standard
}

func TestSimulation(t *testing.T) {
	if seed := os.Getenv("SEED"); seed != "" {
		n, err := strconv.ParseUint(seed, 10, 64)
		if err != nil {
			t.Fatalf("SEED=%s: want a number", seed)
		}
		runSeeds(t, n, 1)
		return
	}
	reach := runSeeds(t, uint64(envInt("FROM", 1)), envInt("SEEDS", 1000))
	for _, name := range rare {
		if reach.n[name] < 10 {
			t.Errorf("%q was reached %d times: too rarely for the simulation to say anything about it", name, reach.n[name])
		}
		t.Logf("%6d times: %s", reach.n[name], name)
	}
}

// Each bug is one that somebody might well write. The simulation must find it within a few thousand seeds.
func TestTheSimulationCatchesPlantedBugs(t *testing.T) {
	for _, bug := range []string{"hub.follow.gap", "hub.publish.early", "hub.no.dedup", "hub.words.gap"} {
		t.Run(bug, func(t *testing.T) {
			defer seam.Plant(bug)()
			defer oneProcessor()()
			reach := &reached{n: make(map[string]int)}
			for seed := range uint64(3000) {
				var problems []string
				synctest.Test(t, func(t *testing.T) { _, problems = simulate(t, seed, reach) })
				if len(problems) > 0 {
					t.Logf("SEED=%d: %s", seed, problems[0])
					return
				}
			}
			t.Error("not caught")
		})
	}
}

func TestASeedReplays(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes the scheduler choose at random; make test runs this without it, too")
	}
	defer oneProcessor()()
	reach := &reached{n: make(map[string]int)}
	same := 0
	for seed := range uint64(50) {
		var first, second string
		synctest.Test(t, func(t *testing.T) { first, _ = simulate(t, seed, reach) })
		synctest.Test(t, func(t *testing.T) { second, _ = simulate(t, seed, reach) })
		if first == second {
			same++
		}
	}
	t.Logf("%d of 50 seeds gave the same log twice", same)
	if same < 45 {
		t.Errorf("only %d of 50 seeds replay", same)
	}
}

// oneProcessor makes goroutines that are ready at one virtual instant run in the same order each time.
func oneProcessor() (restore func()) {
	n := runtime.GOMAXPROCS(1)
	return func() { runtime.GOMAXPROCS(n) }
}

func runSeeds(t *testing.T, first uint64, n int) *reached {
	defer oneProcessor()()
	reach := &reached{n: make(map[string]int)}
	for seed := first; seed < first+uint64(n); seed++ {
		synctest.Test(t, func(t *testing.T) {
			if _, problems := simulate(t, seed, reach); len(problems) > 0 {
				t.Errorf("SEED=%d: %q", seed, problems)
			}
		})
		if t.Failed() {
			break
		}
		if seed%10_000 == 0 {
			t.Logf("up to seed %d", seed)
		}
	}
	return reach
}
