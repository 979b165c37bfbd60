package reliability

import (
	"context"
	"errors"
	"sync"

	"parley/room"
	"parley/work"
)

// A puppet is a worker that answers as the test tells it, step by step.
type puppet struct {
	mu   sync.Mutex
	cond *sync.Cond
	jobs map[string]*pulled
}

// pulled is a job under way.
type pulled struct {
	job   room.Job
	steps chan func(context.Context, work.Desk) (ended bool, err error)
	said  int // bytes
	ref   room.ReplyRef
}

func newPuppet() *puppet {
	p := &puppet{jobs: make(map[string]*pulled)}
	p.cond = sync.NewCond(&p.mu)
	return p
}

// Do implements work.Worker.
func (p *puppet) Do(ctx context.Context, job room.Job, desk work.Desk) error {
	mine := &pulled{job: job, steps: make(chan func(context.Context, work.Desk) (bool, error))}
	v, err := desk.View(ctx, 0)
	if err != nil {
		return err
	}
	for _, r := range v.Replies {
		if j, ok := job.(room.ReplyJob); ok && r.Ref.ID == j.Reply {
			mine.ref = r.Ref
		}
	}
	p.mu.Lock()
	p.jobs[job.ID()] = mine
	p.cond.Broadcast()
	p.mu.Unlock()
	for {
		select {
		case step := <-mine.steps:
			if ended, err := step(ctx, desk); ended || err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// pull has the worker of a job do a step, its last one or not, and waits until it is done.
func (p *puppet) pull(id string, last bool, step func(context.Context, *pulled, work.Desk) error) {
	p.mu.Lock()
	for p.jobs[id] == nil {
		p.cond.Wait()
	}
	j := p.jobs[id]
	if last {
		delete(p.jobs, id)
	}
	p.mu.Unlock()
	done := make(chan struct{})
	j.steps <- func(ctx context.Context, d work.Desk) (bool, error) {
		defer close(done)
		return last, step(ctx, j, d)
	}
	<-done
}

// say has the model say some words.
func (p *puppet) say(id string, text string) {
	p.pull(id, false, func(_ context.Context, j *pulled, d work.Desk) error {
		d.Signal(room.Said{Reply: j.ref, Position: j.said, Text: text})
		j.said += len(text)
		return nil
	})
}

// end has the job end by a command.
func (p *puppet) end(id string, c room.Command) {
	p.pull(id, true, func(ctx context.Context, _ *pulled, d work.Desk) error {
		_, err := d.Do(ctx, c)
		return err
	})
}

// lose has the worker give up without an outcome.
func (p *puppet) lose(id string) {
	p.pull(id, true, func(context.Context, *pulled, work.Desk) error { return errors.New("lost") })
}

// summary is the summary that is under way, if one is.
func (p *puppet) summary() (j room.SummaryJob, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pulled := range p.jobs {
		if j, ok = pulled.job.(room.SummaryJob); ok {
			return j, true
		}
	}
	return j, false
}
