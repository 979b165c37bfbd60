package llmtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"parley/llm"
)

// patience bounds how long a failing test waits; a passing one never waits for it.
const patience = 5 * time.Second

// trickle is the time between two pieces of a fake that has nothing to say, far below any silence that a test allows.
const trickle = 5 * time.Millisecond

// An Upstream is a provider under a test's control.
type Upstream interface {
	// Release lets one call pass one Hold.
	Release()
	// Open is how many calls are under way, as the upstream sees it.
	Open() int
	// Requests are what arrived so far, in order of arrival; nil where the harness cannot see them.
	Requests() []llm.Request
}

// A Stage is where a fake plays: it keeps the requests, the calls under way and the holds.
type Stage struct {
	play    func(llm.Request) Act
	release chan struct{}

	mu       sync.Mutex
	requests []llm.Request
	open     int
}

// NewStage makes a stage; play chooses the act for each request and may be called from several goroutines at once.
func NewStage(play func(llm.Request) Act) *Stage {
	return &Stage{play: play, release: make(chan struct{}, 1024)}
}

// Enter begins a call: it returns the act to play and a function to call at the end.
func (s *Stage) Enter(req llm.Request) (Act, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, req)
	s.open++
	return s.play(req), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
	}
}

// Wait holds a call until it is released; it reports false when the caller is gone.
func (s *Stage) Wait(ctx context.Context) bool {
	select {
	case <-s.release:
		return true
	case <-ctx.Done():
		return false
	}
}

// Release lets one call pass one Hold.
func (s *Stage) Release() { s.release <- struct{}{} }

// Open is how many calls are under way.
func (s *Stage) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// Requests are what arrived so far.
func (s *Stage) Requests() []llm.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]llm.Request(nil), s.requests...)
}

// AwaitOpen blocks until n calls are under way and fails the test when that does not happen.
func AwaitOpen(t testing.TB, up Upstream, n int) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for up.Open() != n {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("%d calls are open upstream, want %d", up.Open(), n)
		}
	}
}
