package llmtest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"parley/llm"
)

func endingTests() []test {
	return []test{
		{"cancelled before", testCancelledBefore},
		{"cancelled in silence", testCancelledInSilence},
		{"cancelled between words", testCancelledBetween},
		{"cancelled while words flow", testCancelledInFlow},
		{"one of several is cancelled", testCancelledOne},
		{"deadline", testDeadline},
		{"left early", testLeftEarly},
		{"left early while words flow", testLeftInFlow},
		{"left at the last word", testLeftAtEnd},
	}
}

var errStopped = errors.New("somebody interrupted")

// stopsWithin fails the test when what it returns is not called soon.
func stopsWithin(t *testing.T, d time.Duration) func() {
	from := time.Now()
	return func() {
		t.Helper()
		if took := time.Since(from); took > d {
			t.Errorf("took %s to stop", took)
		}
	}
}

func stopped(t *testing.T, err, want error) {
	t.Helper()
	var e *llm.Error
	if !errors.Is(err, want) || errors.As(err, &e) {
		t.Errorf("error %v, want the cause of the context, %v", err, want)
	}
}

func testCancelledBefore(t *testing.T, h Harness) {
	m, up := h.Start(t, Always(Say("one")))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	got := Gather(m.Stream(ctx, Ask("hello")))
	stopped(t, got.Err, errStopped)
	if len(got.Deltas) > 0 || len(up.Requests()) > 0 {
		t.Errorf("got deltas %+v, upstream got %d requests", got.Deltas, len(up.Requests()))
	}
}

func testCancelledInSilence(t *testing.T, h Harness) {
	m, up := h.Start(t, Always(Act{Late: true, End: Hang}))
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	answer := make(chan Answer, 1)
	go func() { answer <- Gather(m.Stream(ctx, Ask("hello"))) }()
	AwaitOpen(t, up, 1)
	soon := stopsWithin(t, time.Second)
	cancel(errStopped)
	stopped(t, (<-answer).Err, errStopped)
	soon()
	AwaitOpen(t, up, 0)
}

func testCancelledBetween(t *testing.T, h Harness) {
	act := Say("one ", "two ")
	act.End = Hang
	m, up := h.Start(t, Always(act))
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	text, soon := "", func() {}
	var last error
	for d, err := range m.Stream(ctx, Ask("hello")) {
		last = err
		if text += d.Text; text == act.Text() && err == nil {
			soon = stopsWithin(t, time.Second)
			cancel(errStopped)
		}
	}
	stopped(t, last, errStopped)
	soon()
	AwaitOpen(t, up, 0)
}

// flow is an act that has far more to say than any buffer between it and a test can hold.
func flow() Act {
	var act Act
	word := strings.Repeat("x", 999) + " "
	for range 24_000 {
		act.Beats = append(act.Beats, Beat{Text: word})
	}
	return act
}

func testCancelledInFlow(t *testing.T, h Harness) {
	m, up := h.Start(t, Always(flow()))
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	n := 0
	var last error
	for _, err := range m.Stream(ctx, Ask("hello")) {
		last = err
		if n++; n == 10 {
			cancel(errStopped)
		}
	}
	stopped(t, last, errStopped)
	if n > 12 {
		t.Errorf("%d more deltas after the cancel", n-10)
	}
	AwaitOpen(t, up, 0)
}

func testCancelledOne(t *testing.T, h Harness) {
	act := Act{Beats: []Beat{{Text: "one "}, {Text: "two", Hold: true}}}
	m, up := h.Start(t, Always(act))
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	stopping, others := make(chan Answer, 1), make(chan Answer, 3)
	go func() { stopping <- Gather(m.Stream(ctx, Ask("hello"))) }()
	AwaitOpen(t, up, 1)
	for range cap(others) {
		go func() { others <- Gather(m.Stream(t.Context(), Ask("hello"))) }()
	}
	AwaitOpen(t, up, 1+cap(others))
	cancel(errStopped)
	stopped(t, (<-stopping).Err, errStopped)
	AwaitOpen(t, up, cap(others))
	for range cap(others) {
		up.Release()
	}
	for range cap(others) {
		whole(t, <-others, act)
	}
	AwaitOpen(t, up, 0)
}

func testDeadline(t *testing.T, h Harness) {
	act := Say("one ")
	act.End = Hang
	m, up := h.Start(t, Always(act))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	soon := stopsWithin(t, 2*time.Second)
	stopped(t, Gather(m.Stream(ctx, Ask("hello"))).Err, context.DeadlineExceeded)
	soon()
	AwaitOpen(t, up, 0)
}

func testLeftEarly(t *testing.T, h Harness) {
	act := Say("one ", "two ")
	act.End = Hang
	m, up := h.Start(t, Always(act))
	soon := stopsWithin(t, time.Second)
	for _, err := range m.Stream(t.Context(), Ask("hello")) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	soon()
	AwaitOpen(t, up, 0)
}

func testLeftInFlow(t *testing.T, h Harness) {
	m, up := h.Start(t, Always(flow()))
	n := 0
	for range m.Stream(t.Context(), Ask("hello")) {
		if n++; n == 10 {
			break
		}
	}
	AwaitOpen(t, up, 0)
}

func testLeftAtEnd(t *testing.T, h Harness) {
	act := Say("one ", "two")
	act.Usage = &llm.Usage{Input: 1, Output: 2}
	m, up := h.Start(t, Always(act))
	text := ""
	for d := range m.Stream(t.Context(), Ask("hello")) {
		if text += d.Text; text == act.Text() {
			break
		}
	}
	AwaitOpen(t, up, 0)
}
