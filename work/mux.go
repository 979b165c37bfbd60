package work

import (
	"context"
	"fmt"

	"parley/room"
)

// A Mux hands each job to the worker of its kind. A field that is nil means that nobody does such jobs.
type Mux struct {
	Reply   Worker // room.ReplyJob
	Ballot  Worker // room.BallotJob and room.CountJob
	Summary Worker // room.SummaryJob
}

var _ Worker = Mux{}

// Do implements Worker.
func (m Mux) Do(ctx context.Context, job room.Job, desk Desk) error {
	var w Worker
	switch job.(type) {
	case room.ReplyJob:
		w = m.Reply
	case room.BallotJob, room.CountJob:
		w = m.Ballot
	case room.SummaryJob:
		w = m.Summary
	}
	if w == nil {
		return fmt.Errorf("do %s: there is no worker for a %T", job.ID(), job)
	}
	return w.Do(ctx, job, desk)
}
