package hub

import (
	"context"

	"parley/room"
)

// keptInbox is how many requests an inbox may have held to be used again.
const keptInbox = 256

// A request is something for the actor to do. Exactly one of command and ask is set.
type request struct {
	meta    room.Meta
	command room.Command
	answer  chan answer // nil if nobody waits
	urgent  bool        // taken even when the mailbox is full: the room's own work
	ask     func()
}

type answer struct {
	result Result
	err    error
}

var errBusy = &room.Error{Code: room.CodeBusy, Text: "the room has more to do than it can take: try again in a moment"}

// put adds a request to the mailbox and reports whether it will be seen to.
func (a *actor) put(r request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.full {
		return errDraining
	}
	if len(a.inbox) >= a.hub.cfg.Mailbox && !r.urgent {
		return errBusy
	}
	a.inbox = append(a.inbox, r)
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return nil
}

func (a *actor) do(ctx context.Context, meta room.Meta, c room.Command) (Result, error) {
	_, person := meta.By.Person()
	ch := a.hub.answers.Get().(chan answer)
	if err := a.put(request{meta: meta, command: c, answer: ch, urgent: !person}); err != nil {
		return Result{}, err
	}
	got, err := await(ctx, ch)
	if err != nil {
		return Result{}, err
	}
	a.hub.answers.Put(ch)
	return got.result, got.err
}

// call runs f in the actor and waits for it.
func (a *actor) call(ctx context.Context, f func()) error { return a.callAs(ctx, false, f) }

func (a *actor) callAs(ctx context.Context, urgent bool, f func()) error {
	done := make(chan answer, 1)
	err := a.put(request{answer: done, urgent: urgent, ask: func() {
		f()
		done <- answer{}
	}})
	if err != nil {
		return err
	}
	got, err := await(ctx, done)
	if err != nil {
		return err
	}
	return got.err
}

// await waits for an answer. One that is there is taken, even if ctx has ended meanwhile.
func await(ctx context.Context, ch <-chan answer) (answer, error) {
	select {
	case got := <-ch:
		return got, nil
	case <-ctx.Done():
	}
	select {
	case got := <-ch:
		return got, nil
	default:
		return answer{}, context.Cause(ctx)
	}
}

// hint says that the log may have grown to head elsewhere.
func (a *actor) hint(head room.Offset) {
	_ = a.put(request{urgent: true, ask: func() {
		if head > a.state.Head() {
			a.catchUp()
		}
	}})
}
