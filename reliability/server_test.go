package reliability

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"

	"parley/edge/rpc"
	"parley/fanout/local"
	"parley/hub"
	"parley/journal"
	"parley/journal/memory"
	"parley/reliability/wire"
	"parley/room"
	"parley/seam"
	"parley/work"

	roompb "parley/proto/gen/api/room"
)

// patience bounds how long a failing test waits; a passing one never waits for it.
const patience = 20 * time.Second

// A serverConfig says how a server under test differs from one that nobody configured.
type serverConfig struct {
	store     journal.Store // nil: in memory
	worker    work.Worker
	rules     room.Rules
	ring      int
	retry     time.Duration
	slowAfter time.Duration
	clock     seam.Clock // of the edge
}

// A server is what `parley serve` runs, without its configuration.
type server struct {
	hub   *hub.Hub
	store journal.Store
	edge  *rpc.Server
	addr  string
	ended chan error
}

func newServer(cfg serverConfig) (*server, error) {
	if cfg.store == nil {
		cfg.store = memory.New()
	}
	h, err := hub.New(hub.Config{
		Store: cfg.store, Bus: local.New().Node(), Worker: cfg.worker, Rules: cfg.rules, Ring: cfg.ring, Retry: cfg.retry,
	})
	if err != nil {
		return nil, err
	}
	edge, err := rpc.New(rpc.Config{Hub: h, Clock: cfg.clock, SlowAfter: cfg.slowAfter})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{hub: h, store: cfg.store, edge: edge, addr: l.Addr().String(), ended: make(chan error, 1)}
	go func() { s.ended <- edge.Serve(l) }()
	return s, nil
}

func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.edge.Close(ctx)
	err := <-s.ended
	if e := s.hub.Close(); err == nil {
		err = e
	}
	if e := s.store.Close(); err == nil {
		err = e
	}
	return err
}

// start runs a server until the test ends.
func start(t testing.TB, cfg serverConfig) *server {
	t.Helper()
	s, err := newServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
	})
	return s
}

// dial connects to an address until the test ends.
func dial(t testing.TB, addr string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := wire.Dial(addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// newRoom makes a room with models of these ids.
func newRoom(ctx context.Context, conn *grpc.ClientConn, models ...string) (string, error) {
	req := &roompb.CreateRoomRequest{Name: "Test", CreatedBy: "admin"}
	for _, m := range models {
		req.Llms = append(req.Llms, &roompb.LLMConfig{Id: m, Model: m})
	}
	res, err := roompb.NewRoomClient(conn).CreateRoom(ctx, req)
	return res.GetRoomId(), err
}

func mustRoom(t testing.TB, conn *grpc.ClientConn, models ...string) string {
	t.Helper()
	id, err := newRoom(t.Context(), conn, models...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
