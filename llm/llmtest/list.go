package llmtest

import (
	"context"
	"errors"
	"testing"

	"parley/llm"
)

func listTests() []test {
	return []test{
		{"lists its models", testList},
		{"a list is cancelled", testListCancelled},
	}
}

// lister skips the test of a driver that has no list.
func lister(t *testing.T, h Harness) llm.Lister {
	m, _ := h.Start(t, Always(Say("ok")))
	l, ok := m.(llm.Lister)
	if !ok {
		t.Skip("does not apply: the driver is no llm.Lister")
	}
	return l
}

func testList(t *testing.T, h Harness) {
	models, err := lister(t, h).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(models) == 0 {
		t.Error("there is no model to choose")
	}
	seen := map[string]bool{}
	for i, m := range models {
		if m.Name == "" || seen[m.Name] || m.Context < 0 {
			t.Errorf("model %d, %+v, has no name of its own", i, m)
		}
		seen[m.Name] = true
	}
}

func testListCancelled(t *testing.T, h Harness) {
	l := lister(t, h)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	if models, err := l.List(ctx); !errors.Is(err, errStopped) {
		t.Errorf("got %+v and the error %v, want the cause of the context, %v", models, err, errStopped)
	}
}
