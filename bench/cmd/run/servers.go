package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A server is one that the generator can drive.
type server struct {
	name, target string
	argv         func(addr string) []string // program and arguments
	env          func(addr string) []string
}

func noEnv(string) []string { return nil }

func parley(name, driver string, more ...string) server {
	return server{
		name: name, target: "parley", argv: func(string) []string { return []string{"parley", "serve"} },
		env: func(addr string) []string {
			_, port, _ := net.SplitHostPort(addr)
			return append([]string{"GRPC_PORT=" + port, "STORE_DRIVER=" + driver, "STORE_PATH=store", "LOG_LEVEL=warn"}, more...)
		},
	}
}

func metered(name, driver string) server {
	return server{name: name, target: "parley", env: noEnv, argv: func(addr string) []string {
		return []string{"metered", "-addr", addr, "-store", driver, "-dir", "store"}
	}}
}

func raw(name, target string, args ...string) server {
	return server{name: name, target: target, env: noEnv, argv: func(addr string) []string {
		return append([]string{"rawserver", "-addr", addr}, args...)
	}}
}

func grpcRaw() server {
	return raw("grpc-rawcodec", "grpc-raw", "-mode", "grpc-raw", "-fanout", "inline", "-grpc-tuned")
}

func gobwas(more ...string) server {
	return raw("gobwas-inline", "ws-raw", append([]string{"-mode", "ws-gobwas", "-fanout", "inline"}, more...)...)
}

func natsCore() server {
	return server{name: "nats-core", target: "nats", env: noEnv, argv: func(addr string) []string {
		_, port, _ := net.SplitHostPort(addr)
		return []string{"nats-server", "-a", "127.0.0.1", "-p", port}
	}}
}

// drive starts a fresh server, has the generator drive it, and ends it.
func (l *lab) drive(ctx context.Context, s server, load ...string) (rows, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	argv := s.argv(addr)
	p, err := l.start(l.serverCPU, s.env(addr), argv[0], argv[1:]...)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err := p.await(addr); err != nil {
		return nil, err
	}
	time.Sleep(300 * time.Millisecond)
	load = append([]string{"-label", s.name, "-target", s.target, "-addr", addr, "-pid", p.pid(), "-quiet-max", "2s"}, load...)
	return l.generate(ctx, l.genCPU, "loadgen", load...)
}

// jetStream starts a NATS server whose streams are synced at each write.
func (l *lab) jetStream() (*process, string, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	conf := filepath.Join(l.scratch(), "nats.conf")
	text := fmt.Sprintf("listen: %s\njetstream { store_dir: %q, max_mem: 1GB, max_file: 8GB, sync_interval: always }\n", addr, l.scratch())
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, "", err
	}
	p, err := l.start("0-1", nil, "nats-server", "-c", conf)
	if err != nil {
		return nil, "", err
	}
	return p, addr, p.await(addr)
}
