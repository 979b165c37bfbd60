package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"parley/client"
	"parley/cmd/parley/terminal"
	"parley/config"
	"parley/llm"
	"parley/llm/remote"
)

// startServer runs a whole server in memory until the end of the test and returns how to reach it.
func startServer(t *testing.T) Server {
	t.Helper()
	cfg := config.Default()
	cfg.GRPC.Port, cfg.Store.Driver, cfg.Log.Level = 0, config.StoreMemory, config.LogError
	s, err := newServer(cfg, newLogger(cfg))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.run(ctx, func() {}, io.Discard) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.close()
	})
	return Server{s.listen.Addr().String()}
}

func (s Server) client(t *testing.T) *client.Client {
	t.Helper()
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// plain runs a line by line seat over an input and returns what it printed.
func plain(t *testing.T, c *client.Client, user, input string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	o := client.JoinOptions{Room: string(lobby), User: user}
	if err := terminal.Plain(ctx, c, o, strings.NewReader(input), &out); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("it does not end by itself:\n%s", &out)
	}
	return out.String()
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	at := 0
	for _, want := range wants {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Errorf("%q is missing, or not in its place, in:\n%s", want, text)
			return
		}
		at += i + len(want)
	}
}

func TestPlainConversation(t *testing.T) {
	c := startServer(t).client(t)
	out := plain(t, c, "tom", "/models\n\n/people\nfirst\nsecond\n/add zed Zed\n/describe tea\n//path\n@ada hello\n/nonsense\n")
	contains(t, out, "* You are in Lobby; @ada is Ada (demo model)", "* @ada", "* tom ", "tom: first\n", "tom: second\n",
		"* Zed (demo model) has a seat now\n", "* The room is about: tea\n", "tom: /path\n", "tom: @ada hello\n")
	contains(t, out, "* Ada is thinking\n", "Ada (demo model): ")
	contains(t, out, "! There is no command /nonsense")
	again := plain(t, c, "maja", "/quit\nnever said\n")
	contains(t, again, "tom: @ada hello\n", "Ada (demo model): ")
	if strings.Contains(again, "never said") {
		t.Errorf("a line after /quit is carried out:\n%s", again)
	}
}

func TestPlainShowsNoControlCharacters(t *testing.T) {
	c := startServer(t).client(t)
	out := plain(t, c, "tom", "\x1b]0;pwned\x07 and \u009b31m and \u202e.\n")
	contains(t, out, "tom: ␛]0;pwned␇ and \ufffd31m and .\n")
	if strings.ContainsAny(out, "\x1b\x07\u009b\u202e") {
		t.Errorf("%q", out)
	}
}

func TestPlainLeaves(t *testing.T) {
	s := startServer(t)
	plain(t, s.client(t), "tom", "hello\n/leave\nnever said\n")
	for r, err := range s.client(t).Rooms(t.Context(), "tom") {
		t.Errorf("a member of %s still, after /leave (%v)", r.ID, err)
	}
}

func TestPlainViewer(t *testing.T) {
	s := startServer(t)
	var out bytes.Buffer
	o := client.JoinOptions{Room: string(lobby), User: "eve", Role: client.Viewer}
	plain(t, s.client(t), "tom", "hello\n")
	if err := terminal.Plain(t.Context(), s.client(t), o, strings.NewReader("may I?\n"), &out); err != nil {
		t.Fatal(err)
	}
	contains(t, out.String(), "tom: hello\n", "! viewers cannot write")
}

func TestRoomCommands(t *testing.T) {
	s := startServer(t)
	c := s.client(t)
	var out bytes.Buffer
	create := RoomCreateCmd{Server: s, Name: "Board", As: "tom", Model: []string{"ada", "zed=gpt-5"}, Description: "tea"}
	if err := create.create(t.Context(), c, &out); err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(out.String(), "\n")
	contains(t, out.String(), "parley join "+id+" --as tom --server "+s.Server+"\n")

	out.Reset()
	if err := (&RoomShowCmd{Server: s, Room: id}).show(t.Context(), c, &out); err != nil {
		t.Fatal(err)
	}
	contains(t, out.String(), id, "Board", "tea", "by tom", "ada (demo model), zed (demo model)")

	out.Reset()
	if err := (&RoomCostCmd{Server: s, Room: id}).cost(t.Context(), c, &out); err != nil {
		t.Fatal(err)
	}
	contains(t, out.String(), "in all", "$0.00", "(UTC)")

	out.Reset()
	hidden := RoomCreateCmd{Server: s, Name: "Hidden", As: "tom", Private: true, JSON: true}
	if err := hidden.create(t.Context(), c, &out); err != nil {
		t.Fatal(err)
	}
	var made struct{ Room string }
	if err := json.Unmarshal(out.Bytes(), &made); err != nil || made.Room == "" {
		t.Fatalf("%s: %v", &out, err)
	}

	out.Reset()
	if err := (&RoomListCmd{Server: s, Limit: 50}).list(t.Context(), c, &out); err != nil {
		t.Fatal(err)
	}
	contains(t, out.String(), id, "lobby")
	if strings.Contains(out.String(), made.Room) {
		t.Errorf("a private room is listed:\n%s", &out)
	}

	out.Reset()
	if err := (&RoomListCmd{Server: s, Limit: 1, JSON: true}).list(t.Context(), c, &out); err != nil {
		t.Fatal(err)
	}
	var listed roomJSON
	if err := json.NewDecoder(&out).Decode(&listed); err != nil || listed.Room != id || len(listed.Models) != 2 {
		t.Errorf("%+v, %v", listed, err)
	}
}

func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	err = (&JoinCmd{Server: Server{addr}, Room: "lobby", As: "tom", Plain: true}).Run()
	contains(t, err.Error(), "no server answers at "+addr, "parley serve", "--server", "connection refused")
}

func TestNoRoom(t *testing.T) {
	err := (&JoinCmd{Server: startServer(t), Room: "nowhere", As: "tom", Plain: true}).Run()
	contains(t, err.Error(), `there is no room "nowhere"`, "parley room list")
}

func TestChatService(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- serveChat(ctx, config.Default(), l, &out) }()
	m, err := remote.New(remote.Config{Address: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for d, err := range m.Stream(t.Context(), llm.Request{Messages: []llm.Message{{Role: llm.User, Text: "hello"}}}) {
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(d.Text)
	}
	if text.Len() == 0 {
		t.Error("no answer")
	}
	_ = m.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	contains(t, out.String(), l.Addr().String(), "scripted demo")
}
