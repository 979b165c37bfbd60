package llm

import (
	"context"
	"iter"
)

// FirstOf streams the answer of the first of names that starts to answer. One that fails before its first delta falls
// over to the next, and fell, unless nil, is told of it; the failure of the last is the failure of all. No names at
// all are one call with the empty name. A ctx that ends stops the search.
func FirstOf(ctx context.Context, names []string, ask func(name string) iter.Seq2[Delta, error], fell func(name string, err error)) iter.Seq2[Delta, error] {
	if len(names) == 0 {
		names = []string{""}
	}
	return func(yield func(Delta, error) bool) {
		for i, name := range names {
			settled, err := Attempt(ask(name), yield)
			if settled {
				return
			}
			if i == len(names)-1 || ctx.Err() != nil {
				yield(Delta{}, err)
				return
			}
			if fell != nil {
				fell(name, err)
			}
		}
	}
}

// Attempt passes an answer on to yield. It is settled unless it failed before its first delta: then nothing was
// yielded, err says why, and it can be tried again or elsewhere.
func Attempt(answer iter.Seq2[Delta, error], yield func(Delta, error) bool) (settled bool, err error) {
	started := false
	for d, err := range answer {
		if err != nil && !started {
			return false, err
		}
		started = true
		if !yield(d, err) || err != nil {
			return true, nil
		}
	}
	return true, nil
}
