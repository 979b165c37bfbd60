package route

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"parley/llm"
)

const (
	listFresh = 5 * time.Minute // in which a provider is not asked for its list again
	listLimit = 10 * time.Second
)

var errSlowList = errors.New("its list of models took too long")

// List names the models of all providers that have a list, each with its provider, those of the default provider
// first. A provider that fails is left out and logged; if all fail, the error is the first one's. Lists are kept for
// five minutes.
func (m *Model) List(ctx context.Context) ([]llm.Info, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	asked := []*provider{m.others}
	for _, p := range m.providers {
		if p != m.others {
			asked = append(asked, p)
		}
	}
	lists, errs := make([][]llm.Info, len(asked)), make([]error, len(asked))
	var asking sync.WaitGroup
	for i, p := range asked {
		asking.Go(func() { lists[i], errs[i] = p.list(ctx) })
	}
	asking.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return m.join(asked, lists, errs)
}

func (m *Model) join(asked []*provider, lists [][]llm.Info, errs []error) ([]llm.Info, error) {
	var all []llm.Info
	var first error
	answered := false
	for i, p := range asked {
		if errs[i] != nil {
			m.log.Warn("provider does not list its models", "provider", p.Name, "err", errs[i])
			if first == nil {
				first = errs[i]
			}
			continue
		}
		answered = answered || lists[i] != nil
		for _, info := range lists[i] {
			if info.Title == "" {
				info.Title = info.Name
			}
			info.Name = p.whole(info.Name, "")
			all = append(all, info)
		}
	}
	if !answered && first != nil {
		return nil, first
	}
	return all, nil
}

// list asks a provider that can be used and has a list; any other has an empty one.
func (p *provider) list(ctx context.Context) ([]llm.Info, error) {
	lister, ok := p.Model.(llm.Lister)
	if !ok {
		return nil, nil
	}
	if list, fresh := p.kept(); fresh {
		return list, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := p.clock.AfterFunc(listLimit, func() {
		cancel(&llm.Error{Kind: llm.Unavailable, Provider: p.Name, Err: errSlowList})
	})
	defer limit.Stop()
	list, err := lister.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listed, p.until = list, p.clock.Now().Add(listFresh)
	return list, nil
}

func (p *provider) kept() ([]llm.Info, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listed, p.clock.Now().Before(p.until)
}
