package hub

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"parley/fanout"
	"parley/room"
	"parley/seam"
)

// A run is a job under way, or one that waits to be tried again.
type run struct {
	job    room.Job
	cancel context.CancelCauseFunc
	again  seam.Timer // set while it waits
}

// errUnwanted ends a job that the room no longer wants: it was interrupted, say.
var errUnwanted = errors.New("the room does not want this any more")

// syncJobs starts the jobs that the state wants and stops those it does not.
func (a *actor) syncJobs() {
	if a.hub.cfg.Worker == nil {
		return
	}
	wanted := make(map[string]bool, len(a.jobs))
	for job := range a.state.Jobs() {
		wanted[job.ID()] = true
		if a.jobs[job.ID()] == nil {
			a.start(job, a.resume)
		}
	}
	a.resume = false
	for id, r := range a.jobs {
		if !wanted[id] {
			a.stop(r)
			delete(a.jobs, id)
		}
	}
}

func (a *actor) stop(r *run) {
	r.cancel(errUnwanted)
	if r.again != nil {
		r.again.Stop()
	}
}

// start runs a job in a goroutine of its own. again says that it was started before.
func (a *actor) start(job room.Job, again bool) {
	ctx, cancel := context.WithCancelCause(a.hub.ctx)
	r := &run{job: job, cancel: cancel}
	a.jobs[job.ID()] = r
	a.hub.hold(a)
	a.hub.wg.Go(func() {
		defer a.hub.release(a)
		defer cancel(nil)
		err := a.work(ctx, job, again)
		if ctx.Err() == nil {
			_ = a.put(request{urgent: true, ask: func() { a.ended(r, err) }})
		}
	})
}

// work does a job. A worker that panics has failed like any other.
func (a *actor) work(ctx context.Context, job room.Job, again bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	d := desk{actor: a, by: job.By()}
	if again {
		if _, err := d.Do(ctx, job.Retry()); err != nil {
			return err
		}
		if job, err = a.anew(ctx, job); err != nil {
			return err
		}
	}
	seam.Hit("hub.job.start")
	return a.hub.cfg.Worker.Do(ctx, job, d)
}

// anew is a job as it is wanted since it was tried again: another attempt may have another allowance.
func (a *actor) anew(ctx context.Context, old room.Job) (room.Job, error) {
	now := old
	err := a.callAs(ctx, true, func() {
		for job := range a.state.Jobs() {
			if job.ID() == old.ID() {
				now = job
			}
		}
	})
	switch {
	case ctx.Err() != nil:
		return old, context.Cause(ctx)
	case err != nil:
		return old, err
	}
	return now, nil
}

// ended sees to a job whose worker has returned. Usually its outcome is in the log by now; if not, it is tried again.
func (a *actor) ended(r *run, err error) {
	id := r.job.ID()
	if a.jobs[id] != r {
		return
	}
	for job := range a.state.Jobs() {
		if job.ID() == id {
			a.hub.cfg.Log.Error("job ended without outcome", "room", a.id, "job", id, "by", job.By(), "err", err)
			r.again = a.hub.cfg.Clock.AfterFunc(a.hub.cfg.Retry, func() {
				_ = a.put(request{urgent: true, ask: func() { a.retry(r) }})
			})
			return
		}
	}
	delete(a.jobs, id)
}

func (a *actor) retry(r *run) {
	if a.jobs[r.job.ID()] == r {
		a.start(r.job, true)
	}
}

// A desk is where a job is done.
type desk struct {
	actor *actor
	by    room.Identity
}

func (d desk) View(ctx context.Context, n int) (room.View, error) {
	v, err := d.actor.view(ctx, d.by, n)
	return v.View, err
}

func (d desk) Do(ctx context.Context, c room.Command) (room.Offset, error) {
	h := d.actor.hub
	got, err := d.actor.do(ctx, room.Meta{By: d.by, Cause: h.cause()}, c)
	return got.Offset, err
}

func (d desk) Signal(s room.Signal) {
	s = d.actor.feed.attempt(s)
	d.actor.feed.signal(s)
	if bus := d.actor.hub.cfg.Bus; bus != nil {
		bus.Publish(fanout.Packet{Room: d.actor.id, Signal: s})
	}
}
