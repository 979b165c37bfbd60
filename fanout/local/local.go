// Package local is a fanout.Bus between the hubs of one process: the default for one node, and the bus of tests with
// several. With one hub it carries nothing and costs nothing.
package local

import (
	"context"
	"sync"

	"parley/fanout"
	"parley/room"
)

// queued is how many packets wait for a node that does not receive; more are dropped.
const queued = 4096

// An Exchange connects nodes.
type Exchange struct {
	mu    sync.RWMutex
	nodes map[*node]struct{}
}

// New returns an exchange without nodes.
func New() *Exchange { return &Exchange{nodes: make(map[*node]struct{})} }

// Node adds a node and returns its line to the others.
func (x *Exchange) Node() fanout.Bus {
	n := &node{exchange: x, rooms: make(map[room.ID]struct{}), queue: make(chan fanout.Packet, queued), done: make(chan struct{})}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.nodes[n] = struct{}{}
	return n
}

type node struct {
	exchange *Exchange
	queue    chan fanout.Packet
	done     chan struct{}
	once     sync.Once

	mu    sync.Mutex
	rooms map[room.ID]struct{}
}

var _ fanout.Bus = (*node)(nil)

func (n *node) Publish(p fanout.Packet) {
	n.exchange.mu.RLock()
	defer n.exchange.mu.RUnlock()
	for other := range n.exchange.nodes {
		if other != n {
			other.offer(p)
		}
	}
}

func (n *node) offer(p fanout.Packet) {
	n.mu.Lock()
	_, wanted := n.rooms[p.Room]
	n.mu.Unlock()
	if !wanted {
		return
	}
	select {
	case n.queue <- p:
	default:
	}
}

func (n *node) Subscribe(id room.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rooms[id] = struct{}{}
}

func (n *node) Unsubscribe(id room.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.rooms, id)
}

func (n *node) Receive(ctx context.Context) (fanout.Packet, error) {
	select {
	case p := <-n.queue:
		return p, nil
	case <-n.done:
		return fanout.Packet{}, fanout.ErrClosed
	case <-ctx.Done():
		return fanout.Packet{}, context.Cause(ctx)
	}
}

func (n *node) Close() error {
	n.once.Do(func() {
		n.exchange.mu.Lock()
		delete(n.exchange.nodes, n)
		n.exchange.mu.Unlock()
		close(n.done)
	})
	return nil
}
