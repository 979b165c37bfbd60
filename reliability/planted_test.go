package reliability

import (
	"context"
	"iter"
	"slices"
	"sync"

	"parley/journal"
	"parley/room"
	"parley/work"
)

// plant puts the bug between the hub and its store, or its worker.
func (b bug) plant(s journal.Store, w work.Worker) (journal.Store, work.Worker) {
	switch b {
	case ackEarly:
		return newEarly(s), w
	case moves:
		return rewriting{s, swap}, w
	case votesTwice:
		return rewriting{s, voteTwice}, w
	case losesVotes:
		return rewriting{s, loseVote}, w
	case miscounts:
		return rewriting{s, miscount}, w
	case peeks:
		g := &gossip{Store: s, worker: w}
		return g, g
	case sound, noDedup:
	}
	return s, w
}

// early acknowledges when a batch is encoded, and writes it later. It holds back a writer who is too far ahead of the
// disk, so that it loses entries and not its clients.
type early struct {
	journal.Store
	mu      sync.Mutex
	changed *sync.Cond
	waiting []journal.Batch
	taken   int // batches ever accepted
	written int // batches ever written
	writing bool
}

func newEarly(s journal.Store) *early {
	e := &early{Store: s}
	e.changed = sync.NewCond(&e.mu)
	return e
}

const (
	lag  = 8       // how many batches wait before any is written
	most = 4 * lag // how many may wait
)

func (e *early) Append(_ context.Context, b journal.Batch) error {
	if _, err := journal.AppendRecord(nil, &b); err != nil { // fills in the hashes
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.waiting) >= most {
		e.changed.Wait()
	}
	b.Entries = slices.Clone(b.Entries)
	e.waiting = append(e.waiting, b)
	e.taken++
	if len(e.waiting) >= lag {
		e.start()
	}
	return nil
}

func (e *early) start() {
	if !e.writing {
		e.writing = true
		go e.write()
	}
}

// write writes what waits.
func (e *early) write() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.waiting) > 0 {
		b := e.waiting[0]
		e.waiting = e.waiting[1:]
		e.mu.Unlock()
		if err := e.Store.Append(context.Background(), b); err != nil {
			panic(err)
		}
		e.mu.Lock()
		e.written++
		e.changed.Broadcast()
	}
	e.writing = false
}

// flush waits until all that was accepted before is written.
func (e *early) flush() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for upTo := e.taken; e.written < upTo; e.changed.Wait() {
		e.start()
	}
}

func (e *early) Read(ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	e.flush()
	return e.Store.Read(ctx, id, after)
}

func (e *early) Close() error {
	e.flush()
	return e.Store.Close()
}

// rewriting changes batches on their way to the disk; the hub does not notice.
type rewriting struct {
	journal.Store
	rewrite func([]room.Entry)
}

func (s rewriting) Append(ctx context.Context, b journal.Batch) error {
	told := b.Entries
	b.Entries = slices.Clone(told)
	s.rewrite(b.Entries)
	err := s.Store.Append(ctx, b)
	for i := range told {
		told[i].Hash = b.Entries[i].Hash
	}
	return err
}

// swap exchanges the first two messages.
func swap(entries []room.Entry) {
	var posted []int
	for i, e := range entries {
		if v, ok := e.Event.(room.MessagePosted); ok && len(v.Mentions) == 0 {
			posted = append(posted, i)
		}
	}
	if len(posted) >= 2 {
		x, y := &entries[posted[0]], &entries[posted[1]]
		x.By, x.Cause, x.Event, y.By, y.Cause, y.Event = y.By, y.Cause, y.Event, x.By, x.Cause, x.Event
	}
}

// A model's vote and what it took stand side by side. voteTwice puts the vote in the place of both, loseVote the other.
func voteTwice(entries []room.Entry) {
	ballots(entries, func(v, took *room.Entry) { took.Event = v.Event })
}

func loseVote(entries []room.Entry) {
	ballots(entries, func(v, took *room.Entry) { v.Event = took.Event })
}

func ballots(entries []room.Entry, change func(vote, took *room.Entry)) {
	for i := range len(entries) - 1 {
		_, vote := entries[i].Event.(room.VoteCast)
		_, took := entries[i+1].Event.(room.UsageRecorded)
		if vote && took {
			change(&entries[i], &entries[i+1])
			return
		}
	}
}

// miscount gives the first option a vote that nobody cast.
func miscount(entries []room.Entry) {
	for i, e := range entries {
		if v, ok := e.Event.(room.PollClosed); ok {
			v.Result.Counts = slices.Clone(v.Result.Counts)
			v.Result.Counts[0]++
			entries[i].Event = v
		}
	}
}

// gossip has each model read why the others voted as they did.
type gossip struct {
	journal.Store
	worker work.Worker
	mu     sync.Mutex
	heard  []room.Message
}

func (g *gossip) Append(ctx context.Context, b journal.Batch) error {
	err := g.Store.Append(ctx, b)
	for _, e := range b.Entries {
		g.hear(e)
	}
	return err
}

func (g *gossip) Read(ctx context.Context, id room.ID, after room.Offset) iter.Seq2[room.Entry, error] {
	return func(yield func(room.Entry, error) bool) {
		for e, err := range g.Store.Read(ctx, id, after) {
			if g.hear(e); !yield(e, err) {
				return
			}
		}
	}
}

func (g *gossip) hear(e room.Entry) {
	if v, ok := e.Event.(room.VoteCast); ok {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.heard = append(g.heard, room.Message{ID: 1, Entry: 1, By: e.By, Name: v.Name, Text: v.Reason})
	}
}

// Do implements work.Worker.
func (g *gossip) Do(ctx context.Context, job room.Job, desk work.Desk) error {
	return g.worker.Do(ctx, job, gossipDesk{desk, g})
}

type gossipDesk struct {
	work.Desk
	gossip *gossip
}

func (d gossipDesk) View(ctx context.Context, n int) (room.View, error) {
	v, err := d.Desk.View(ctx, n)
	d.gossip.mu.Lock()
	defer d.gossip.mu.Unlock()
	v.Messages = slices.Concat(d.gossip.heard, v.Messages)
	return v, err
}
