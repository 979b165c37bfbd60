package reply

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"parley/llm"
	"parley/room"
	"parley/work"
)

// An answer is what a model has said so far.
type answer struct {
	*speech
	calls    []llm.ToolCall
	optedOut bool
	reason   strings.Builder // for opting out
	served   string
	usage    llm.Usage
	first    time.Time // when the first delta came
	silent   bool      // the call was given up because nothing came
	err      error
}

// outcome asks the model and returns the command that ends the reply.
func (w *Worker) outcome(ctx context.Context, t *task, desk work.Desk) room.Command {
	if t.gone {
		return room.FailReply{Reply: t.ID, Reason: t.Name + " has no seat in the room any more"}
	}
	began := w.cfg.Clock.Now()
	a := w.ask(ctx, w.request(t), newSpeech(desk, t, w.cfg.MaxBytes))
	if ctx.Err() != nil {
		return nil
	}
	c := w.end(t, a)
	w.log(ctx, t, a, c, began)
	return c
}

// ask has the model answer and hands on each word as it comes.
func (w *Worker) ask(ctx context.Context, req llm.Request, s *speech) *answer {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &answer{speech: s}
	quiet := watchSilence(w.cfg.Clock, w.cfg.Silence, cancel)
	for d, err := range w.cfg.Model.Stream(ctx, req) {
		if err != nil {
			a.err = err
			break
		}
		more := a.take(d)
		now := quiet.heard()
		if a.first.IsZero() {
			a.first = now
		}
		if !more {
			break
		}
	}
	a.silent = quiet.stop()
	a.finish()
	return a
}

// take adds a delta and reports whether more may come.
func (a *answer) take(d llm.Delta) (more bool) {
	more = true
	switch a.optedOut = a.optedOut || d.OptedOut; {
	case a.optedOut && a.reason.Len() < maxReason:
		a.reason.WriteString(d.Text)
	case !a.optedOut && d.Text != "":
		more = a.hear(d.Text)
	}
	a.calls = append(a.calls, d.ToolCalls...)
	if d.Model != "" {
		a.served = d.Model
	}
	if d.Usage != nil {
		a.usage = *d.Usage
	}
	return more
}

// end decides how the reply ends, and does what the model asked of its tools.
func (w *Worker) end(t *task, a *answer) room.Command {
	switch {
	case a.silent:
		return room.FailReply{Reply: t.ID, Text: a.text(), Reason: fmt.Sprintf("%s was silent for %gs: ask again", t.Name, w.cfg.Silence.Seconds())}
	case a.err != nil:
		return room.FailReply{Reply: t.ID, Text: a.text(), Reason: reasonOf(t.Name, a.err)}
	}
	wish := w.wishes(t, a.calls)
	if a.optedOut || wish.optOut {
		return room.DeclineReply{Reply: t.ID, Reason: clip(firstNonEmpty(wish.reason, a.reason.String()), maxReason)}
	}
	var asked []room.ModelID
	for _, m := range wish.mentions {
		asked = append(asked, m.model.ID)
		a.mention(m, t.view.Info.Models)
	}
	if a.text() == "" {
		return room.FailReply{Reply: t.ID, Reason: t.Name + " answered nothing: ask again, or in other words"}
	}
	return room.CompleteReply{
		Reply: t.ID, Text: a.text(), Mentions: asked,
		Served: a.served, Usage: room.Usage{Input: a.usage.Input, Output: a.usage.Output},
	}
}

func (w *Worker) log(ctx context.Context, t *task, a *answer, c room.Command, began time.Time) {
	attrs := []slog.Attr{
		slog.String("room", string(t.view.Room)), slog.Uint64("reply", uint64(t.ID)), slog.String("by", string(t.Model)),
		slog.Int("bytes", len(a.text())), slog.String("served", a.served),
		slog.Int("input", a.usage.Input), slog.Int("output", a.usage.Output),
		slog.Duration("took", w.cfg.Clock.Now().Sub(began)),
	}
	if !a.first.IsZero() {
		attrs = append(attrs, slog.Duration("first", a.first.Sub(began)))
	}
	level := slog.LevelInfo
	if _, failed := c.(room.FailReply); failed {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("cause", a.cause()))
	}
	w.cfg.Log.LogAttrs(ctx, level, "reply ended", append(attrs, slog.String("outcome", fmt.Sprintf("%T", c)))...)
}

// cause is why the answer failed.
func (a *answer) cause() error {
	switch {
	case a.silent:
		return errSilent
	case a.err != nil:
		return a.err
	}
	return errNothing
}
