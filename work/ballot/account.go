package ballot

import (
	"context"
	"log/slog"

	"parley/room"
	"parley/work"
)

// account tells the room what the calls took whose outcome it did not want any more; without an outcome there were none.
// The job's ctx may have ended, so it has a short one of its own.
func (w *Worker) account(ctx context.Context, job room.Job, desk work.Desk, outcome room.Command) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), work.Grace)
	defer cancel()
	for _, c := range taken(job, outcome) {
		_, err := desk.Do(ctx, c)
		level, attrs := slog.LevelInfo, []slog.Attr{
			slog.String("job", job.ID()), slog.Uint64("ballot", uint64(c.Ballot)), slog.String("served", c.Served),
			slog.Int("input", c.Usage.Input), slog.Int("output", c.Usage.Output),
		}
		switch {
		case room.CodeOf(err) == room.CodeGone: // the outcome landed after all, or the room has given up waiting
			level = slog.LevelDebug
		case err != nil:
			level, attrs = slog.LevelWarn, append(attrs, slog.Any("cause", err))
		}
		w.cfg.Log.LogAttrs(ctx, level, "ballot not wanted any more", attrs...)
	}
}

// taken is what the ballots of an outcome took. Of an anonymous poll without one nobody knows which they are.
func taken(job room.Job, outcome room.Command) (list []room.RecordUsage) {
	switch c := outcome.(type) {
	case room.CastBallot:
		return []room.RecordUsage{{Ballot: c.Ballot, Served: c.Served, Usage: c.Usage}}
	case room.MissBallot:
		return []room.RecordUsage{{Ballot: c.Ballot, Served: c.Served, Usage: c.Usage}}
	case room.CountBallots:
		for _, v := range c.Votes {
			list = append(list, room.RecordUsage{Ballot: v.Ballot, Served: v.Served, Usage: v.Usage})
		}
		for _, m := range c.Missed {
			list = append(list, room.RecordUsage{Ballot: m.Ballot, Served: m.Served, Usage: m.Usage})
		}
		return list
	}
	if j, single := job.(room.BallotJob); single {
		return []room.RecordUsage{{Ballot: j.Ballot}}
	}
	return nil
}
