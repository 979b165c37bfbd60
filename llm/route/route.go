// Package route is a Model over several providers: the first part of a model's name chooses who is asked.
//
// `anthropic/claude-x` asks the provider called anthropic for `claude-x`; only the first part is taken off, since the
// names of some providers have slashes themselves (`openrouter/meta-llama/llama-x`). A bare name, or one whose first
// part is no provider, goes to the default provider as it is.
//
// Each provider is asked by so many calls at a time, and again when it is overloaded or unavailable; a list of models
// falls over from one provider to the next. Both happen only before the first delta of an answer: what was said once is
// never said again. Calls that wait for their turn are served in the order in which they came.
package route

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"

	"parley/llm"
	"parley/seam"
)

// Config says who is asked for what, and how patiently.
type Config struct {
	Default   string // name of the provider for all other models
	Providers []Provider
	Retry     Retry
	Clock     seam.Clock
	Random    rand.Source  // spreads the retries of many; used by one goroutine at a time
	Log       *slog.Logger // told of every retry and fallback, with its reason; nil for none
}

// A Provider serves the models whose names begin with its own.
type Provider struct {
	Name  string
	Model llm.Model // gets the rest of the name; nil if it cannot be used
	Why   error     // what to do about it, if it cannot
	Calls int       // most at a time; 0 is no limit
}

// A Model asks the provider that a model's name says. It may be used from any goroutine at any time.
type Model struct {
	providers []*provider
	byName    map[string]*provider
	others    *provider
	log       *slog.Logger
}

var (
	_ llm.Model  = (*Model)(nil)
	_ llm.Lister = (*Model)(nil)
)

// New makes a Model.
func New(cfg Config) (*Model, error) {
	if cfg.Clock == nil || cfg.Random == nil {
		return nil, errors.New("make a route: the Clock or the Random is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m := &Model{byName: make(map[string]*provider), log: cfg.Log}
	dice := &dice{source: rand.New(cfg.Random)}
	for _, p := range cfg.Providers {
		if p.Name == "" || strings.Contains(p.Name, "/") || m.byName[p.Name] != nil {
			return nil, fmt.Errorf("make a route: %q is no name for a provider of its own", p.Name)
		}
		if (p.Model == nil) == (p.Why == nil) {
			return nil, fmt.Errorf("make a route to %s: it wants either a Model or why there is none", p.Name)
		}
		m.byName[p.Name] = newProvider(p, cfg, dice)
		m.providers = append(m.providers, m.byName[p.Name])
	}
	if m.others = m.byName[cfg.Default]; m.others == nil {
		return nil, fmt.Errorf("make a route: the default provider %q is not among the providers", cfg.Default)
	}
	return m, nil
}

// dice are shared by all calls.
type dice struct {
	mu     sync.Mutex
	source *rand.Rand
}

// roll returns a number from 0 up to, but not including, 1.
func (d *dice) roll() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.source.Float64()
}

// Stream asks the first of req.Models, each at its own provider, and falls over to the next while none has begun to
// answer. No name at all asks the default provider for its default model. Delta.Model is the whole name of the model
// that answers, with its provider, as Split reads it; it is the name that was asked for, however exactly the provider
// names it.
func (m *Model) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Delta, error] {
	ask := func(name string) iter.Seq2[llm.Delta, error] {
		p, bare := m.find(name)
		mine := req
		mine.Models = nil
		if bare != "" {
			mine.Models = []string{bare}
		}
		return p.named(bare, p.stream(ctx, mine))
	}
	return llm.FirstOf(ctx, req.Models, ask, func(name string, err error) {
		m.log.Warn("model falls over to the next", "model", name, "err", err)
	})
}

// find returns the provider of a model and what it calls it.
func (m *Model) find(name string) (*provider, string) {
	if first, rest := Split(name); m.byName[first] != nil {
		return m.byName[first], rest
	}
	return m.others, name
}

// Split parts a name into its provider's and the provider's own. A bare name has no provider.
func Split(name string) (provider, bare string) {
	first, rest, ok := strings.Cut(name, "/")
	if !ok {
		return "", name
	}
	return first, rest
}
