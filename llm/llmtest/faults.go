package llmtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/llm"
)

func faultTests() []test {
	return []test{
		{"refusals", testRefusals},
		{"status of a refusal", testStatus},
		{"unreachable", testUnreachable},
		{"cut before the first word", testCutFirst},
		{"cut between words", testCutBetween},
		{"works after a failure", testAfterFailure},
	}
}

func refusals() []Refusal {
	return []Refusal{
		{Status: 400, Text: "maximum context length is 8192 tokens"},
		{Status: 401, Text: "no such key"},
		{Status: 403, Text: "this model is not for you"},
		{Status: 404, Text: "the model does not exist"},
		{Status: 429, Text: "slow down", RetryAfter: 7 * time.Second},
		{Status: 429, Text: "no quota left"},
		{Status: 500, Text: "the server had an error"},
		{Status: 502, Text: "bad gateway"},
		{Status: 503, Text: "restarting", RetryAfter: 2 * time.Second},
		{Status: 529, Text: "overloaded"},
	}
}

func eachRefusal(t *testing.T, h Harness, check func(t *testing.T, r Refusal, e *llm.Error)) {
	for _, r := range refusals() {
		t.Run(fmt.Sprint(r), func(t *testing.T) {
			m, up := h.Start(t, Always(Act{Refuse: &r}))
			got := Gather(m.Stream(t.Context(), Ask("hello")))
			check(t, r, asError(t, got))
			if len(got.Deltas) > 0 {
				t.Errorf("deltas %+v before the refusal", got.Deltas)
			}
			if n := len(up.Requests()); n > 1 {
				t.Errorf("asked %d times, want once", n)
			}
		})
	}
}

func testRefusals(t *testing.T, h Harness) {
	eachRefusal(t, h, func(t *testing.T, r Refusal, e *llm.Error) {
		if e.Kind != r.Kind() || e.RetryAfter != r.RetryAfter {
			t.Errorf("got kind %s, retry after %s, want %s, %s", e.Kind, e.RetryAfter, r.Kind(), r.RetryAfter)
		}
		if r.Status != 401 && !strings.Contains(e.Error(), r.Text) {
			t.Errorf("the error %q does not say %q", e, r.Text)
		}
	})
}

func testStatus(t *testing.T, h Harness) {
	eachRefusal(t, h, func(t *testing.T, r Refusal, e *llm.Error) {
		if e.Status != r.Status {
			t.Errorf("status %d, want %d", e.Status, r.Status)
		}
	})
}

func testUnreachable(t *testing.T, h Harness) {
	e := asError(t, Gather(h.Unreachable(t).Stream(t.Context(), Ask("hello"))))
	if e.Kind != llm.Unavailable {
		t.Errorf("kind %s of %v, want unavailable", e.Kind, e)
	}
}

func testCutFirst(t *testing.T, h Harness) {
	m, _ := h.Start(t, Always(Act{End: Cut}))
	e := asError(t, Gather(m.Stream(t.Context(), Ask("hello"))))
	if e.Kind != llm.Broken && e.Kind != llm.Unavailable {
		t.Errorf("kind %s of %v, want broken or unavailable", e.Kind, e)
	}
}

func testCutBetween(t *testing.T, h Harness) {
	act := Say("one ", "two ", "three ")
	act.Beats = append(act.Beats, Beat{Hold: true}) // the words are through before the cut
	act.End = Cut
	m, up := h.Start(t, Always(act))
	var got Answer
	text := ""
	for d, err := range m.Stream(t.Context(), Ask("hello")) {
		if err != nil {
			got.Err = err
		}
		if text += d.Text; text == act.Text() {
			up.Release()
		}
	}
	if e := asError(t, got); e.Kind != llm.Broken {
		t.Errorf("kind %s of %v, want broken", e.Kind, e)
	}
	if text != act.Text() {
		t.Errorf("text %q, want what was said before the cut, %q", text, act.Text())
	}
	AwaitOpen(t, up, 0)
}

func testAfterFailure(t *testing.T, h Harness) {
	acts := make(chan Act, 3)
	acts <- Act{Refuse: &Refusal{Status: 500, Text: "once"}}
	acts <- Act{Beats: []Beat{{Text: "half "}}, End: Cut}
	acts <- Say("all is well")
	m, _ := h.Start(t, func(llm.Request) Act { return <-acts })
	for range 2 {
		asError(t, Gather(m.Stream(t.Context(), Ask("hello"))))
	}
	// A connection that just broke may need a moment to be made anew.
	limit := time.Now().Add(patience)
	got := Gather(m.Stream(t.Context(), Ask("hello")))
	for got.Err != nil && len(acts) > 0 && time.Now().Before(limit) {
		got = Gather(m.Stream(t.Context(), Ask("hello")))
	}
	whole(t, got, Say("all is well"))
}

func asError(t *testing.T, got Answer) *llm.Error {
	t.Helper()
	var e *llm.Error
	if !errors.As(got.Err, &e) {
		t.Fatalf("got text %q and the error %v, want an *llm.Error", got.Text, got.Err)
	}
	if e.Provider == "" || e.Error() == "" {
		t.Errorf("the error %+v does not say whose it is", e)
	}
	return e
}
