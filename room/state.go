package room

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// Meta is what a command comes with: who, when and why. It is all that Decide knows of the world.
type Meta struct {
	At    time.Time
	By    Identity
	Cause string            // the key of the command; the same one again has no second effect
	Said  map[Offset]string // what was heard of the running replies, by their ids
}

// Rules are the limits a room is run with. They may differ from one start of the server to the next: what was
// decided under other rules stays decided.
type Rules struct {
	MessageBytes  int           // most bytes of a person's message
	MaxDepth      int           // how many models may ask one another in a row
	MaxReplies    int           // how many replies may run at once
	ReplyTime     time.Duration // how long the room waits for a reply
	ReplyAttempts int           // how often a reply is started, crashes included
	Window        int           // messages kept in memory
	Causes        int           // keyed commands remembered

	BallotTime     time.Duration // how long the room waits for a model's ballot, or for a summary
	Polls          int           // polls that may be open at once; as many closed ones are kept in memory
	AutopilotTurns int           // most turns of an autopilot that names none
	Total, Day     Allowance     // what any room may spend; its own Policy may allow less
	CallCost       Cost          // most that one call may take where there is any limit of money
	CallTokens     int           // likewise of tokens
	Secret         string        // makes the pseudonyms of anonymous voters; the same on all servers of a log; none: no anonymous polls
}

// DefaultRules are the limits of a room whose operator chose none.
func DefaultRules() Rules {
	return Rules{
		MessageBytes: 32 << 10, MaxDepth: 4, MaxReplies: 64, ReplyTime: 10 * time.Minute, ReplyAttempts: 3,
		Window: 200, Causes: 1024,
		BallotTime: 3 * time.Minute, Polls: 20, AutopilotTurns: 12, CallCost: Dollar / 2, CallTokens: 50_000,
	}
}

// Tick says that the time of Due has come.
type Tick struct{}

func (Tick) decide(s *State, m Meta) ([]Event, error) { return s.tick(m) }

// A State is a room as the entries so far have made it.
type State struct {
	rules    Rules
	id       ID
	head     Offset
	epoch    string
	info     Info
	people   map[PersonID]*Person
	order    []PersonID   // of people, by when they first came
	messages []remembered // the newest, oldest first
	replies  map[Offset]*running
	causes   causes

	polls     polls
	autopilot *autopilot // the one that runs, or the last; nil if there was none
	accounts  accounts
	policy    Policy
	summary   summaries
}

// New returns the state of a room without entries.
func New(id ID, rules Rules) *State {
	return &State{
		rules: rules, id: id,
		people:  make(map[PersonID]*Person),
		replies: make(map[Offset]*running),
		causes:  causes{most: rules.Causes},
	}
}

// Head is the offset of the newest entry, 0 if there is none.
func (s *State) Head() Offset { return s.head }

// Epoch tells this log from another one under the same id.
func (s *State) Epoch() string { return s.epoch }

// Landed returns the offset of the first entry of an earlier command with the same author and cause.
func (s *State) Landed(by Identity, cause string) (Offset, bool) { return s.causes.find(by, cause) }

// Decide turns a command into the events that it leads to, without changing the State. The events are to be written
// right after Head. No events and no error means that there is nothing to do. Refusals are *Error.
func (s *State) Decide(m Meta, c Command) ([]Event, error) {
	m.At = m.At.Round(0).UTC() // as the log will say it
	if _, create := c.(Create); !create && s.head == 0 {
		return nil, refuse(CodeNotFound, "there is no room %q: check the id, or create a room", clip(string(s.id))).because(ReasonRoomNotFound)
	}
	events, err := c.decide(s, m)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	return s.drive(m, events), nil
}

// Apply folds the next entry into the State. It accepts whatever an older or newer version wrote.
func (s *State) Apply(e *Entry) {
	s.head = e.Offset
	s.causes.add(e.By, e.Cause, e.Offset)
	s.account(e)
	s.applyAutopilot(e)
	e.Event.apply(s, e)
}

// Jobs yields the work that is wanted now, oldest first.
func (s *State) Jobs() iter.Seq[Job] {
	return func(yield func(Job) bool) {
		for _, r := range s.running() {
			if !yield(ReplyJob{Reply: r.ref.ID, Model: r.ref.Model, Depth: r.depth}) {
				return
			}
		}
		for job := range s.ballotJobs() {
			if !yield(job) {
				return
			}
		}
		if job, ok := s.summary.job(); ok {
			yield(job)
		}
	}
}

// Due is when the State wants a Tick; zero means never.
func (s *State) Due() time.Time {
	due := sooner(s.pollsDue(), sooner(s.summary.due(), s.debtsDue()))
	for _, r := range s.replies {
		due = sooner(due, r.until)
	}
	return due
}

// sooner is the earlier of two times; zero means never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// running lists the running replies, oldest first.
func (s *State) running() []*running {
	if len(s.replies) == 0 {
		return nil
	}
	list := make([]*running, 0, len(s.replies))
	for _, r := range s.replies {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *running) int { return cmp.Compare(a.ref.ID, b.ref.ID) })
	return list
}

// An Attempt is one start of a running reply. Its words are void when the next one begins.
type Attempt struct {
	Reply ReplyRef
	N     int // 1 is the first
}

// Running lists the replies under way, oldest first.
func (s *State) Running() []Attempt {
	var list []Attempt
	for _, r := range s.running() {
		list = append(list, Attempt{r.ref, r.attempts})
	}
	return list
}
