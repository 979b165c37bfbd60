package reply

import (
	"context"
	"iter"
	"strings"
	"testing"

	"parley/llm"
	"parley/room"
)

// An endless model says n words as fast as they are taken.
type endless int

func (n endless) Stream(context.Context, llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		for range n {
			if !yield(llm.Delta{Text: "word "}, nil) {
				return
			}
		}
	}
}

// deaf is a desk that keeps nothing.
type deaf struct{ desk }

func (*deaf) Signal(room.Signal) {}

// BenchmarkChunk is what a word costs between the model and the desk.
func BenchmarkChunk(b *testing.B) {
	w := newWorker(b, endless(b.N), func(c *Config) { c.MaxBytes = 1 << 40 })
	d := &deaf{desk{view: council()}}
	b.ReportAllocs()
	b.ResetTimer()
	if err := w.Do(b.Context(), claudesJob, d); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPrompt is what comes before the call, in a room with a full window.
func BenchmarkPrompt(b *testing.B) {
	var said []room.Message
	for i := range 150 {
		said = append(said, bob(room.Offset(100+i), strings.Repeat("some words [and] more\n", 20)))
	}
	v := council(said...)
	w := newWorker(b, endless(0), nil)
	b.ReportAllocs()
	for b.Loop() {
		t, _ := taskOf(v, claudesJob)
		_, _ = w.request(t)
	}
}
