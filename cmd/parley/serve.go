package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"parley/config"
	"parley/edge/rpc"
	"parley/hub"
	"parley/journal"
	"parley/journal/embedded"
	"parley/journal/memory"
)

// ServeCmd runs the server.
type ServeCmd struct {
	Config      string `help:"Configuration file; without it config.yaml of the working folder, if there is one." placeholder:"FILE" type:"path"`
	CheckConfig bool   `help:"Print the configuration, and where each value comes from, and end."`
}

// Run serves until it is told to end.
func (c *ServeCmd) Run() error {
	cfg, err := loadConfig(c.Config)
	if c.CheckConfig {
		return errors.Join(err, cfg.Print(os.Stdout))
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := newServer(cfg, newLogger(cfg))
	if err != nil {
		return err
	}
	defer s.close()
	return s.run(ctx, stop, os.Stdout)
}

// A server is everything a node is made of, in the order it is opened; it is closed in the reverse order.
type server struct {
	cfg     config.Config
	log     *slog.Logger
	store   journal.Store
	hub     *hub.Hub
	edge    *rpc.Server
	listen  net.Listener
	closers []func()
}

func newServer(cfg config.Config, log *slog.Logger) (*server, error) {
	s := &server{cfg: cfg, log: log}
	for _, open := range []func() error{s.openPort, s.openStore, s.openHub, s.openEdge} {
		if err := open(); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// openPort comes first: a second server on the same port must not touch the store.
func (s *server) openPort() (err error) {
	addr := net.JoinHostPort(s.cfg.GRPC.Host, strconv.Itoa(s.cfg.GRPC.Port))
	if s.listen, err = net.Listen("tcp", addr); err != nil {
		return fmt.Errorf("%w: if another parley runs there, GRPC_PORT takes another port, 0 any free one", err)
	}
	s.onClose("port", func() error {
		if err := s.listen.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

func (s *server) openEdge() (err error) {
	s.edge, err = rpc.New(rpc.Config{
		Hub: s.hub, Log: s.log, Demo: s.demo(), MessageBytes: s.cfg.Limits.MessageBytes, SlowAfter: s.cfg.Limits.SlowAfter,
	})
	return err
}

func (s *server) openStore() (err error) {
	if s.cfg.Store.Driver == config.StoreMemory {
		s.store = memory.New()
	} else if s.store, err = embedded.Open(embedded.Config{Dir: s.cfg.Store.Path, Logger: s.log}); err != nil {
		return err
	}
	s.onClose("store", s.store.Close)
	return nil
}

func (s *server) openHub() error {
	model, closer, err := openModel(s.cfg, s.log)
	if err != nil {
		return err
	}
	s.onClose("model", closer.Close)
	rules, err := newRules(s.cfg)
	if err != nil {
		return err
	}
	worker, err := newWorkers(s.cfg, model, rules, s.log)
	if err != nil {
		return err
	}
	s.hub, err = hub.New(hub.Config{Store: s.store, Worker: worker, Log: s.log, Rules: rules})
	if err == nil {
		s.onClose("hub", s.hub.Close)
	}
	return err
}

// demo reports whether a model of this server is a scripted demonstration.
func (s *server) demo() func(string) bool {
	here := s.cfg.ChatService.Address == ""
	return func(model string) bool { return here && providerOf(s.cfg, model) == config.LLMScripted }
}

func (s *server) onClose(what string, close func() error) {
	s.closers = append(s.closers, func() {
		if err := close(); err != nil {
			s.log.Error("close", "what", what, "err", err)
		}
	})
}

func (s *server) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
	s.closers = nil
}

// drainTime is how long streams have to end when the server is told to.
const drainTime = 5 * time.Second

// run serves until ctx ends, then lets the clients go.
func (s *server) run(ctx context.Context, stop func(), out io.Writer) error {
	if err := s.welcome(ctx, out); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- s.edge.Serve(s.listen) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop() // a second signal ends the process at once
	fmt.Fprintln(out, "\nEnding: clients are told to come back.")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	s.edge.Close(drain)
	return <-failed
}

func newLogger(cfg config.Config) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.Log.Level.Level()}
	if cfg.Log.Format == config.LogJSON {
		return slog.New(slog.NewJSONHandler(os.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opts))
}

func loadConfig(path string) (config.Config, error) {
	cfg, warnings, err := config.Load(config.Source{Path: path, Environ: os.Environ()})
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, "warning:", w)
	}
	return cfg, err
}
