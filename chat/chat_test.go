package chat_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"parley/chat"
	"parley/llm"
	"parley/llm/llmtest"
	chatpb "parley/proto/gen/api/chat"
	sharedpb "parley/proto/gen/shared"
	"parley/seam"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client talks to a service of model as any client of the protocol would.
func client(t *testing.T, model llm.Model, cfg chat.Config) chatpb.ChatClient {
	t.Helper()
	cfg.Clock = noon{seam.Real()}
	service, err := chat.NewServer(model, cfg)
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	chatpb.RegisterChatServer(server, service)
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(lis) })
	t.Cleanup(func() { server.Stop(); running.Wait() })
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return chatpb.NewChatClient(conn)
}

type noon struct{ seam.Clock }

func (noon) Now() time.Time { return time.Unix(1_763_000_000, 999) }

func ask() *chatpb.ChatRequest {
	return &chatpb.ChatRequest{Models: []string{"m"}, Messages: []*sharedpb.Message{{
		Role:     sharedpb.MessageRole_USER,
		Contents: []*sharedpb.Content{{Content: &sharedpb.Content_Text{Text: "hello"}}},
	}}}
}

func gather(t *testing.T, c chatpb.ChatClient, req *chatpb.ChatRequest) ([]*chatpb.ChatResponse, error) {
	t.Helper()
	stream, err := c.Chat(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var all []*chatpb.ChatResponse
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, res)
	}
}

func TestChat(t *testing.T) {
	act := llmtest.Say("Hello ", "you")
	act.Usage = &llm.Usage{Input: 5, Output: 2}
	c := client(t, llmtest.NewPlayer(llmtest.Always(act), nil), chat.Config{})
	first, err := gather(t, c, ask())
	if err != nil || len(first) != 3 {
		t.Fatalf("got %v, %v", first, err)
	}
	second, err := gather(t, c, ask())
	if err != nil || second[0].GetId() == first[0].GetId() {
		t.Errorf("two answers have the id %q, %v", first[0].GetId(), err)
	}
	for i, res := range first {
		if res.GetId() != first[0].GetId() || res.GetId() == "" || res.GetTimestamp() != 1_763_000_000 || res.GetModel() != "player" {
			t.Errorf("response %d: %v", i, res)
		}
		if res.GetDelta().GetRole() != sharedpb.MessageRole_ASSISTANT || (res.GetUsage() != nil) != (i == 2) {
			t.Errorf("response %d: %v", i, res)
		}
	}
}

func TestBadRequest(t *testing.T) {
	player := llmtest.NewPlayer(llmtest.Always(llmtest.Say("no")), nil)
	_, err := gather(t, client(t, player, chat.Config{}), &chatpb.ChatRequest{})
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "messages is empty") {
		t.Errorf("got %v", err)
	}
	if len(player.Requests()) > 0 {
		t.Error("the model was asked")
	}
}

// failing is a model whose error no driver meant for people.
type failing struct{ err error }

func (f failing) Stream(context.Context, llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) { yield(llm.Delta{}, f.err) }
}

func TestUnknownFailureIsLoggedAndNotTold(t *testing.T) {
	var log strings.Builder
	c := client(t, failing{errors.New("secret-path")}, chat.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := gather(t, c, ask())
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("the client is told %v", err)
	}
	if !strings.Contains(log.String(), "secret-path") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestCodes(t *testing.T) {
	for kind, want := range map[llm.Kind]codes.Code{
		llm.Invalid: codes.InvalidArgument, llm.Denied: codes.PermissionDenied, llm.Overloaded: codes.ResourceExhausted,
		llm.Unavailable: codes.Unavailable, llm.Broken: codes.Aborted,
	} {
		_, err := gather(t, client(t, failing{&llm.Error{Kind: kind, Provider: "p", Err: errors.New("why")}}, chat.Config{}), ask())
		if status.Code(err) != want || status.Convert(err).Message() != "p: why" {
			t.Errorf("%s: got %v, want %s", kind, err, want)
		}
	}
}

// listing is a model whose list is what it is.
type listing struct {
	failing
	list []llm.Info
}

func (l listing) List(context.Context) ([]llm.Info, error) { return l.list, l.err }

func TestListModels(t *testing.T) {
	res, err := client(t, listing{list: []llm.Info{{Name: "m", Title: "M", Tools: true, Context: 9}}}, chat.Config{}).ListModels(t.Context(), &chatpb.ListModelsRequest{})
	if m := res.GetModels(); err != nil || len(m) != 1 || m[0].GetName() != "m" || m[0].GetTitle() != "M" || !m[0].GetTools() || m[0].GetContextTokens() != 9 {
		t.Errorf("got %v, %v", res, err)
	}
	for want, err := range map[codes.Code]error{
		codes.PermissionDenied: &llm.Error{Kind: llm.Denied, Provider: "p"},
		codes.Internal:         errors.New("secret-path"),
	} {
		_, got := client(t, listing{failing: failing{err}}, chat.Config{}).ListModels(t.Context(), &chatpb.ListModelsRequest{})
		if status.Code(got) != want || strings.Contains(got.Error(), "secret") {
			t.Errorf("%v: got %v, want %s", err, got, want)
		}
	}
	if _, err := client(t, failing{}, chat.Config{}).ListModels(t.Context(), &chatpb.ListModelsRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("without a list: %v", err)
	}
}

func TestClientThatLeavesEndsTheCall(t *testing.T) {
	act := llmtest.Say("one ")
	act.End = llmtest.Hang
	player := llmtest.NewPlayer(llmtest.Always(act), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := client(t, player, chat.Config{}).Chat(ctx, ask())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	llmtest.AwaitOpen(t, player, 1)
	cancel()
	llmtest.AwaitOpen(t, player, 0)
}

func TestDeadlineOfTheClient(t *testing.T) {
	player := llmtest.NewPlayer(llmtest.Always(llmtest.Act{Late: true}), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	stream, err := client(t, player, chat.Config{}).Chat(ctx, ask())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	llmtest.AwaitOpen(t, player, 0)
}

func TestNewServerWantsItsParts(t *testing.T) {
	if _, err := chat.NewServer(nil, chat.Config{Clock: seam.Real()}); err == nil {
		t.Error("no model, no error")
	}
	if _, err := chat.NewServer(failing{}, chat.Config{}); err == nil {
		t.Error("no Clock, no error")
	}
}
