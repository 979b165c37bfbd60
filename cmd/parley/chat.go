package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"parley/chat"
	"parley/config"
	chatpb "parley/proto/gen/api/chat"
	"parley/seam"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

// ChatCmd runs the Chat service alone.
type ChatCmd struct {
	Config string `help:"Configuration file; without it config.yaml of the working folder, if there is one." placeholder:"FILE" type:"path"`
}

// Run serves until it is told to end.
func (c *ChatCmd) Run() error {
	cfg, err := loadConfig(c.Config)
	if err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	addr := net.JoinHostPort(cfg.Chat.Host, strconv.Itoa(cfg.Chat.Port))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; is another one running? Set CHAT_PORT to another port", addr, err)
	}
	return serveChat(ctx, cfg, l, os.Stdout)
}

// serveChat serves the configured models on l until ctx ends, and closes l.
func serveChat(ctx context.Context, cfg config.Config, l net.Listener, out io.Writer) (err error) {
	log := newLogger(cfg)
	model, closer, err := newModel(cfg, log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	service, err := chat.NewServer(model, chat.Config{Clock: seam.Real(), Log: log})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	srv := grpc.NewServer()
	chatpb.RegisterChatServer(srv, service)
	healthpb.RegisterHealthServer(srv, health.NewServer())
	reflection.Register(srv)
	fmt.Fprintf(out, "The Chat service is on %s (gRPC). Models: %s.\n\nA server uses it with:\n\n    CHAT_SERVICE_ADDRESS=%s parley serve\n",
		l.Addr(), chatModels(cfg), l.Addr())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain(srv)
	return <-served
}

// drain lets running answers end, for a while.
func drain(srv *grpc.Server) {
	timer := seam.Real().AfterFunc(drainTime, srv.Stop)
	defer timer.Stop()
	srv.GracefulStop()
}

func chatModels(cfg config.Config) string {
	if cfg.LLM.Provider == config.LLMScripted {
		return "a scripted demo, no language model (set LLM_PROVIDER for a real one)"
	}
	return strings.TrimSpace(string(cfg.LLM.Provider) + " " + cfg.LLM.Model)
}
