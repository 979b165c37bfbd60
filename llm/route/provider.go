package route

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"time"

	"parley/llm"
	"parley/seam"
)

// A provider is asked by so many at a time, and asked again when that can help.
type provider struct {
	Provider
	retry Retry
	dice  *dice
	clock seam.Clock
	log   *slog.Logger
	turns chan struct{} // one for each call under way; nil if there is no limit

	mu     sync.Mutex
	listed []llm.Info
	until  time.Time // the list is good
}

func newProvider(p Provider, cfg Config, dice *dice) *provider {
	out := &provider{Provider: p, retry: cfg.Retry, dice: dice, clock: cfg.Clock, log: cfg.Log}
	if p.Calls > 0 {
		out.turns = make(chan struct{}, p.Calls)
	}
	return out
}

// named gives an answer's deltas the whole name of their model.
func (p *provider) named(bare string, answer iter.Seq2[llm.Delta, error]) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		for d, err := range answer {
			if err == nil {
				d.Model = p.whole(bare, d.Model)
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// whole is the name of a model with its provider: the one asked for or, if none was, the one told.
func (p *provider) whole(asked, told string) string {
	if asked == "" {
		asked = strings.TrimPrefix(told, p.Name+"/")
	}
	if asked == "" {
		return ""
	}
	return p.Name + "/" + asked
}

// stream asks until an answer begins, asking again cannot help, or ctx ends.
func (p *provider) stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		for try := 1; ; try++ {
			settled, took, err := p.ask(ctx, req, yield)
			if settled {
				return
			}
			wait, again := p.again(try, err)
			if !again || took > p.retry.Most || ctx.Err() != nil {
				yield(llm.Delta{}, err)
				return
			}
			p.log.Info("model is asked again", "provider", p.Name, "models", req.Models, "try", try+1, "in", wait, "err", err)
			if err := p.sleep(ctx, wait); err != nil {
				yield(llm.Delta{}, err)
				return
			}
		}
	}
}

// ask asks once, when it is this call's turn, and tells how long the provider took.
func (p *provider) ask(ctx context.Context, req llm.Request, yield func(llm.Delta, error) bool) (settled bool, took time.Duration, err error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return false, 0, err
	}
	defer leave()
	from := p.clock.Now()
	settled, err = llm.Attempt(p.Model.Stream(ctx, req), yield)
	return settled, p.clock.Now().Sub(from), err
}

// enter waits for a turn. leave ends it.
func (p *provider) enter(ctx context.Context) (leave func(), err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if p.Model == nil {
		return nil, &llm.Error{Kind: llm.Denied, Provider: p.Name, Err: p.Why}
	}
	if p.turns == nil {
		return func() {}, nil
	}
	select {
	case p.turns <- struct{}{}:
		return func() { <-p.turns }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// sleep waits for d, or until ctx ends.
func (p *provider) sleep(ctx context.Context, d time.Duration) error {
	over := make(chan struct{})
	timer := p.clock.AfterFunc(d, func() { close(over) })
	defer timer.Stop()
	select {
	case <-over:
		return context.Cause(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Retry says how a provider is asked again. The waits double from First up to Most, and each is a random part between
// its half and its whole, so that calls that failed together do not come back together. The zero Retry asks once.
type Retry struct {
	Times int           // at most, after the first time
	First time.Duration // the first wait
	Most  time.Duration // the longest; what takes a provider longer, to come back or to fail, is not tried again
}

// again tells whether asking once more can help, and after which time.
func (p *provider) again(try int, err error) (time.Duration, bool) {
	var e *llm.Error
	if try > p.retry.Times || !errors.As(err, &e) || (e.Kind != llm.Overloaded && e.Kind != llm.Unavailable) {
		return 0, false
	}
	if e.RetryAfter > p.retry.Most {
		return 0, false // nobody waits for so long; the next model may be free
	}
	wait := p.retry.Most
	if doublings := try - 1; doublings < 16 { // far beyond any Most, far below an overflow
		wait = min(wait, p.retry.First<<doublings)
	}
	spread := time.Duration(p.dice.roll() * float64(wait/2))
	if e.RetryAfter > 0 {
		return e.RetryAfter + spread, true // not before it said, and not all at once
	}
	return wait - wait/2 + spread, true
}
