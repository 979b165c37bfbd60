// Package summary has a language model put into a few words what a room has outgrown: it is the worker for
// room.SummaryJob.
//
// The model is told the summary so far and the messages that came since, up to the one that the job names: what
// everyone may see of them, as quoted data. Each job that is still wanted ends in exactly one CompleteSummary or
// FailSummary; one that is not wanted any more writes nothing. The worker gives up by itself before the room does, so
// that what the call took is accounted for.
//
// Promised is one fact per summary that this process finishes, not one call: after a crash the room asks again.
package summary

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"parley/llm"
	"parley/room"
	"parley/seam"
	"parley/work"
	"parley/work/talk"
)

// Config is what a Worker needs. Of the limits, 0 means the default where one is named.
type Config struct {
	Model  llm.Model // asked for no model by name: the server's default writes the summaries
	Clock  seam.Clock
	Log    *slog.Logger
	Prices talk.Prices // nil: no price is known, so that no room with a limit of money gets a summary

	ContextTokens int           // most tokens of a prompt, as estimated; 16,000
	MaxTokens     int           // most tokens of a summary; 1,000
	Silence       time.Duration // how long the model may say nothing; one minute
	Time          time.Duration // how long a summary may take; two minutes. Less than the room waits
	Window        int           // most messages to look back; 200
}

// A Worker writes summaries. It may be used from any goroutine at any time and keeps no state between jobs.
type Worker struct {
	cfg   Config
	asker talk.Asker
}

var _ work.Worker = (*Worker)(nil)

// New makes a Worker.
func New(cfg Config) (*Worker, error) {
	switch {
	case cfg.Model == nil:
		return nil, errors.New("make a summary worker: a Model is missing")
	case cfg.Clock == nil:
		return nil, errors.New("make a summary worker: a Clock is missing")
	case cfg.Log == nil:
		return nil, errors.New("make a summary worker: a Log is missing")
	case min(cfg.ContextTokens, cfg.MaxTokens, cfg.Window) < 0 || min(cfg.Silence, cfg.Time) < 0:
		return nil, errors.New("make a summary worker: a limit is negative")
	}
	setDefault(&cfg.ContextTokens, 16_000)
	setDefault(&cfg.MaxTokens, 1000)
	setDefault(&cfg.Silence, time.Minute)
	setDefault(&cfg.Time, 2*time.Minute)
	setDefault(&cfg.Window, 200)
	asker := talk.Asker{Model: cfg.Model, Clock: cfg.Clock, Silence: cfg.Silence, Prices: cfg.Prices}
	return &Worker{cfg: cfg, asker: asker}, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Do writes one summary. It returns nil when its end is in the log, also when somebody else put it there. The cause of an
// ended ctx is returned as it is.
func (w *Worker) Do(ctx context.Context, job room.Job, desk work.Desk) error {
	j, ok := job.(room.SummaryJob)
	if !ok {
		return fmt.Errorf("do %s: it is no summary", job.ID())
	}
	view, err := desk.View(ctx, w.cfg.Window)
	if err != nil {
		return ended(ctx, fmt.Errorf("view for %s: %w", j.ID(), err))
	}
	outcome := w.outcome(ctx, view, j)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, err := desk.Do(ctx, outcome); err != nil && room.CodeOf(err) != room.CodeGone {
		return ended(ctx, fmt.Errorf("end %s: %w", j.ID(), err))
	}
	return nil
}

// ended prefers the reason for which ctx ended to the error this led to.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// who is what the model is called in reasons.
const who = "the model that writes summaries"

// errLate ends a call that takes too long.
var errLate = errors.New("the summary took too long")

// outcome asks the model and returns the command that ends the job.
func (w *Worker) outcome(ctx context.Context, v room.View, j room.SummaryJob) room.Command {
	req, ok := w.request(v, j.Upto)
	if !ok {
		return room.FailSummary{Summary: j.Summary, Reason: "the messages to summarise are not kept in memory any more"}
	}
	if err := w.asker.Afford(&req, who, j.Allowance); err != nil {
		return room.FailSummary{Summary: j.Summary, Reason: err.Error()}
	}
	began := w.cfg.Clock.Now()
	a := w.ask(ctx, req)
	c := w.end(j, a)
	if ctx.Err() == nil {
		w.log(ctx, v.Room, j, a, c, began)
	}
	return c
}

// end decides how the job ends.
func (w *Worker) end(j room.SummaryJob, a talk.Answer) room.Command {
	fail := room.FailSummary{Summary: j.Summary, Served: a.Served, Usage: a.Usage}
	text := strings.TrimSpace(strings.ToValidUTF8(a.Text, "\uFFFD"))
	switch {
	case errors.Is(a.Err, errLate):
		fail.Reason = fmt.Sprintf("%s took longer than %s", who, w.cfg.Time)
	case a.Err != nil:
		fail.Reason = w.asker.Why(who, a.Err)
	case a.OptedOut, text == "":
		fail.Reason = who + " answered nothing"
	default:
		return room.CompleteSummary{Summary: j.Summary, Text: talk.Clip(text, maxBytes), Served: a.Served, Usage: a.Usage}
	}
	return fail
}

func (w *Worker) log(ctx context.Context, id room.ID, j room.SummaryJob, a talk.Answer, c room.Command, began time.Time) {
	attrs := []slog.Attr{
		slog.String("room", string(id)), slog.Uint64("summary", uint64(j.Summary)), slog.String("served", a.Served),
		slog.Int("bytes", len(a.Text)), slog.Int("input", a.Usage.Input), slog.Int("output", a.Usage.Output),
		slog.Int64("cost", int64(a.Usage.Cost)), slog.Duration("took", w.cfg.Clock.Now().Sub(began)),
	}
	level := slog.LevelInfo
	if _, failed := c.(room.FailSummary); failed {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("cause", a.Err))
	}
	w.cfg.Log.LogAttrs(ctx, level, "summary ended", append(attrs, slog.String("outcome", fmt.Sprintf("%T", c)))...)
}

// maxBytes is how long a summary may be, whatever the model says.
const maxBytes = 16 << 10

// ask has the model answer within the time that it has.
func (w *Worker) ask(ctx context.Context, req llm.Request) talk.Answer {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := w.cfg.Clock.AfterFunc(w.cfg.Time, func() { cancel(errLate) })
	defer alarm.Stop()
	return w.asker.Ask(ctx, req, nil)
}
