package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"parley/room"
)

// A Fault is a kind of broken promise.
type Fault string

// The faults.
const (
	Lost       Fault = "lost"       // an acknowledged message is not in the log
	Duplicated Fault = "duplicated" // a message is there twice
	Moved      Fault = "moved"      // an acknowledged message has another offset
	Diverged   Fault = "diverged"   // a reader saw something else than the log holds
	Broken     Fault = "broken"     // the log itself is damaged
	Unanswered Fault = "unanswered" // a reply was asked for and has no outcome
	Answered   Fault = "answered"   // a reply has several outcomes, or one that nobody asked for
	Unvoted    Fault = "unvoted"    // a model was asked to vote, and the log says nothing of what came of it
	Revoted    Fault = "revoted"    // a ballot came to several votes
	Miscounted Fault = "miscounted" // a result is not that of the votes
	Shown      Fault = "shown"      // a model that had not voted was shown a vote
)

// A Report counts what was checked and what was wrong. The zero Report is empty.
type Report struct {
	Acknowledged int // messages
	Entries      int // in the logs
	Read         int // messages, by readers
	Replies      Replies
	Polls        Polls
	Faults       map[Fault]int
	examples     []string
}

// Replies counts replies by their outcomes. Resumed ones are counted again under their outcome.
type Replies struct{ Requested, Completed, Interrupted, Failed, Declined, Resumed int }

const maxExamples = 12

func (r *Report) fault(f Fault, format string, args ...any) {
	if r.Faults == nil {
		r.Faults = make(map[Fault]int)
	}
	r.Faults[f]++
	if len(r.examples) < maxExamples {
		r.examples = append(r.examples, string(f)+": "+fmt.Sprintf(format, args...))
	}
}

// Add notes a fault that somebody else found.
func (r *Report) Add(f Fault, what string) { r.fault(f, "%s", what) }

// Err is nil if no promise was broken.
func (r *Report) Err() error {
	if len(r.Faults) == 0 {
		return nil
	}
	var counts []string
	for _, f := range slices.Sorted(maps.Keys(r.Faults)) {
		counts = append(counts, fmt.Sprintf("%d %s", r.Faults[f], f))
	}
	return fmt.Errorf("%s\n\t%s", strings.Join(counts, ", "), strings.Join(r.examples, "\n\t"))
}

func (r *Report) String() string {
	return fmt.Sprintf("%d acknowledged, %d entries, %d read; replies: %+v; faults: %v",
		r.Acknowledged, r.Entries, r.Read, r.Replies, r.Faults)
}

// A Promise is what a writer was told: this text is stored at this offset; 0 if it was told nothing.
type Promise struct{ Said }

// Log checks a log against what its writers were promised. Texts are unique.
func (r *Report) Log(l Log, promises []Promise) {
	r.Entries += len(l.Entries)
	if l.Broken != nil {
		r.fault(Broken, "room %s: %v", l.Room, l.Broken)
	}
	at := make(map[string][]uint64)
	for _, s := range l.Said() {
		at[s.Text] = append(at[s.Text], s.Offset)
	}
	for _, p := range promises {
		r.promise(l.Room, p, at[p.Text])
	}
	r.replies(l)
}

func (r *Report) promise(id room.ID, p Promise, at []uint64) {
	if len(at) > 1 {
		r.fault(Duplicated, "%q of room %s is at %d", p.Text, id, at)
	}
	if p.Offset == 0 {
		return
	}
	r.Acknowledged++
	switch {
	case len(at) == 0:
		r.fault(Lost, "%q of room %s was acknowledged at %d", p.Text, id, p.Offset)
	case !slices.Contains(at, p.Offset):
		r.fault(Moved, "%q of room %s was acknowledged at %d, it is at %d", p.Text, id, p.Offset, at)
	}
}

// replies checks that each reply has one outcome.
func (r *Report) replies(l Log) {
	outcomes := make(map[room.Offset]int)
	var asked []room.Offset
	for _, e := range l.Entries {
		switch v := e.Event.(type) {
		case room.ReplyRequested:
			r.Replies.Requested++
			asked = append(asked, e.Offset)
		case room.ReplyResumed:
			r.Replies.Resumed++
		case room.ReplyCompleted:
			r.Replies.Completed++
			outcomes[v.Reply.ID]++
		case room.ReplyInterrupted:
			r.Replies.Interrupted++
			outcomes[v.Reply.ID]++
		case room.ReplyFailed:
			r.Replies.Failed++
			outcomes[v.Reply.ID]++
		case room.ReplyDeclined:
			r.Replies.Declined++
			outcomes[v.Reply.ID]++
		}
	}
	for _, id := range asked {
		if outcomes[id] == 0 {
			r.fault(Unanswered, "reply %d of room %s", id, l.Room)
		}
		outcomes[id]--
	}
	for id, n := range outcomes {
		if n > 0 {
			r.fault(Answered, "reply %d of room %s has %d outcomes too many", id, l.Room, n)
		}
	}
}

// Reader checks that a reader who began after an offset saw exactly the messages that follow it, in the log's order.
func (r *Report) Reader(l Log, who string, after uint64, saw []Said) {
	r.Read += len(saw)
	want := l.Said()
	for len(want) > 0 && want[0].Offset <= after {
		want = want[1:]
	}
	for i := range max(len(want), len(saw)) {
		switch {
		case i >= len(want):
			r.fault(Diverged, "%s of room %s saw %d messages more: %v", who, l.Room, len(saw)-i, saw[i])
			return
		case i >= len(saw):
			r.fault(Diverged, "%s of room %s missed the last %d messages: %v", who, l.Room, len(want)-i, want[i])
			return
		case want[i] != saw[i]:
			r.fault(Diverged, "%s of room %s saw %v where the log has %v", who, l.Room, saw[i], want[i])
			return
		}
	}
}
