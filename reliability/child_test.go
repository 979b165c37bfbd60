package reliability

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"parley/journal/embedded"
	"parley/llm/scripted"
	"parley/room"
	"parley/seam"
	"parley/work"
	"parley/work/reply"
)

// childEnv makes this test binary a server on a folder.
const childEnv = "PARLEY_RELIABILITY_CHILD"

// A childConfig says what the child serves, and which bug it has.
type childConfig struct {
	Dir     string
	Bug     bug
	Prompts string // a file: the models are a council, and what they are told is written there
}

func childConfigured() (cfg childConfig, ok bool) {
	s, ok := os.LookupEnv(childEnv)
	if ok {
		if err := json.Unmarshal([]byte(s), &cfg); err != nil {
			panic(err)
		}
	}
	return cfg, ok
}

// serveChild waits for a line on its standard input, serves until that ends, and tells its address on standard output.
func serveChild(cfg childConfig) error {
	stdin := bufio.NewReader(os.Stdin)
	if _, err := stdin.ReadString('\n'); errors.Is(err, io.EOF) {
		return nil // nobody wanted it after all
	} else if err != nil {
		return err
	}
	store, err := embedded.Open(embedded.Config{
		Dir: cfg.Dir, Logger: slog.New(slog.DiscardHandler), Cache: 8 << 20, Memtable: 4 << 20,
	})
	if err != nil {
		return err
	}
	worker, err := cfg.worker()
	if err != nil {
		return err
	}
	planted, worker := cfg.Bug.plant(store, worker)
	s, err := newServer(serverConfig{
		store: planted, rules: cfg.Bug.rules(), worker: worker, retry: 10 * time.Millisecond, ring: 8,
	})
	if err != nil {
		return err
	}
	fmt.Println(s.addr)
	_, _ = io.Copy(io.Discard, stdin)
	return s.close()
}

func (cfg childConfig) worker() (work.Worker, error) {
	if cfg.Prompts == "" {
		return slowWorker()
	}
	told, err := os.OpenFile(cfg.Prompts, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) // open until the process ends
	if err != nil {
		return nil, err
	}
	w, _, err := newCouncil(councilConfig{script: councilScript, told: told, maxTokens: turnWords})
	return w, err
}

// slowScript takes longer to answer than most children live.
const slowScript = `
name: slow
pace: {first: 5ms, word: 8ms}
rules:
  - replies: ["one two three four five six seven eight nine ten eleven twelve"]
`

func slowWorker() (work.Worker, error) {
	script, err := scripted.Parse("slow.yaml", []byte(slowScript))
	if err != nil {
		return nil, err
	}
	model, err := scripted.New(scripted.Config{Script: script, Clock: seam.Real()})
	if err != nil {
		return nil, err
	}
	return reply.New(reply.Config{Model: model, Clock: seam.Real(), Log: slog.New(slog.DiscardHandler)})
}

// A child is a server in a process of its own.
type child struct {
	cmd    *exec.Cmd
	armed  string // the crash point it dies at; empty if at none
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
	addr   string
	died   chan struct{} // closed when the process has ended
}

// spawn starts a process that waits to be a server; armed is a crash point and its count, or empty.
func spawn(t testing.TB, cfg childConfig, armed string) *child {
	t.Helper()
	data, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.CommandContext(context.Background(), os.Args[0]), died: make(chan struct{})}
	c.armed, _, _ = strings.Cut(armed, ":")
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(data), "GORACE=atexit_sleep_ms=0", "PARLEY_SEAM="+armed)
	c.cmd.Stderr = &c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdout = bufio.NewReader(stdout)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// serve has it open the folder, which nobody else may have open, and waits until it listens. One that is armed may
// die before.
func (c *child) serve(t testing.TB) {
	t.Helper()
	_, err := io.WriteString(c.stdin, "\n")
	if err == nil {
		c.addr, err = c.stdout.ReadString('\n')
		c.addr = strings.TrimSpace(c.addr)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.died)
	}()
	if err != nil && c.armed == "" {
		c.kill()
		t.Fatalf("the server did not start: %v\n%s", err, &c.stderr)
	}
}

// kill kills it as no process can refuse.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.died
}

// stop lets it end by itself.
func (c *child) stop(t testing.TB) {
	t.Helper()
	_ = c.stdin.Close()
	<-c.died
	if !c.cmd.ProcessState.Success() {
		t.Fatalf("the server ended with %v\n%s", c.cmd.ProcessState, &c.stderr)
	}
}

// noise fails the test if a child complained, such as of a race.
func (c *child) noise(t testing.TB) {
	t.Helper()
	if c.stderr.Len() > 0 {
		t.Errorf("a server wrote:\n%s", &c.stderr)
	}
}

// A bug is what may be wrong with a child, to see whether the checker notices.
type bug string

const (
	sound      bug = ""
	ackEarly   bug = "acknowledges before it is durable"
	noDedup    bug = "forgets which keys it has seen"
	moves      bug = "writes two entries the wrong way round"
	votesTwice bug = "writes a ballot's vote twice"
	losesVotes bug = "loses a ballot's vote"
	miscounts  bug = "counts a vote that nobody cast"
	peeks      bug = "shows models the votes of others"
)

func (b bug) rules() room.Rules {
	rules := room.DefaultRules()
	if b == noDedup {
		rules.Causes = 1
	}
	return rules
}
