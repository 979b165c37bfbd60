package llm_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"parley/llm"
)

// answers says the name it was asked under, fails at once for "down" and after a word for "broken".
func answers(name string) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		down := &llm.Error{Kind: llm.Unavailable, Model: name, Err: errors.New(name)}
		if name == "down" || name == "gone" {
			yield(llm.Delta{}, down)
			return
		}
		if yield(llm.Delta{Text: name}, nil) && name == "broken" {
			yield(llm.Delta{}, down)
		}
	}
}

func TestFirstOf(t *testing.T) {
	for name, c := range map[string]struct {
		names []string
		text  string
		err   string
		fell  []string
	}{
		"no names":           {text: ""},
		"first answers":      {names: []string{"a", "b"}, text: "a"},
		"falls over twice":   {names: []string{"down", "gone", "b"}, text: "b", fell: []string{"down", "gone"}},
		"none answers":       {names: []string{"down", "gone"}, err: "gone", fell: []string{"down"}},
		"fails after a word": {names: []string{"broken", "b"}, text: "broken", err: "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			var fell []string
			text, errText := "", ""
			for d, err := range llm.FirstOf(t.Context(), c.names, answers, func(n string, _ error) { fell = append(fell, n) }) {
				text += d.Text
				if err != nil {
					errText = errors.Unwrap(err).Error()
				}
			}
			if text != c.text || errText != c.err || !slices.Equal(fell, c.fell) {
				t.Errorf("got %q, error %q, fell %v", text, errText, fell)
			}
		})
	}
}

func TestFirstOfStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	ask := func(name string) iter.Seq2[llm.Delta, error] {
		asked++
		cancel()
		return answers("down")
	}
	for range llm.FirstOf(ctx, []string{"a", "b"}, ask, nil) {
	}
	if asked != 1 {
		t.Errorf("asked %d models, want 1", asked)
	}
}

func TestFirstOfLeftEarly(t *testing.T) {
	for range llm.FirstOf(t.Context(), []string{"a", "b"}, answers, nil) {
		break
	}
}
