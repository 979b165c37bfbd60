package hub

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"parley/room"
	"parley/seam"
)

// A Sink takes what a follower gets. Its methods are called by one goroutine at a time.
type Sink interface {
	// Take takes the next items, in order. It may block: that delays nobody else for long. After an error it is not
	// called again, and End is.
	Take(items []*Item) error
	// End says that there will be no more, and why. It must not block.
	End(err error)
}

// Serve follows like Follow, but hands the items to a sink, by goroutines that all sinks share: a follower that is
// level with its room costs no goroutine.
func (h *Hub) Serve(ctx context.Context, id room.ID, viewer room.Identity, from Cursor, sink Sink) (*Served, error) {
	a, err := h.acquire(id)
	if err != nil {
		return nil, err
	}
	s := &Served{ctx: ctx, hub: h, sink: sink, follower: follower{actor: a, viewer: viewer}}
	s.wake = func() { h.pool.push(s) }
	if s.first, err = s.start(ctx, from); err != nil {
		h.release(a)
		return nil, err
	}
	h.pool.push(s)
	return s, nil
}

// Served is a follower with a sink. Its methods may be called from any goroutine.
type Served struct {
	follower
	ctx   context.Context //nolint:containedctx // of the call of Serve: the reading of pages ends with it
	hub   *Hub
	sink  Sink
	first *Item       // what the follow begins with, until it was taken
	last  atomic.Bool // ends when it is level
	gone  atomic.Bool
}

// Finish has the follow end, with no error, as soon as the sink has what there is now.
func (s *Served) Finish() {
	s.last.Store(true)
	if s.forget() {
		s.hub.pool.push(s)
	}
}

// Stop lets go of the room. Take is not called any more, except by a call that is under way. It may be called again.
func (s *Served) Stop() {
	if s.gone.CompareAndSwap(false, true) {
		s.forget()
		s.hub.release(s.actor)
	}
}

// turns is how many batches a follower gets before the next one's turn.
const turns = 16

// serve hands over what there is, until the follower is level. scratch is the worker's.
func (s *Served) serve(scratch []*Item) []*Item {
	for range turns {
		if s.gone.Load() {
			return scratch
		}
		items, err := s.more(scratch[:0])
		if err == nil && len(items) == 0 {
			if s.last.Load() {
				s.sink.End(nil)
				s.Stop()
			}
			return scratch
		}
		scratch = items
		if err == nil {
			err = s.sink.Take(items)
		}
		if err != nil {
			s.sink.End(err)
			s.Stop()
			return scratch
		}
	}
	s.hub.pool.push(s)
	return scratch
}

func (s *Served) more(dst []*Item) ([]*Item, error) {
	if s.first != nil {
		dst, s.first = append(dst, s.first), nil
		return dst, nil
	}
	return s.take(s.ctx, dst)
}

// A pool is the goroutines that serve sinks. There are as many as processors; when all of them wait for slow sinks,
// there are twice as many, and so on.
type pool struct {
	hub  *Hub
	base int

	mu      sync.Mutex
	ready   sync.Cond
	queue   []*Served // to serve, the first at head
	head    int
	workers int
	idle    int
	begun   uint64 // how many were taken from the queue
	watched bool   // a look at progress is due
	closed  bool
}

func newPool(h *Hub) *pool {
	p := &pool{hub: h, base: runtime.GOMAXPROCS(0)}
	p.ready.L = &p.mu
	return p
}

// push has a follower served. One that is in the queue, or is being served, is never pushed.
func (p *pool) push(s *Served) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		s.sink.End(errDraining)
		return
	}
	p.queue = append(p.queue, s)
	switch {
	case p.idle > 0:
		p.ready.Signal()
	case p.workers < p.base:
		p.grow()
	case !p.watched:
		p.watch()
	}
}

func (p *pool) grow() {
	p.workers++
	p.hub.wg.Go(p.work)
}

// spareWorkers is how many wait for the next time that sinks are slow.
const spareWorkers = 32

// stuck is how long the queue may stand still before another worker takes over.
const stuck = 2 * time.Millisecond

// watch looks after a while whether the queue moves.
func (p *pool) watch() {
	p.watched = true
	before := p.begun
	p.hub.cfg.Clock.AfterFunc(stuck, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.watched = false
		if p.closed || len(p.queue) == p.head {
			return
		}
		if p.begun == before && p.idle == 0 { // all wait for slow sinks: as many again
			for range min(p.workers, len(p.queue)-p.head) {
				p.grow()
			}
		}
		p.watch()
	})
}

// work serves one follower after the other.
func (p *pool) work() {
	var scratch []*Item
	for s := p.take(); s != nil; s = p.take() {
		seam.Hit("hub.serve")
		scratch = s.serve(scratch)
		clear(scratch[:cap(scratch)])
	}
}

// take waits for a follower to serve; nil ends the worker.
func (p *pool) take() *Served {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) == p.head {
		if p.closed || p.idle >= max(p.base, spareWorkers) {
			p.workers--
			return nil
		}
		p.idle++
		p.ready.Wait()
		p.idle--
	}
	s := p.queue[p.head]
	p.queue[p.head] = nil
	p.begun++
	if p.head++; 2*p.head >= len(p.queue) { // what was taken makes room for what comes
		n := copy(p.queue, p.queue[p.head:])
		clear(p.queue[n:])
		p.queue, p.head = p.queue[:n], 0
	}
	switch {
	case len(p.queue) == p.head:
	case p.idle > 0:
		p.ready.Signal()
	case !p.watched:
		p.watch()
	}
	return s
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.ready.Broadcast()
}
