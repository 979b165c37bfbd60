// Package cut is a TCP relay that breaks connections.
//
// A connection lives for a number of bytes from the server, chosen anew for each, so that it breaks anywhere: in the
// handshake, between two messages, in the middle of one. It breaks without a goodbye, by a reset to both sides.
package cut

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// A Relay passes connections on to a server. Its methods may be called from any goroutine.
type Relay struct {
	listen net.Listener
	server string
	budget func() int64
	cuts   atomic.Int64
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	pairs  map[*pair]struct{}
}

// A pair is one connection and its continuation.
type pair struct{ client, server *net.TCPConn }

// New starts a relay on a port of its own. budget is asked, once for each connection and by one goroutine at a time,
// how many bytes the server may send on it; a negative number means any.
func New(server string, budget func() int64) (*Relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{listen: l, server: server, budget: budget, pairs: make(map[*pair]struct{})}
	r.wg.Go(r.accept)
	return r, nil
}

// Addr is where clients connect to.
func (r *Relay) Addr() string { return r.listen.Addr().String() }

// Cuts is how many connections have been broken.
func (r *Relay) Cuts() int64 { return r.cuts.Load() }

// Close breaks all connections and waits until nothing of the relay runs any more.
func (r *Relay) Close() {
	_ = r.listen.Close()
	r.mu.Lock()
	r.closed = true
	for p := range r.pairs {
		p.reset()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *Relay) accept() {
	for {
		c, err := r.listen.Accept()
		if err != nil {
			return
		}
		s, err := new(net.Dialer).DialContext(context.Background(), "tcp", r.server)
		if err != nil {
			_ = c.Close()
			continue
		}
		p := &pair{c.(*net.TCPConn), s.(*net.TCPConn)}
		if !r.add(p) {
			p.reset()
			return
		}
		budget := r.budget()
		r.wg.Go(func() { r.down(p, budget) })
		r.wg.Go(func() { p.up() })
	}
}

func (r *Relay) add(p *pair) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pairs[p] = struct{}{}
	return !r.closed
}

// down carries what the server sends, as long as the budget lasts.
func (r *Relay) down(p *pair, budget int64) {
	var from io.Reader = p.server
	if budget >= 0 {
		from = io.LimitReader(p.server, budget)
	}
	n, err := io.Copy(p.client, from)
	if err == nil && n == budget {
		r.cuts.Add(1)
	}
	p.reset()
	r.mu.Lock()
	delete(r.pairs, p)
	r.mu.Unlock()
}

func (p *pair) up() {
	_, _ = io.Copy(p.server, p.client)
	p.reset()
}

// reset breaks both sides.
func (p *pair) reset() {
	for _, c := range []*net.TCPConn{p.client, p.server} {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}
