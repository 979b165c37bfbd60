// Package work is the contract between the hub and those who do jobs for a room.
package work

import (
	"context"
	"time"

	"parley/room"
)

// A Worker does one kind of job. Do may be called for many jobs at once.
type Worker interface {
	// Do does the job and returns when its outcome is in the log. A cancelled ctx means that the job is not wanted
	// any more: return at once and write nothing, but for what it has cost (room.RecordUsage), within Grace. After an
	// error, or when no outcome was written, the hub counts an attempt and tries again, or gives up.
	Do(ctx context.Context, job room.Job, desk Desk) error
}

// Grace is how long a worker may take to account for a job that is not wanted any more.
const Grace = 2 * time.Second

// A Desk is where a job is done: one room, seen and acted in under the job's identity. It serves until Do has returned,
// also after the job's ctx has ended: then by a ctx of the worker's own. A hub that closes refuses.
type Desk interface {
	// View shows the room with its newest n messages.
	View(ctx context.Context, n int) (room.View, error)
	// Do issues a command and returns the offset of its first entry, once it is durable.
	Do(ctx context.Context, c room.Command) (room.Offset, error)
	// Signal tells the followers something that is not stored. It never blocks.
	Signal(s room.Signal)
}
