package llmtest

import (
	"context"
	"errors"
	"iter"

	"parley/llm"
)

// A Player is a Model in process that plays acts. It may be used from any goroutine at any time.
type Player struct {
	*Stage
	cut func() // breaks the connection that stands between the player and the test, if there is one
}

var (
	_ llm.Model = (*Player)(nil)
	_ Upstream  = (*Player)(nil)
)

// NewPlayer makes a Player. cut, which may be nil, is called when an act ends in Cut.
func NewPlayer(play func(llm.Request) Act, cut func()) *Player {
	return &Player{Stage: NewStage(play), cut: cut}
}

// Always plays the same act.
func Always(a Act) func(llm.Request) Act { return func(llm.Request) Act { return a } }

// Stream plays one act.
func (p *Player) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		if ctx.Err() != nil {
			yield(llm.Delta{}, context.Cause(ctx))
			return
		}
		act, leave := p.Enter(req)
		defer leave()
		if act.Late && !p.Wait(ctx) {
			yield(llm.Delta{}, context.Cause(ctx))
			return
		}
		if act.Refuse != nil {
			yield(llm.Delta{}, act.Refuse.error())
			return
		}
		if p.beats(ctx, act, yield) {
			p.end(ctx, act, yield)
		}
	}
}

func (p *Player) beats(ctx context.Context, act Act, yield func(llm.Delta, error) bool) bool {
	for _, b := range act.Beats {
		if b.Hold && !p.Wait(ctx) {
			yield(llm.Delta{}, context.Cause(ctx))
			return false
		}
		d := llm.Delta{Text: b.Text, Reasoning: b.Reasoning, OptedOut: act.OptOut && b.Text != "", Model: "player"}
		if (d.Text != "" || d.Reasoning != "") && !yield(d, nil) {
			return false
		}
	}
	return true
}

func (p *Player) end(ctx context.Context, act Act, yield func(llm.Delta, error) bool) {
	switch act.End {
	case Cut:
		if p.cut != nil {
			p.cut()
		}
		yield(llm.Delta{}, &llm.Error{Kind: llm.Broken, Provider: "player", Err: errors.New("the act ends here")})
	case Hang, Trickle: // there are no bytes between the player and its caller
		<-ctx.Done()
		yield(llm.Delta{}, context.Cause(ctx))
	case Finish:
		last := llm.Delta{ToolCalls: act.Calls(), Usage: act.Usage, Model: "player"}
		if last.ToolCalls != nil || last.Usage != nil {
			yield(last, nil)
		}
	}
}

func (r Refusal) error() *llm.Error {
	return &llm.Error{Kind: r.Kind(), Provider: "player", Status: r.Status, RetryAfter: r.RetryAfter, Err: errors.New(r.Text)}
}
