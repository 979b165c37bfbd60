package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/client"
)

// A cutter is a way to a server on which every connection breaks after some bytes, in one direction or the other.
type cutter struct {
	net.Listener
	to    string
	wg    sync.WaitGroup
	mu    sync.Mutex
	rand  *rand.Rand
	drops int
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, to: to, rand: rand.New(rand.NewPCG(1, 2))}
	c.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.carry(in) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.wg.Wait()
	})
	return c
}

func (c *cutter) carry(in net.Conn) {
	defer in.Close()
	out, err := new(net.Dialer).DialContext(context.Background(), "tcp", c.to)
	if err != nil {
		return
	}
	defer out.Close()
	c.mu.Lock()
	up, down := 300+c.rand.Int64N(2000), 1000+c.rand.Int64N(6000)
	c.drops++
	c.mu.Unlock()
	done := make(chan struct{}, 2)
	go func() { _, _ = io.CopyN(out, in, up); done <- struct{}{} }()
	go func() { _, _ = io.CopyN(in, out, down); done <- struct{}{} }()
	<-done
	_, _ = in.Close(), out.Close()
	<-done
}

// A guest says its part in the room, and writes down what it hears.
type guest struct {
	name  string
	seat  *client.Session
	heard []string
}

const (
	guests = 3
	each   = 60
)

// join takes a seat and waits until it is there.
func join(ctx context.Context, t *testing.T, c *client.Client, room, name string) *guest {
	t.Helper()
	seat, err := c.Join(ctx, client.JoinOptions{Room: room, User: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = seat.Close() })
	for {
		ev, err := seat.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := ev.(client.Snapshot); ok {
			return &guest{name: name, seat: seat}
		}
	}
}

func (g *guest) listen(ctx context.Context) error {
	for ev, err := range g.seat.Events(ctx) {
		switch e := ev.(type) {
		case nil:
			return err
		case client.Snapshot:
			return fmt.Errorf("reset: %s", e.Reason)
		case client.MessageReceived:
			if g.heard = append(g.heard, e.Message.Text); len(g.heard) == guests*each {
				return nil
			}
		}
	}
	return nil
}

func (g *guest) speak(ctx context.Context) error {
	for n := range each {
		if _, err := g.seat.Send(ctx, client.Draft{Text: fmt.Sprintf("%s says %d", g.name, n)}); err != nil {
			return err
		}
	}
	return nil
}

// Everything that is said over connections that keep breaking is in the log once and comes to everybody once.
func TestConnectionsThatBreak(t *testing.T) {
	s := startServer(t)
	id, err := s.client(t).CreateRoom(t.Context(), client.NewRoom{Name: "Storm", CreatedBy: "u0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cut := newCutter(t, s.Server)
	party := make([]*guest, guests)
	for i := range party {
		party[i] = join(ctx, t, Server{cut.Addr().String()}.client(t), id, fmt.Sprint("u", i))
	}
	var wg sync.WaitGroup
	for _, g := range party {
		for _, part := range []func(context.Context) error{g.listen, g.speak} {
			wg.Go(func() {
				if err := part(ctx); err != nil {
					t.Errorf("%s: %v", g.name, err)
				}
			})
		}
	}
	wg.Wait()
	var log []string
	for m, err := range s.client(t).History(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, m.Text)
	}
	slices.Reverse(log)
	for _, g := range party {
		if !slices.Equal(g.heard, log) {
			t.Errorf("%s heard %q\nthe log has %q", g.name, g.heard, log)
		}
	}
	cut.mu.Lock()
	defer cut.mu.Unlock()
	if cut.drops < 3*guests {
		t.Errorf("only %d connections: the test tests nothing", cut.drops)
	}
}
