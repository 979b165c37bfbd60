// Package remote is a Model behind the gRPC Chat service; package chat is its server.
//
// All calls share one connection, which is made at the first of them and made anew whenever it breaks. A call that
// finds no connection fails at once and is not repeated; the caller decides whether to come back.
package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"parley/chat/wire"
	"parley/llm"
	chatpb "parley/proto/gen/api/chat"
)

const provider = "remote"

// Longest waits of the connection, beyond which a service that came back would stay unnoticed.
const (
	dialLimit  = 5 * time.Second
	retryFirst = 100 * time.Millisecond
	retryLimit = 5 * time.Second
)

// Config says where the service is.
type Config struct {
	Address string      // host:port, or any target of gRPC
	Model   string      // for requests that name none; empty leaves it to the service
	TLS     *tls.Config // nil speaks in the clear
	Options []grpc.DialOption
}

// A Model asks a Chat service. It may be used from any goroutine at any time. Close it at the end.
type Model struct {
	conn   *grpc.ClientConn
	client chatpb.ChatClient
	model  string
}

var (
	_ llm.Model  = (*Model)(nil)
	_ llm.Lister = (*Model)(nil)
)

// New makes a Model; it connects at the first call.
func New(cfg Config) (*Model, error) {
	if cfg.Address == "" {
		return nil, errors.New("make a remote model: the address is missing")
	}
	creds := insecure.NewCredentials()
	if cfg.TLS != nil {
		creds = credentials.NewTLS(cfg.TLS)
	}
	opts := append([]grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: dialLimit, Backoff: backoff.Config{
			BaseDelay: retryFirst, Multiplier: 1.6, Jitter: 0.2, MaxDelay: retryLimit,
		}}),
	}, cfg.Options...)
	conn, err := grpc.NewClient(cfg.Address, opts...)
	if err != nil {
		return nil, fmt.Errorf("make a remote model for %s: %w", cfg.Address, err)
	}
	return &Model{conn: conn, client: chatpb.NewChatClient(conn), model: cfg.Model}, nil
}

// Close ends the connection and every call on it.
func (m *Model) Close() error { return m.conn.Close() }

// Stream asks the service for one answer. The service does the falling over among req.Models.
func (m *Model) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Delta, error] {
	if len(req.Models) == 0 && m.model != "" {
		req.Models = []string{m.model}
	}
	return func(yield func(llm.Delta, error) bool) {
		if ctx.Err() != nil {
			yield(llm.Delta{}, context.Cause(ctx))
			return
		}
		// The deadline stays here: the service would keep it too, and its refusal could arrive before ours is due.
		call, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		stream, err := m.client.Chat(call, wire.EncodeRequest(req))
		if err != nil {
			yield(llm.Delta{}, failure(ctx, err, false))
			return
		}
		pass(ctx, stream, yield)
	}
}

// List names the models of the service. A service without a list is an error of kind llm.Invalid.
func (m *Model) List(ctx context.Context) ([]llm.Info, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	res, err := m.client.ListModels(ctx, &chatpb.ListModelsRequest{})
	if err != nil {
		return nil, failure(ctx, err, false)
	}
	return wire.DecodeModels(res), nil
}

func pass(ctx context.Context, stream grpc.ServerStreamingClient[chatpb.ChatResponse], yield func(llm.Delta, error) bool) {
	for started := false; ; started = true {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil && ctx.Err() != nil { // gRPC hands out what it had received before the cancel
			err = ctx.Err()
		}
		if err != nil {
			yield(llm.Delta{}, failure(ctx, err, started))
			return
		}
		if !yield(wire.DecodeDelta(res), nil) {
			return
		}
	}
}

func failure(ctx context.Context, err error, started bool) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return wire.DecodeError(err, provider, started)
}
