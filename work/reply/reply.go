// Package reply has language models answer: it is the worker for room.ReplyJob.
//
// A reply is built from what the model may see of the room at the moment it is asked, streamed to the followers word
// by word as signals, and ended by exactly one command: CompleteReply, DeclineReply or FailReply. What is signalled of a
// completed reply, joined, is the text that is completed; it is cut between characters only. A reply costs one call to
// the model: what its tools ask for is part of the command that completes it, and the model does not hear of the outcome.
// A call that could take more than its allowance is not made.
//
// What a call took is part of the command that ends the reply. Where the room wants no end any more, since the reply was
// interrupted or the job's ctx has ended, it is told by RecordUsage: the one thing that an unwanted job writes.
//
// Promised is one fact per reply that this process finishes, not one call per reply: after a crash the room asks again.
package reply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"parley/llm"
	"parley/room"
	"parley/seam"
	"parley/work"
	"parley/work/talk"
)

// Config is what a Worker needs. Of the limits, 0 means the default where one is named.
type Config struct {
	Model llm.Model
	Clock seam.Clock
	Log   *slog.Logger

	Prices talk.Prices // nil: no price is known, so that no room with a limit of money gets an answer

	ContextTokens int           // most tokens of a prompt, as estimated here; 16,000. The newest messages that fit are told
	MaxTokens     int           // most tokens of an answer; 0 leaves it to the provider
	Silence       time.Duration // how long a model may say nothing; one minute
	MaxDepth      int           // as in room.Rules; 0 means that models do not ask one another
	MaxBytes      int           // most bytes of an answer, the note that it was cut not counted; 64 KiB
	Window        int           // most messages to tell, whatever their size; 150
}

// A Worker answers. It may be used from any goroutine at any time and keeps no state between jobs.
type Worker struct {
	cfg   Config
	asker talk.Asker
	tools tools
}

var _ work.Worker = (*Worker)(nil)

// New makes a Worker.
func New(cfg Config) (*Worker, error) {
	switch {
	case cfg.Model == nil:
		return nil, errors.New("make a reply worker: a Model is missing")
	case cfg.Clock == nil:
		return nil, errors.New("make a reply worker: a Clock is missing")
	case cfg.Log == nil:
		return nil, errors.New("make a reply worker: a Log is missing")
	case min(cfg.ContextTokens, cfg.MaxTokens, cfg.MaxDepth, cfg.MaxBytes, cfg.Window) < 0 || cfg.Silence < 0:
		return nil, errors.New("make a reply worker: a limit is negative")
	}
	setDefault(&cfg.ContextTokens, 16_000)
	setDefault(&cfg.Silence, time.Minute)
	setDefault(&cfg.MaxBytes, 64<<10)
	setDefault(&cfg.Window, 150)
	asker := talk.Asker{Model: cfg.Model, Clock: cfg.Clock, Silence: cfg.Silence, Prices: cfg.Prices}
	return &Worker{cfg: cfg, asker: asker, tools: newTools()}, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Do answers one message. It returns nil when the reply has its end in the log, also when somebody else put it there.
// The cause of an ended ctx is returned as it is.
func (w *Worker) Do(ctx context.Context, job room.Job, desk work.Desk) error {
	j, ok := job.(room.ReplyJob)
	if !ok {
		return fmt.Errorf("do %s: it is no reply", job.ID())
	}
	view, err := desk.View(ctx, w.cfg.Window+1) // one more tells whether there are older ones
	if err != nil {
		if ctx.Err() != nil {
			w.account(ctx, unbegun(j), desk, talk.Answer{})
		}
		return ended(ctx, fmt.Errorf("view for %s: %w", j.ID(), err))
	}
	t, ok := taskOf(view, j)
	if !ok {
		w.account(ctx, unbegun(j), desk, talk.Answer{})
		return nil
	}
	outcome, took := w.outcome(ctx, t, desk)
	if ctx.Err() == nil {
		err = w.put(ctx, t, desk, outcome)
		if err == nil {
			return nil
		}
	}
	switch {
	case ctx.Err() != nil:
		w.account(ctx, t, desk, took)
		return context.Cause(ctx)
	case room.CodeOf(err) == room.CodeGone:
		w.account(ctx, t, desk, took)
		return nil
	}
	return fmt.Errorf("end %s: %w", j.ID(), err)
}

// ended prefers the reason for which ctx ended to the error this led to.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// A task is a reply and what is known of the room when it is asked for.
type task struct {
	room.ReplyRef
	depth int
	asked time.Time
	view  room.View
	self  room.Model
	peers []room.Model // the other models of the room
	gone  bool         // the model has no seat any more

	allowance room.Allowance
	unknown   bool       // what it may take, if it may at all
	turn      *room.Turn // set if it is one of the autopilot in view
}

// unbegun is a reply that has ended before anything was known of it. It took nothing, and the room may hold that it did.
func unbegun(j room.ReplyJob) *task {
	return &task{ReplyRef: room.ReplyRef{ID: j.Reply, Model: j.Model}, unknown: true}
}

// taskOf finds the job in the view. It is not there when the reply has ended.
func taskOf(v room.View, j room.ReplyJob) (*task, bool) {
	t := &task{view: v, depth: j.Depth, gone: true}
	for _, r := range v.Replies {
		if r.Ref.ID == j.Reply {
			t.ReplyRef, t.asked, t.allowance = r.Ref, r.Asked, r.Allowance
			if r.Turn != nil && v.Autopilot != nil && v.Autopilot.ID == r.Turn.Autopilot {
				t.turn = r.Turn
			}
		}
	}
	for _, m := range v.Info.Models {
		if m.ID == j.Model {
			t.self, t.gone = m, false
		} else {
			t.peers = append(t.peers, m)
		}
	}
	return t, t.ReplyRef.ID != 0
}

// mayAsk reports whether the model may ask another one.
func (w *Worker) mayAsk(t *task) bool { return len(t.peers) > 0 && t.depth+1 <= w.cfg.MaxDepth }
