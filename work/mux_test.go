package work_test

import (
	"context"
	"errors"
	"testing"

	"parley/room"
	"parley/work"
)

// A hand answers every job with an error of its own.
type hand struct{ error }

func (h hand) Do(context.Context, room.Job, work.Desk) error { return h.error }

func TestMux(t *testing.T) {
	reply, ballot, summary := errors.New("reply"), errors.New("ballot"), errors.New("summary")
	m := work.Mux{Reply: hand{reply}, Ballot: hand{ballot}, Summary: hand{summary}}
	for job, want := range map[room.Job]error{
		room.ReplyJob{Reply: 1}:     reply,
		room.BallotJob{Ballot: 1}:   ballot,
		room.CountJob{Poll: 1}:      ballot,
		room.SummaryJob{Summary: 1}: summary,
	} {
		if err := m.Do(t.Context(), job, nil); !errors.Is(err, want) {
			t.Errorf("%s: %v", job.ID(), err)
		}
		if err := (work.Mux{}).Do(t.Context(), job, nil); err == nil {
			t.Errorf("%s: nobody is there, and no error", job.ID())
		}
	}
}
