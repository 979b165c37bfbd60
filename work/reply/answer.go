package reply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"parley/room"
	"parley/work"
	"parley/work/talk"
)

// An answer is what a model has said, and what came of the call.
type answer struct {
	*speech
	talk.Answer
}

var errNothing = errors.New("the model answered nothing")

// outcome asks the model and returns the command that ends the reply, with what the call took.
func (w *Worker) outcome(ctx context.Context, t *task, desk work.Desk) (room.Command, talk.Answer) {
	if t.gone {
		return room.FailReply{Reply: t.ID, Reason: t.Name + " has no seat in the room any more"}, talk.Answer{}
	}
	req, upto := w.request(t)
	if err := w.asker.Afford(&req, t.Name, t.allowance); err != nil {
		w.cfg.Log.Info("reply not asked for", slog.String("room", string(t.view.Room)), slog.Uint64("reply", uint64(t.ID)),
			slog.String("by", string(t.Model)), slog.Any("cause", err))
		_, unpriced := errors.AsType[talk.UnpricedError](err)
		return room.FailReply{Reply: t.ID, Reason: err.Error(), Unaffordable: !unpriced}, talk.Answer{}
	}
	w.summarise(ctx, t, desk, upto)
	began := w.cfg.Clock.Now()
	a := &answer{speech: newSpeech(desk, t, w.cfg.MaxBytes)}
	a.Answer = w.asker.Ask(ctx, req, a.hear)
	a.finish()
	if ctx.Err() != nil {
		return nil, a.Answer
	}
	c := w.end(t, a)
	w.log(ctx, t, a, c, began)
	return c, a.Answer
}

// summarise asks for a summary of what the prompt did not hold. The reply does not wait for it: later ones read it.
func (w *Worker) summarise(ctx context.Context, t *task, desk work.Desk, upto room.Offset) {
	if upto == 0 {
		return
	}
	if _, err := desk.Do(ctx, room.RequestSummary{Upto: upto}); err != nil && ctx.Err() == nil {
		w.cfg.Log.Warn("summary not asked for", slog.String("room", string(t.view.Room)), slog.Uint64("upto", uint64(upto)), slog.Any("cause", err))
	}
}

// end decides how the reply ends, and does what the model asked of its tools.
func (w *Worker) end(t *task, a *answer) room.Command {
	if a.Err != nil {
		return room.FailReply{Reply: t.ID, Text: a.text(), Reason: w.asker.Why(t.Name, a.Err), Served: a.Served, Usage: a.Usage}
	}
	wish := w.wishes(t, a.Calls)
	if a.OptedOut || wish.optOut {
		reason := talk.Clip(talk.First(wish.reason, a.Reason), talk.MaxReason)
		return room.DeclineReply{Reply: t.ID, Reason: reason, Served: a.Served, Usage: a.Usage}
	}
	var asked []room.ModelID
	for _, m := range wish.mentions {
		asked = append(asked, m.model.ID)
		a.mention(m, t.view.Info.Models)
	}
	if blank(a) {
		a.paragraph(wish.text())
	}
	if blank(a) {
		return room.FailReply{Reply: t.ID, Reason: t.Name + " answered nothing: ask again, or in other words", Served: a.Served, Usage: a.Usage}
	}
	return room.CompleteReply{
		Reply: t.ID, Text: a.text(), Mentions: asked, Served: a.Served, Usage: a.Usage,
		Finish: wish.finish, Ask: wish.ask, Poll: wish.poll,
	}
}

// blank reports whether nothing was said: spaces are nothing.
func blank(a *answer) bool { return strings.TrimSpace(a.text()) == "" }

// put writes the outcome. A completed reply is never lost for what it wishes beside its text: what the room refuses of
// that is left out.
func (w *Worker) put(ctx context.Context, t *task, desk work.Desk, c room.Command) error {
	_, err := desk.Do(ctx, c)
	done, ok := c.(room.CompleteReply)
	wishes := ok && (done.Finish != nil || done.Ask != nil || done.Poll != nil)
	refusals := []room.Code{room.CodeInvalid, room.CodeForbidden, room.CodeConflict, room.CodeNotFound}
	if err == nil || !wishes || !slices.Contains(refusals, room.CodeOf(err)) {
		return err
	}
	w.cfg.Log.Warn("wish refused", slog.String("room", string(t.view.Room)), slog.Uint64("reply", uint64(t.ID)),
		slog.String("by", string(t.Model)), slog.Any("cause", err))
	done.Finish, done.Ask, done.Poll = nil, nil, nil
	_, err = desk.Do(ctx, done)
	return err
}

// account tells the room what a call took whose outcome it did not want any more. The job's ctx has ended, so it has a
// short one of its own.
func (w *Worker) account(ctx context.Context, t *task, desk work.Desk, a talk.Answer) {
	if a.Usage == (room.Usage{}) && t.allowance == (room.Allowance{}) && !t.unknown {
		return // what a reply may still take is held until it says what it took, were it nothing
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), work.Grace)
	defer cancel()
	_, err := desk.Do(ctx, room.RecordUsage{Reply: t.ID, Served: a.Served, Usage: a.Usage})
	attrs := []slog.Attr{
		slog.String("room", string(t.view.Room)), slog.Uint64("reply", uint64(t.ID)), slog.String("by", string(t.Model)),
		slog.String("served", a.Served), slog.Int("input", a.Usage.Input), slog.Int("output", a.Usage.Output),
	}
	switch {
	case room.CodeOf(err) == room.CodeGone: // the outcome landed after all, or the room has given up waiting
		w.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "usage not wanted", append(attrs, slog.Any("cause", err))...)
		return
	case err != nil:
		w.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "usage not recorded", append(attrs, slog.Any("cause", err))...)
		return
	}
	w.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "reply not wanted any more", attrs...)
}

func (w *Worker) log(ctx context.Context, t *task, a *answer, c room.Command, began time.Time) {
	attrs := []slog.Attr{
		slog.String("room", string(t.view.Room)), slog.Uint64("reply", uint64(t.ID)), slog.String("by", string(t.Model)),
		slog.Int("bytes", len(a.text())), slog.String("served", a.Served),
		slog.Int("input", a.Usage.Input), slog.Int("output", a.Usage.Output), slog.Int64("cost", int64(a.Usage.Cost)),
		slog.Duration("took", w.cfg.Clock.Now().Sub(began)),
	}
	if !a.First.IsZero() {
		attrs = append(attrs, slog.Duration("first", a.First.Sub(began)))
	}
	level := slog.LevelInfo
	if _, failed := c.(room.FailReply); failed {
		level = slog.LevelWarn
		cause := a.Err
		if cause == nil {
			cause = errNothing
		}
		attrs = append(attrs, slog.Any("cause", cause))
	}
	w.cfg.Log.LogAttrs(ctx, level, "reply ended", append(attrs, slog.String("outcome", fmt.Sprintf("%T", c)))...)
}
