package room

import (
	"iter"
	"slices"
	"time"
)

// polls are the polls that a State keeps, oldest first: the open ones and the newest of the closed.
type polls struct{ list []*poll }

// A poll is the State's part of a Poll. Its methods that change it are for Apply, and for copies of it.
type poll struct {
	id       Offset
	by       Identity
	at       time.Time
	opened   PollOpened
	votes    []vote   // in the order they were first cast; By is a pseudonym in an anonymous poll
	ballots  []ballot // that were asked for, ended or not, oldest first
	missed   []missed
	attempts int // at the ballots of an anonymous poll
	closing  *closing
	to       []Identity // who may see it; empty means everyone
}

type vote struct {
	Vote
	to []Identity
}

type missed struct {
	BallotMissed
	to []Identity
}

// A closing is a PollClosed and its entry's envelope.
type closing struct {
	PollClosed
	by    Identity
	at    time.Time
	entry Offset
	to    []Identity
}

// A ballot is a vote that a model was asked for.
type ballot struct {
	ref       BallotRef
	allowance Allowance
	attempts  int
	asked     time.Time
	until     time.Time
	open      bool
	to        []Identity
}

func newPoll(e *Entry, v PollOpened) *poll {
	return &poll{id: e.Offset, by: v.Opener(e.By), at: e.At, opened: v, attempts: 1, to: e.To}
}

// over reports whether the poll takes no votes any more: it is closed, or is about to be.
func (p *poll) over(at time.Time) bool {
	return p.closing != nil || !p.opened.Deadline.IsZero() && !at.Before(p.opened.Deadline)
}

// awaited is how many ballots are open.
func (p *poll) awaited() (n int) {
	for i := range p.ballots {
		if p.ballots[i].open {
			n++
		}
	}
	return n
}

// until is when the poll wants a Tick; zero means never.
func (p *poll) until() time.Time {
	due := p.opened.Deadline
	for i := range p.ballots {
		if b := &p.ballots[i]; b.open {
			due = sooner(due, b.until)
		}
	}
	return due
}

// voteOf returns the vote under an identity or a pseudonym; the zero Vote if there is none.
func (p *poll) voteOf(by Identity) Vote {
	for i := range p.votes {
		if p.votes[i].By == by {
			return p.votes[i].Vote
		}
	}
	return Vote{}
}

// after is what the poll will be when events are written. The poll itself stays as it is.
func (p *poll) after(m Meta, events []Event) *poll {
	q := *p
	q.votes, q.ballots, q.missed = slices.Clone(p.votes), slices.Clone(p.ballots), slices.Clone(p.missed)
	for _, event := range events {
		q.take(&Entry{At: m.At, By: m.By, Event: event})
	}
	return &q
}

// take folds an entry about the poll into it. Once closed it stays as it is.
func (p *poll) take(e *Entry) {
	if p.closing != nil {
		return
	}
	switch v := e.Event.(type) {
	case BallotRequested:
		p.request(e, v)
	case BallotResumed:
		p.resume(v)
	case BallotMissed:
		p.miss(e, v)
	case VoteCast:
		p.cast(e, v)
	case PollClosed:
		p.closing = &closing{v, e.By, e.At, e.Offset, e.To}
		p.end(func(*ballot) bool { return true })
	}
}

func (p *poll) request(e *Entry, v BallotRequested) {
	v.Ballot.ID = e.Offset
	p.ballots = append(p.ballots, ballot{
		ref: v.Ballot, allowance: v.Allowance, attempts: 1, asked: e.At, until: v.Until, open: true, to: e.To,
	})
}

func (p *poll) resume(v BallotResumed) {
	all := v.Ballot.ID == 0
	if all {
		p.attempts = v.Attempt
	}
	for i := range p.ballots {
		b := &p.ballots[i]
		if b.ref.ID == v.Ballot.ID {
			b.attempts = v.Attempt
		}
		if (all || b.ref.ID == v.Ballot.ID) && v.Allowance != (Allowance{}) {
			b.allowance = v.Allowance
		}
	}
}

func (p *poll) miss(e *Entry, v BallotMissed) {
	p.end(func(b *ballot) bool { return b.ref.ID == v.Ballot.ID })
	p.missed = append(p.missed, missed{v, e.To})
}

// cast takes a vote, in the place of the voter's earlier one, and ends the ballots that it answers: the model's own or,
// if the server counted them, all.
func (p *poll) cast(e *Entry, v VoteCast) {
	by := e.By
	if by == System && v.Voter != "" {
		by = v.Voter
	}
	p.end(func(b *ballot) bool { return by != e.By || by == ModelIdentity(b.ref.Model) })
	cast := vote{Vote{By: by, Name: v.Name, Options: v.Options, Reason: v.Reason, At: e.At}, e.To}
	i := slices.IndexFunc(p.votes, func(old vote) bool { return old.By == by })
	switch {
	case len(v.Options) == 0 && i >= 0:
		p.votes = slices.Delete(p.votes, i, i+1)
	case len(v.Options) == 0:
	case i >= 0:
		p.votes[i] = cast
	default:
		p.votes = append(p.votes, cast)
	}
}

// end ends the ballots that which picks.
func (p *poll) end(which func(*ballot) bool) {
	for i := range p.ballots {
		if which(&p.ballots[i]) {
			p.ballots[i].open = false
		}
	}
}

// find returns a poll that is kept, or nil.
func (q *polls) find(id Offset) *poll {
	for _, p := range slices.Backward(q.list) {
		if p.id == id {
			return p
		}
	}
	return nil
}

// ballot finds a ballot of an open poll.
func (q *polls) ballot(id Offset) (*poll, *ballot) {
	for p := range q.opened() {
		for i := range p.ballots {
			if p.ballots[i].ref.ID == id {
				return p, &p.ballots[i]
			}
		}
	}
	return nil, nil
}

// opened yields the open polls, oldest first.
func (q *polls) opened() iter.Seq[*poll] {
	return func(yield func(*poll) bool) {
		for _, p := range q.list {
			if p.closing == nil && !yield(p) {
				return
			}
		}
	}
}

// open is how many polls are open, but for an autopilot's vote.
func (q *polls) open() (n int) {
	for p := range q.opened() {
		if p.opened.Autopilot == 0 {
			n++
		}
	}
	return n
}

// wake is since when, or from when on, the polls need a server.
func (q *polls) wake() (at time.Time) {
	for p := range q.opened() {
		at = sooner(at, p.opened.Deadline)
		for i := range p.ballots {
			if p.ballots[i].open {
				at = sooner(at, p.ballots[i].asked)
			}
		}
	}
	return at
}

// forget keeps the n polls that closed last, and all open ones.
func (q *polls) forget(n int) {
	var ends []Offset
	for _, p := range q.list {
		if p.closing != nil {
			ends = append(ends, p.closing.entry)
		}
	}
	if len(ends) <= n {
		return
	}
	slices.Sort(ends)
	last := ends[len(ends)-n-1]
	q.list = slices.DeleteFunc(q.list, func(p *poll) bool { return p.closing != nil && p.closing.entry <= last })
}

func (s *State) applyPollOpened(e *Entry, v PollOpened) {
	s.polls.list = append(s.polls.list, newPoll(e, v))
}

// applyPoll folds an entry about a poll that was opened before.
func (s *State) applyPoll(id Offset, e *Entry) {
	if p := s.polls.find(id); p != nil {
		p.take(e)
		s.polls.forget(s.rules.Polls)
	}
}

func (s *State) pollsDue() (due time.Time) {
	for p := range s.polls.opened() {
		due = sooner(due, p.until())
	}
	return due
}

func (s *State) viewPolls(viewer Identity) []Poll {
	var list []Poll
	for _, p := range s.polls.list {
		if visible(p.to, viewer) {
			list = append(list, p.view(viewer))
		}
	}
	return list
}

func (p *poll) view(viewer Identity) Poll {
	v := Poll{ID: p.id, By: p.by, Opened: p.opened, At: p.at}
	blind := false
	for i := range p.ballots {
		b := &p.ballots[i]
		if b.open && visible(b.to, viewer) {
			v.Open = append(v.Open, b.ref)
			v.Until = sooner(v.Until, b.until)
		}
		blind = blind || b.open && (viewer == System || viewer == ModelIdentity(b.ref.Model))
	}
	v.Each = p.each(viewer)
	for _, m := range p.missed {
		if visible(m.to, viewer) {
			v.Missed = append(v.Missed, m.BallotMissed)
		}
	}
	if !blind {
		v.Votes = p.votesFor(viewer)
	}
	if p.closing != nil && visible(p.closing.to, viewer) {
		v.Closed, v.Ended = &p.closing.PollClosed, p.closing.at
		if v.Closed.Name != "" { // somebody closed it
			v.ClosedBy = p.closing.by
		}
	}
	return v
}

// each is what an open ballot may take: the viewer's own, else the least that any of them may.
func (p *poll) each(viewer Identity) (each Allowance) {
	for i := range p.ballots {
		b := &p.ballots[i]
		switch {
		case !b.open || !visible(b.to, viewer):
		case viewer == ModelIdentity(b.ref.Model):
			return b.allowance
		default:
			each = Allowance{tighter(each.Cost, b.allowance.Cost), tighter(each.Tokens, b.allowance.Tokens)}
		}
	}
	return each
}

func (p *poll) votesFor(viewer Identity) (list []Vote) {
	for _, cast := range p.votes {
		if !visible(cast.to, viewer) {
			continue
		}
		if p.opened.Anonymous {
			cast.By, cast.Name = "", ""
		}
		list = append(list, cast.Vote)
	}
	return list
}

// heldBallots is what the open ballots may still take, where they have a limit.
func (s *State) heldBallots() (held Allowance) {
	for p := range s.polls.opened() {
		for i := range p.ballots {
			if b := &p.ballots[i]; b.open {
				held = held.and(b.allowance)
			}
		}
	}
	return held
}
