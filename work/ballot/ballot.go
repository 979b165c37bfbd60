// Package ballot has language models vote: it is the worker for room.BallotJob and room.CountJob.
//
// A ballot is blind: the model is told what was said up to the poll and the poll itself, never a vote, so that all models
// of a poll decide on the same ground. It votes by the tool vote_on_poll. What is not a vote, a broken call or no option of
// the poll, is asked for once more, with what was wrong; then the ballot is missed, with a reason for people. Each
// BallotJob that is still wanted ends in exactly one CastBallot or MissBallot; each CountJob, which is all ballots of an
// anonymous poll, in one CountBallots, whose votes are in random order. A job that is not wanted any more writes nothing but
// what its calls took, by RecordUsage. A model that has not finished shortly before the room stops waiting has missed its
// ballot: what it took is accounted for, and the votes of the others count.
//
// Promised is one fact per ballot that this process finishes, not two calls at most: after a crash the room asks again.
package ballot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"parley/llm"
	"parley/room"
	"parley/seam"
	"parley/work"
	"parley/work/talk"
)

// Config is what a Worker needs. Of the limits, 0 means the default where one is named.
type Config struct {
	Model  llm.Model
	Clock  seam.Clock
	Log    *slog.Logger
	Random rand.Source // orders the votes of anonymous polls; used by one goroutine at a time
	Prices talk.Prices // nil: no price is known, so that no room with a limit of money gets a vote

	ContextTokens int           // most tokens of a prompt, as estimated; 16,000
	MaxTokens     int           // most tokens of an answer; 0 leaves it to the provider
	Silence       time.Duration // how long a model may say nothing; one minute
	Window        int           // most messages to tell, whatever their size; 150
	Parallel      int           // how many models of an anonymous poll are asked at once; 8
}

// A Worker votes. It may be used from any goroutine at any time and keeps no state between jobs.
type Worker struct {
	cfg   Config
	asker talk.Asker
	tools []llm.Tool

	mu   sync.Mutex
	dice *rand.Rand
}

var _ work.Worker = (*Worker)(nil)

// New makes a Worker.
func New(cfg Config) (*Worker, error) {
	switch {
	case cfg.Model == nil:
		return nil, errors.New("make a ballot worker: a Model is missing")
	case cfg.Clock == nil:
		return nil, errors.New("make a ballot worker: a Clock is missing")
	case cfg.Log == nil:
		return nil, errors.New("make a ballot worker: a Log is missing")
	case cfg.Random == nil:
		return nil, errors.New("make a ballot worker: a Random is missing")
	case min(cfg.ContextTokens, cfg.MaxTokens, cfg.Window, cfg.Parallel) < 0 || cfg.Silence < 0:
		return nil, errors.New("make a ballot worker: a limit is negative")
	}
	setDefault(&cfg.ContextTokens, 16_000)
	setDefault(&cfg.Silence, time.Minute)
	setDefault(&cfg.Window, 150)
	setDefault(&cfg.Parallel, 8)
	asker := talk.Asker{Model: cfg.Model, Clock: cfg.Clock, Silence: cfg.Silence, Prices: cfg.Prices}
	return &Worker{cfg: cfg, asker: asker, tools: tools(), dice: rand.New(cfg.Random)}, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Do sees to one ballot, or to all of an anonymous poll. It returns nil when their end is in the log, also when somebody
// else put it there. The cause of an ended ctx is returned as it is.
func (w *Worker) Do(ctx context.Context, job room.Job, desk work.Desk) error {
	var poll room.Offset
	switch j := job.(type) {
	case room.BallotJob:
		poll = j.Poll
	case room.CountJob:
		poll = j.Poll
	default:
		return fmt.Errorf("do %s: it is no ballot", job.ID())
	}
	view, err := desk.View(ctx, w.cfg.Window+1) // one more tells whether there are older ones
	if err != nil {
		if ctx.Err() != nil {
			w.account(ctx, job, desk, nil)
		}
		return ended(ctx, fmt.Errorf("view for %s: %w", job.ID(), err))
	}
	outcome := w.outcome(ctx, view, poll, job)
	if outcome != nil && ctx.Err() == nil {
		if _, err = desk.Do(ctx, outcome); err == nil {
			return nil
		}
	}
	switch {
	case ctx.Err() != nil:
		w.account(ctx, job, desk, outcome)
		return context.Cause(ctx)
	case outcome == nil || room.CodeOf(err) == room.CodeGone:
		w.account(ctx, job, desk, outcome)
		return nil
	}
	return fmt.Errorf("end %s: %w", job.ID(), err)
}

// outcome asks the models and returns the command that ends the job; none if it has ended.
func (w *Worker) outcome(ctx context.Context, v room.View, poll room.Offset, job room.Job) room.Command {
	p, ok := pollOf(v, poll)
	if !ok {
		return nil
	}
	if j, single := job.(room.BallotJob); single {
		return w.cast(ctx, v, p, j.Ballot)
	}
	return w.count(ctx, v, p)
}

// ended prefers the reason for which ctx ended to the error this led to.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func pollOf(v room.View, id room.Offset) (room.Poll, bool) {
	for _, p := range v.Polls {
		if p.ID == id {
			return p, p.Closed == nil
		}
	}
	return room.Poll{}, false
}

// cast asks the model of one ballot. There is no command if the ballot has ended.
func (w *Worker) cast(ctx context.Context, v room.View, p room.Poll, id room.Offset) room.Command {
	for _, ref := range p.Open {
		if ref.ID != id {
			continue
		}
		d := w.decide(ctx, v, p, ref)
		if ctx.Err() == nil {
			w.log(ctx, v, p, d)
		}
		return d.command()
	}
	return nil
}

func (w *Worker) log(ctx context.Context, v room.View, p room.Poll, d decision) {
	attrs := []slog.Attr{
		slog.String("room", string(v.Room)), slog.Uint64("poll", uint64(p.ID)), slog.Uint64("ballot", uint64(d.ref.ID)),
		slog.String("by", string(d.ref.Model)), slog.String("served", d.served), slog.Int("calls", d.calls),
		slog.Int("input", d.usage.Input), slog.Int("output", d.usage.Output), slog.Int64("cost", int64(d.usage.Cost)),
	}
	if d.cause != nil {
		attrs = append(attrs, slog.Any("cause", d.cause))
	}
	w.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "ballot ended", append(attrs, slog.String("outcome", fmt.Sprintf("%T", d.command())))...)
}

// count asks the models of all open ballots, some at a time. Nothing of it, not even its log, tells who voted what.
func (w *Worker) count(ctx context.Context, v room.View, p room.Poll) room.Command {
	if len(p.Open) == 0 {
		return nil
	}
	decisions := make([]decision, len(p.Open))
	seats := make(chan struct{}, w.cfg.Parallel)
	var all sync.WaitGroup
	for i, ref := range p.Open {
		seats <- struct{}{}
		all.Go(func() {
			defer func() { <-seats }()
			decisions[i] = w.safely(ctx, v, p, ref)
		})
	}
	all.Wait()
	w.shuffle(decisions)
	c := room.CountBallots{Poll: p.ID}
	var usage room.Usage
	for _, d := range decisions {
		usage = talk.Add(usage, d.usage)
		switch command := d.command().(type) {
		case room.CastBallot:
			c.Votes = append(c.Votes, command)
		case room.MissBallot:
			c.Missed = append(c.Missed, command)
		}
	}
	if ctx.Err() == nil {
		w.cfg.Log.Info("ballots counted", slog.String("room", string(v.Room)), slog.Uint64("poll", uint64(p.ID)),
			slog.Int("votes", len(c.Votes)), slog.Int("missed", len(c.Missed)),
			slog.Int("input", usage.Input), slog.Int("output", usage.Output), slog.Int64("cost", int64(usage.Cost)))
	}
	return c
}

// safely is decide, for a goroutine in which a panic would end the process.
func (w *Worker) safely(ctx context.Context, v room.View, p room.Poll, ref room.BallotRef) (d decision) {
	defer func() {
		if trouble := recover(); trouble != nil {
			d = decision{ref: ref, missed: ref.Name + " could not be asked: see the server's log"}
			w.cfg.Log.Error("ballot panicked", slog.String("room", string(v.Room)), slog.Uint64("poll", uint64(p.ID)),
				slog.String("by", string(ref.Model)), slog.Any("cause", trouble))
		}
	}()
	return w.decide(ctx, v, p, ref)
}

func (w *Worker) shuffle(decisions []decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dice.Shuffle(len(decisions), func(i, j int) { decisions[i], decisions[j] = decisions[j], decisions[i] })
}
