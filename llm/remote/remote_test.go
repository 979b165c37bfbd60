package remote_test

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"parley/chat"
	"parley/llm"
	"parley/llm/llmtest"
	"parley/llm/openai"
	"parley/llm/remote"
	chatpb "parley/proto/gen/api/chat"
	"parley/seam"
)

// The client passes the suite against the service over a loopback socket, before a model in process.
func TestSuite(t *testing.T) {
	llmtest.Run(t, llmtest.Harness{
		Start: func(t *testing.T, play func(llm.Request) llmtest.Act) (llm.Model, llmtest.Upstream) {
			lis := listen(t, "127.0.0.1:0")
			player := llmtest.NewPlayer(play, lis.cut)
			serve(t, lis, player)
			return open(t, lis.Addr().String()), player
		},
		Unreachable: unreachable,
		Lacks: map[string]string{
			"silence":                     noLimit,
			"slow loris":                  noLimit,
			"slow words are no silence":   noLimit,
			"a slow reader is no silence": noLimit,
			"lists its models":            "the player has no list",
			"a list is cancelled":         "the player has no list",
		},
	})
}

const noLimit = "silence is noticed by the model behind the service; TestSuiteOfAProvider has one"

// The client passes the suite against the service before a provider over HTTP: a fault of the provider goes through two
// wires and is the same fault.
func TestSuiteOfAProvider(t *testing.T) {
	start := func(t *testing.T, play func(llm.Request) llmtest.Act, silence time.Duration) (llm.Model, llmtest.Upstream) {
		t.Helper()
		up := llmtest.NewOpenAI(t, llmtest.OpenAIConfig{}, play)
		model, err := openai.New(openai.Config{BaseURL: up.URL, Silence: silence, Clock: seam.Real()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = model.Close() })
		lis := listen(t, "127.0.0.1:0")
		serve(t, lis, model)
		return open(t, lis.Addr().String()), up
	}
	llmtest.Run(t, llmtest.Harness{
		Start: func(t *testing.T, play func(llm.Request) llmtest.Act) (llm.Model, llmtest.Upstream) {
			return start(t, play, 0)
		},
		Impatient: start, Unreachable: unreachable,
		Lacks: map[string]string{
			"a tool call cut inside a character": "a piece is a JSON string, which holds whole characters",
		},
	})
}

func unreachable(t *testing.T) llm.Model { return open(t, "127.0.0.1:1") }

func open(t testing.TB, address string) *remote.Model {
	t.Helper()
	m, err := remote.New(remote.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// serve runs a Chat service of model until the test ends or stop is called.
func serve(t testing.TB, lis net.Listener, model llm.Model) (stop func()) {
	t.Helper()
	service, err := chat.NewServer(model, chat.Config{Clock: seam.Real()})
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	chatpb.RegisterChatServer(server, service)
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(lis) })
	stop = func() {
		server.Stop()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// A cuttable listener can break all the connections that it accepted.
type cuttable struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func listen(t testing.TB, address string) *cuttable {
	t.Helper()
	lis, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return &cuttable{Listener: lis}
}

func (c *cuttable) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cuttable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// A service that goes away and comes back at the same address is found again by the same Model.
func TestReconnects(t *testing.T) {
	lis := listen(t, "127.0.0.1:0")
	address := lis.Addr().String()
	player := llmtest.NewPlayer(llmtest.Always(llmtest.Say("here")), nil)
	stop := serve(t, lis, player)
	m := open(t, address)
	ask := func() llmtest.Answer { return llmtest.Gather(m.Stream(t.Context(), llmtest.Ask("hello"))) }
	if got := ask(); got.Err != nil {
		t.Fatal(got.Err)
	}
	stop()
	if got := ask(); llm.KindOf(got.Err) != llm.Unavailable {
		t.Fatalf("without a service: got %q, %v", got.Text, got.Err)
	}
	serve(t, listen(t, address), player)
	limit := time.Now().Add(10 * time.Second)
	got := ask()
	for got.Err != nil && time.Now().Before(limit) {
		got = ask()
	}
	if got.Err != nil || got.Text != "here" {
		t.Errorf("after it came back: got %q, %v", got.Text, got.Err)
	}
}

func TestModelOfTheConfig(t *testing.T) {
	lis := listen(t, "127.0.0.1:0")
	player := llmtest.NewPlayer(llmtest.Always(llmtest.Say("ok")), nil)
	serve(t, lis, player)
	m, err := remote.New(remote.Config{Address: lis.Addr().String(), Model: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	req := llmtest.Ask("hello")
	req.Models = nil
	if got := llmtest.Gather(m.Stream(t.Context(), req)); got.Err != nil || !slices.Equal(player.Requests()[0].Models, []string{"mine"}) {
		t.Errorf("got %v, asked %v", got.Err, player.Requests())
	}
}

// A service without a list says so, and is no worse for it.
func TestNoList(t *testing.T) {
	lis := listen(t, "127.0.0.1:0")
	serve(t, lis, llmtest.NewPlayer(llmtest.Always(llmtest.Say("ok")), nil))
	_, err := open(t, lis.Addr().String()).List(t.Context())
	if llm.KindOf(err) != llm.Invalid || !strings.Contains(err.Error(), "no list") {
		t.Errorf("got %v", err)
	}
}

func TestClosed(t *testing.T) {
	m := open(t, "127.0.0.1:1")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if got := llmtest.Gather(m.Stream(t.Context(), llmtest.Ask("hello"))); got.Err == nil {
		t.Error("a closed model answers")
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := remote.New(remote.Config{}); err == nil {
		t.Error("no address, no error")
	}
	if _, err := remote.New(remote.Config{Address: "dns:///%zz:1"}); err == nil {
		t.Error("a bad target is taken")
	}
}
