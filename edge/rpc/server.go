package rpc

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"parley/hub"
	"parley/seam"

	roompb "parley/proto/gen/api/room"
)

// Config says how a Server serves. Hub is required; everything else has a default.
type Config struct {
	Hub          *hub.Hub
	Clock        seam.Clock
	Log          *slog.Logger
	Demo         func(model string) bool // whether a model of this name is a scripted demonstration; nil means none is
	MessageBytes int                     // most bytes of a message's text; a request may be somewhat larger
	SlowAfter    time.Duration           // a stream whose client takes nothing for so long is ended
}

func (c *Config) complete() error {
	if c.Hub == nil {
		return errors.New("rpc: no hub")
	}
	if c.Clock == nil {
		c.Clock = seam.Real()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Demo == nil {
		c.Demo = func(string) bool { return false }
	}
	if c.MessageBytes == 0 {
		c.MessageBytes = 32 << 10
	}
	if c.SlowAfter == 0 {
		c.SlowAfter = 10 * time.Second
	}
	return nil
}

// A Server serves one hub. Serve and Close may be called from any goroutine.
type Server struct {
	roompb.UnimplementedRoomServer
	cfg    Config
	encode encoder
	grpc   *grpc.Server
	health *health.Server
	ctx    context.Context //nolint:containedctx // the server's own life: Close ends it
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // senders and receivers of the streams
	tick   atomic.Int64   // counts slices of SlowAfter, from 1

	mu       sync.Mutex
	sessions map[*session]struct{}
}

// slowSlices is in how many parts SlowAfter is measured: a stream is ended at most one part late.
const slowSlices = 4

// New returns a server that does not listen yet.
func New(cfg Config) (*Server, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &Server{cfg: cfg, encode: encoder{demo: cfg.Demo}, ctx: ctx, cancel: cancel, sessions: make(map[*session]struct{})}
	s.tick.Store(1)
	s.grpc = grpc.NewServer(options(cfg)...)
	s.health = health.NewServer()
	roompb.RegisterRoomServer(s.grpc, s)
	healthpb.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	s.health.SetServingStatus(roompb.Room_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	s.wg.Go(func() { seam.Every(ctx, cfg.Clock, cfg.SlowAfter/slowSlices, s.endSlow) })
	return s, nil
}

func options(cfg Config) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{}),
		grpc.UnaryInterceptor(logFailures(cfg.Log)),
		grpc.MaxRecvMsgSize(max(1<<20, 4*cfg.MessageBytes)),
		grpc.MaxConcurrentStreams(10_000),
		// Most connections are idle most of the time: small buffers (those for writing are shared anyway).
		grpc.ReadBufferSize(1 << 10),
		grpc.WriteBufferSize(4 << 10),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 45 * time.Second, Timeout: 15 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
}

// logFailures tells the operator of the calls that went wrong on this side.
func logFailures(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		answer, err := handler(ctx, req)
		if code := status.Code(err); code == codes.Internal || code == codes.Unavailable || code == codes.Unknown {
			log.Error("call failed", "method", info.FullMethod, "err", err)
		}
		return answer, err
	}
}

// Serve answers calls on l until Close.
func (s *Server) Serve(l net.Listener) error {
	err := s.grpc.Serve(l)
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// Close tells the clients to come back later, ends their streams and waits for them, for ctx at most.
func (s *Server) Close(ctx context.Context) {
	s.health.Shutdown()
	s.cancel(errDraining)
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
	}
	s.wg.Wait()
}

// endSlow ends the streams whose clients take nothing. It is called once per slice of SlowAfter.
func (s *Server) endSlow() {
	now := s.tick.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	for ses := range s.sessions {
		if since := ses.busy.Load(); since != 0 && now-since > slowSlices {
			ses.end(errSlow)
		}
	}
}
