// Package chat is the gRPC service api.Chat in front of any llm.Model; package llm/remote is its client.
//
// One call is one answer. Responses go out in the order of the model's deltas, each as soon as it is there; a client
// that reads slowly slows the model down and nobody else. A client that cancels, or whose connection breaks, ends the
// model's call. The service keeps nothing between calls.
package chat

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"parley/chat/wire"
	"parley/llm"
	chatpb "parley/proto/gen/api/chat"
	"parley/seam"
)

// Config has what a Server needs beside its model.
type Config struct {
	Clock seam.Clock   // stamps the responses
	Log   *slog.Logger // told of failures that are no model's error; nil for none
}

// A Server serves one Model. Register it on a grpc.Server, whose limits (message size, streams, keepalive) apply.
type Server struct {
	chatpb.UnimplementedChatServer

	model llm.Model
	clock seam.Clock
	log   *slog.Logger
}

var _ chatpb.ChatServer = (*Server)(nil)

// NewServer makes a Server of model.
func NewServer(model llm.Model, cfg Config) (*Server, error) {
	if model == nil || cfg.Clock == nil {
		return nil, errors.New("make a chat server: the model or the Clock is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{model: model, clock: cfg.Clock, log: cfg.Log}, nil
}

// Chat streams one answer. Every response of an answer has the same id. A request that cannot be read ends in
// INVALID_ARGUMENT, a model's failure in the status of wire.EncodeError.
func (s *Server) Chat(in *chatpb.ChatRequest, out grpc.ServerStreamingServer[chatpb.ChatResponse]) error {
	req, err := wire.DecodeRequest(in)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	id := "chat-" + rand.Text()
	for d, err := range s.model.Stream(out.Context(), req) {
		if err != nil {
			return s.failure(out.Context(), "chat", id, err)
		}
		delta, usage := wire.EncodeDelta(d)
		res := &chatpb.ChatResponse{Id: id, Timestamp: uint64(s.clock.Now().Unix()), Model: d.Model, Delta: delta, Usage: usage}
		if err := out.Send(res); err != nil {
			return err // gRPC's own status, and nobody is left to read it
		}
	}
	return nil
}

// ListModels names the models to choose from, where the model behind the service can.
func (s *Server) ListModels(ctx context.Context, _ *chatpb.ListModelsRequest) (*chatpb.ListModelsResponse, error) {
	l, ok := s.model.(llm.Lister)
	if !ok {
		return nil, status.Error(codes.Unimplemented, "this service has no list of its models")
	}
	models, err := l.List(ctx)
	if err != nil {
		return nil, s.failure(ctx, "list models", "", err)
	}
	return wire.EncodeModels(models), nil
}

func (s *Server) failure(ctx context.Context, call, id string, err error) error {
	var e *llm.Error
	if errors.As(err, &e) {
		return wire.EncodeError(e)
	}
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	// The text of an error that no driver meant for people may hold anything.
	s.log.Error("model failed", "call", call, "id", id, "err", err)
	return status.Error(codes.Internal, "the model failed; the server's log says why")
}
