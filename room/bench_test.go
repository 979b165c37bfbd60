package room

import (
	"fmt"
	"testing"
	"time"
)

// benchLog is a conversation of n entries: mostly messages, some of which ask a model that answers.
func benchLog(tb testing.TB, n int) []Entry {
	tb.Helper()
	s := New("council", DefaultRules())
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	var log []Entry
	do := func(by Identity, c Command) {
		at = at.Add(time.Second)
		m := Meta{At: at, By: by, Cause: fmt.Sprintf("ab12cd34ef56-%d", len(log))}
		events, err := s.Decide(m, c)
		if err != nil {
			tb.Fatal(err)
		}
		for _, event := range events {
			e := Entry{Room: "council", Offset: s.Head() + 1, At: m.At, By: by, Cause: m.Cause, Event: event}
			s.Apply(&e)
			log = append(log, e)
		}
	}
	ada := PersonIdentity("ada")
	do(ada, Create{Epoch: "e1", Name: "Council", Models: []Model{{ID: "claude", Name: "Claude"}}})
	do(ada, Join{Name: "Ada"})
	for i := 0; len(log) < n; i++ {
		text := fmt.Sprintf("message %d: the quick brown fox jumps over the lazy dog, and \"says\" so", i)
		if i%4 != 0 {
			do(ada, PostMessage{Text: text})
			continue
		}
		do(ada, PostMessage{Text: "@claude " + text})
		for job := range s.Jobs() {
			do(job.By(), CompleteReply{Reply: job.(ReplyJob).Reply, Text: text, Served: "claude-opus", Usage: Usage{Input: 900, Output: 80}})
		}
	}
	return log[:n]
}

// BenchmarkPost is what the room costs per message: decided, folded and encoded.
func BenchmarkPost(b *testing.B) {
	s := New("council", DefaultRules())
	ada := PersonIdentity("ada")
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	var hash Hash
	buf := make([]byte, 0, 1<<10)
	do := func(c Command) {
		events, err := s.Decide(Meta{At: at, By: ada, Cause: "~1"}, c)
		if err != nil {
			b.Fatal(err)
		}
		for _, event := range events {
			e := Entry{Room: "council", Offset: s.Head() + 1, At: at, By: ada, Cause: "~1", Event: event}
			s.Apply(&e)
			if _, hash, err = AppendEntry(buf, hash, &e); err != nil {
				b.Fatal(err)
			}
		}
	}
	do(Create{Epoch: "e1", Name: "Council", Models: []Model{{ID: "claude", Name: "Claude"}}})
	do(Join{Name: "Ada"})
	b.ReportAllocs()
	for b.Loop() {
		do(PostMessage{Text: "the quick brown fox jumps over the lazy dog, and \"says\" so"})
	}
}

// BenchmarkPostBesideAutopilot is what a message costs while an autopilot works: the same, however many turns it has had.
func BenchmarkPostBesideAutopilot(b *testing.B) {
	for _, turns := range []int{2, 199} {
		b.Run(fmt.Sprint(turns), func(b *testing.B) {
			w, ada := convened(b, DefaultRules())
			w.must(ada, StartAutopilot{Goal: "a plan", Mode: RoundRobin, Turns: 200})
			for i := range turns {
				w.answer(w.state.Running()[0].Reply.ID, fmt.Sprint("thought ", i))
			}
			m := Meta{At: w.at, By: ada}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.state.Decide(m, PostMessage{Text: "hello"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen is what opening a room costs per entry of its log: decoded, verified and folded.
func BenchmarkOpen(b *testing.B) {
	const n = 10_000
	var stored []byte
	var hash Hash
	log := benchLog(b, n)
	for i := range log {
		var err error
		if stored, hash, err = AppendEntry(stored, hash, &log[i]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		s, rest, prev := New("council", DefaultRules()), stored, Hash{}
		for len(rest) > 0 {
			e, tail, err := CutEntry(rest, prev, "council")
			if err != nil {
				b.Fatal(err)
			}
			s.Apply(&e)
			rest, prev = tail, e.Hash
		}
		if prev != hash || s.Head() != n {
			b.Fatalf("the log of %d entries ends with %v", s.Head(), prev)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
}

// BenchmarkMentions is the worst a person can send: nothing but "@" in a room full of models.
func BenchmarkMentions(b *testing.B) {
	var models []Model
	for i := range maxModels {
		models = append(models, Model{ID: ModelID(fmt.Sprintf("model-%d", i)), Name: fmt.Sprintf("Model Number %d", i)})
	}
	worst := make([]byte, DefaultRules().MessageBytes)
	for i := range worst {
		worst[i] = "@m"[i%2]
	}
	for name, text := range map[string]string{"plain": "the quick brown fox jumps over the lazy dog", "worst": string(worst)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Mentions(text, models, true)
			}
		})
	}
}
