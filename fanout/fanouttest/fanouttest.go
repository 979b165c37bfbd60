// Package fanouttest is the suite that every fanout.Bus passes.
package fanouttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"parley/fanout"
	"parley/room"
)

// patience is how long a packet that must come may take.
const patience = 5 * time.Second

// Run tests a driver. connect returns the lines of n nodes that are connected with each other and nobody else.
func Run(t *testing.T, connect func(t *testing.T, n int) []fanout.Bus) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, nodes []fanout.Bus)
	}{
		{"a packet reaches every other node that subscribed", reaches},
		{"a node does not hear itself", notItself},
		{"what is not subscribed, or not any more, does not come", onlySubscribed},
		{"packets of one node come in order", inOrder},
		{"publishing never waits for a node that does not receive", neverWaits},
		{"receiving ends with its context and with the bus", ends},
	} {
		t.Run(test.name, func(t *testing.T) {
			nodes := connect(t, 3)
			t.Cleanup(func() {
				for _, n := range nodes {
					if err := n.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				}
			})
			test.run(t, nodes)
		})
	}
}

func hint(id room.ID, head room.Offset) fanout.Packet { return fanout.Packet{Room: id, Head: head} }

func receive(t *testing.T, b fanout.Bus) fanout.Packet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := b.Receive(ctx)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return p
}

// nothing checks that no packet waits, by sending a last one through the same line.
func nothing(t *testing.T, from, to fanout.Bus) {
	t.Helper()
	to.Subscribe("end")
	from.Publish(hint("end", 1))
	if p := receive(t, to); p.Room != "end" {
		t.Errorf("received %+v, want nothing before the end", p)
	}
}

func reaches(t *testing.T, nodes []fanout.Bus) {
	for _, n := range nodes {
		n.Subscribe("a")
		n.Subscribe("a")
	}
	nodes[0].Publish(hint("a", 7))
	said := room.Typing{Person: "maja", Name: "Maja", On: true}
	nodes[0].Publish(fanout.Packet{Room: "a", Signal: said})
	for _, n := range nodes[1:] {
		if p := receive(t, n); p.Room != "a" || p.Head != 7 {
			t.Errorf("received %+v, want the hint", p)
		}
		if p := receive(t, n); p.Signal != said {
			t.Errorf("received %+v, want the signal", p)
		}
	}
}

func notItself(t *testing.T, nodes []fanout.Bus) {
	nodes[0].Subscribe("a")
	nodes[0].Publish(hint("a", 1))
	nothing(t, nodes[1], nodes[0])
}

func onlySubscribed(t *testing.T, nodes []fanout.Bus) {
	nodes[1].Subscribe("a")
	nodes[1].Unsubscribe("a")
	nodes[0].Publish(hint("a", 1))
	nodes[0].Publish(hint("b", 1))
	nothing(t, nodes[0], nodes[1])
}

func inOrder(t *testing.T, nodes []fanout.Bus) {
	nodes[1].Subscribe("a")
	for i := range room.Offset(100) {
		nodes[0].Publish(hint("a", i+1))
	}
	for i := range room.Offset(100) {
		if p := receive(t, nodes[1]); p.Head != i+1 {
			t.Fatalf("received %d, want %d", p.Head, i+1)
		}
	}
}

func neverWaits(t *testing.T, nodes []fanout.Bus) {
	nodes[1].Subscribe("a")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range room.Offset(100_000) {
			nodes[0].Publish(hint("a", i+1))
		}
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("publishing waits")
	}
}

func ends(t *testing.T, nodes []fanout.Bus) {
	ctx, cancel := context.WithCancelCause(t.Context())
	want := fmt.Errorf("enough")
	cancel(want)
	if _, err := nodes[0].Receive(ctx); !errors.Is(err, want) {
		t.Errorf("receive: %v, want the context's cause", err)
	}
	closed := make(chan error, 1)
	go func() {
		_, err := nodes[0].Receive(t.Context())
		closed <- err
	}()
	if err := nodes[0].Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	select {
	case err := <-closed:
		if !errors.Is(err, fanout.ErrClosed) {
			t.Errorf("receive: %v, want ErrClosed", err)
		}
	case <-time.After(patience):
		t.Error("receive goes on after close")
	}
}
