package llmtest

import (
	"context"
	"testing"
	"time"

	"parley/llm"
)

// silence is the longest that the models of these tests bear. It has to be longer than a busy machine's hiccups.
const silence = 250 * time.Millisecond

func silenceTests() []test {
	return []test{
		{"silence", testSilence},
		{"slow loris", testSlowLoris},
		{"slow words are no silence", testSlowWords},
		{"a slow reader is no silence", testSlowReader},
	}
}

func impatient(t *testing.T, h Harness, act Act) (llm.Model, Upstream) {
	t.Helper()
	if h.Impatient == nil {
		t.Fatal("set Harness.Impatient, or say in Lacks why the driver has no limit to its patience")
	}
	return h.Impatient(t, Always(act), silence)
}

func testSilence(t *testing.T, h Harness) { givesUp(t, h, Hang) }

// Bytes that say nothing are silence: an upstream that is stuck can keep a connection busy for ever.
func testSlowLoris(t *testing.T, h Harness) { givesUp(t, h, Trickle) }

func givesUp(t *testing.T, h Harness, end End) {
	for name, c := range map[string]struct {
		act  Act
		kind llm.Kind
	}{
		"before a word": {Act{}, llm.Unavailable},
		"after a word":  {Say("one "), llm.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			c.act.End = end
			m, up := impatient(t, h, c.act)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			got := Gather(m.Stream(ctx, Ask("hello")))
			if e := asError(t, got); e.Kind != c.kind {
				t.Errorf("kind %s of %v, want %s", e.Kind, e, c.kind)
			}
			if got.Text != c.act.Text() {
				t.Errorf("text %q, want what was said before, %q", got.Text, c.act.Text())
			}
			AwaitOpen(t, up, 0)
		})
	}
}

func testSlowWords(t *testing.T, h Harness) {
	act := Act{}
	for range 6 {
		act.Beats = append(act.Beats, Beat{Text: "word ", Hold: true})
	}
	m, up := impatient(t, h, act)
	tick := time.NewTicker(silence / 3) // altogether they take twice the limit
	defer tick.Stop()
	answer := make(chan Answer, 1)
	go func() { answer <- Gather(m.Stream(t.Context(), Ask("hello"))) }()
	for range act.Beats {
		<-tick.C
		up.Release()
	}
	whole(t, <-answer, act)
}

// The limit is on the upstream: whoever reads may take as long as they like.
func testSlowReader(t *testing.T, h Harness) {
	act := Say("one ", "two ", "three")
	m, _ := impatient(t, h, act)
	text := ""
	for d, err := range m.Stream(t.Context(), Ask("hello")) {
		if err != nil {
			t.Fatal(err)
		}
		if text += d.Text; text == "one " {
			<-time.After(2 * silence)
		}
	}
	if text != act.Text() {
		t.Errorf("text %q, want %q", text, act.Text())
	}
}
