package room

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"
)

// A BallotRef names a model's ballot, in every event about it.
type BallotRef struct {
	ID    Offset  `json:"id"` // the offset of its BallotRequested; 0 if the model could not be asked
	Poll  Offset  `json:"poll"`
	Model ModelID `json:"model"`
	Name  string  `json:"name"` // the model's, as it was when asked
}

// BallotRequested says that a model is to vote. Its offset is the ballot's id. Ballot.ID is 0 here.
type BallotRequested struct {
	Ballot    BallotRef `json:"ballot"`
	Until     time.Time `json:"until"` // when the room stops waiting
	Allowance Allowance `json:"allowance,omitzero"`
}

// BallotResumed says that a ballot was asked for again, after a crash or a lost worker. In an anonymous poll one
// stands for all its ballots, and Ballot names only the poll.
//
// Where the attempt before had an allowance, a UsageRecorded has said that it took all of it.
type BallotResumed struct {
	Ballot    BallotRef `json:"ballot"`
	Attempt   int       `json:"attempt"`            // 2 is the second
	Allowance Allowance `json:"allowance,omitzero"` // of this attempt; in an anonymous poll of each ballot
}

// BallotMissed says that a model did not vote, or could not be asked, and why. In an anonymous poll those of all
// ballots are written together, but for a model that is removed.
type BallotMissed struct {
	Ballot BallotRef `json:"ballot"`
	Reason string    `json:"reason"`
	Lost   bool      `json:"lost,omitempty"` // its model was asked and has not said what that took: a UsageRecorded may
}

func (v BallotRequested) apply(s *State, e *Entry) { s.applyPoll(v.Ballot.Poll, e) }

func (v BallotResumed) apply(s *State, e *Entry) { s.applyPoll(v.Ballot.Poll, e) }

func (v BallotMissed) apply(s *State, e *Entry) { s.applyPoll(v.Ballot.Poll, e) }

// CastBallot ends a ballot with a vote. Only the ballot's model may issue it.
type CastBallot struct {
	Ballot  Offset
	Options []int
	Reason  string
	Served  string
	Usage   Usage
}

// MissBallot ends a ballot without a vote. Only the ballot's model may issue it.
type MissBallot struct {
	Ballot Offset
	Reason string
	Served string
	Usage  Usage
}

// CountBallots ends all ballots of an anonymous poll at once. They are written in an order that tells nothing, whatever
// their order here. A vote that is invalid, or that nobody gave, is a missed one. Only the server may issue it.
type CountBallots struct {
	Poll   Offset
	Votes  []CastBallot
	Missed []MissBallot
}

// ResumeBallot counts another attempt at a ballot, or gives it up when there were enough, or nothing is left to spend. Nobody
// knows what the attempt before took: where it had an allowance, all of that.
type ResumeBallot struct{ Ballot Offset }

// ResumeBallots is ResumeBallot for an anonymous poll. A server that has not the poll's secret gives its ballots up.
type ResumeBallots struct{ Poll Offset }

func (c CastBallot) decide(s *State, m Meta) ([]Event, error) { return s.castBallot(m, c) }

func (c MissBallot) decide(s *State, m Meta) ([]Event, error) { return s.missBallot(m, c) }

func (c CountBallots) decide(s *State, m Meta) ([]Event, error) { return s.countBallots(m, c) }

func (c ResumeBallot) decide(s *State, m Meta) ([]Event, error) { return s.resumeBallot(m, c) }

func (c ResumeBallots) decide(s *State, m Meta) ([]Event, error) { return s.resumeBallots(m, c) }

// A BallotJob is a vote that is wanted of a model.
type BallotJob struct {
	Ballot Offset
	Poll   Offset
	Model  ModelID
}

// ID implements Job.
func (j BallotJob) ID() string { return fmt.Sprintf("ballot/%d", j.Ballot) }

// By implements Job.
func (j BallotJob) By() Identity { return ModelIdentity(j.Model) }

// Retry implements Job.
func (j BallotJob) Retry() Command { return ResumeBallot{j.Ballot} }

// A CountJob is all the ballots of an anonymous poll: they are wanted together, and counted together.
type CountJob struct{ Poll Offset }

// ID implements Job.
func (j CountJob) ID() string { return fmt.Sprintf("count/%d", j.Poll) }

// By implements Job.
func (j CountJob) By() Identity { return System }

// Retry implements Job.
func (j CountJob) Retry() Command { return ResumeBallots(j) }

// requestBallots asks the models of a poll to vote. If there is no money for it, it says so of each.
func (s *State) requestBallots(m Meta, v PollOpened, at Offset, before []Event) []Event {
	models := s.pick(func(id ModelID) bool {
		return !v.People && (len(v.Among) == 0 || slices.Contains(v.Among, id))
	})
	if len(models) == 0 {
		return nil
	}
	until := m.At.Add(s.rules.BallotTime)
	if !v.Deadline.IsZero() && v.Deadline.Before(until) {
		until = v.Deadline
	}
	allowance, err := s.allow(m, len(models), Allowance{}, before...)
	events := make([]Event, len(models))
	for i, id := range models {
		ref := BallotRef{Poll: at, Model: id, Name: findModel(s.info.Models, id).Name}
		events[i] = BallotRequested{Ballot: ref, Until: until, Allowance: allowance}
		if err != nil {
			events[i] = BallotMissed{Ballot: ref, Reason: brief(err.Error())}
		}
	}
	return events
}

// ownBallot returns the open ballot of the model that acts, and its poll.
func (s *State) ownBallot(m Meta, id Offset) (*poll, *ballot, error) {
	p, b := s.polls.ballot(id)
	switch {
	case b == nil || !b.open || p.over(m.At):
		return nil, nil, refuse(CodeGone, "ballot %d has ended", id)
	case m.By != ModelIdentity(b.ref.Model):
		return nil, nil, refuse(CodeForbidden, "ballot %d is not yours", id)
	case p.opened.Anonymous:
		return nil, nil, refuse(CodeForbidden, "the poll is anonymous: its ballots are counted together")
	}
	return p, b, nil
}

func (s *State) castBallot(m Meta, c CastBallot) ([]Event, error) {
	p, b, err := s.ownBallot(m, c.Ballot)
	if err != nil {
		return nil, err
	}
	options, err := p.options(c.Options)
	if err != nil {
		return nil, err
	}
	cast := VoteCast{Poll: p.id, Name: b.ref.Name, Options: options, Was: p.voteOf(m.By).Options, Reason: brief(c.Reason)}
	return s.conclude(m, p, append([]Event{cast}, p.spent(b, c.Served, c.Usage)...)), nil
}

func (s *State) missBallot(m Meta, c MissBallot) ([]Event, error) {
	p, b, err := s.ownBallot(m, c.Ballot)
	if err != nil {
		return nil, err
	}
	missed := BallotMissed{Ballot: b.ref, Reason: brief(c.Reason)}
	return s.conclude(m, p, append([]Event{missed}, p.spent(b, c.Served, c.Usage)...)), nil
}

// spent accounts for what a ballot took, if it took anything.
func (p *poll) spent(b *ballot, served string, usage Usage) []Event {
	if usage == (Usage{}) {
		return nil
	}
	return []Event{UsageRecorded{
		Purpose: ForBallot, Of: p.id, Model: b.ref.Model, For: p.opened.For, Autopilot: p.opened.Autopilot,
		Served: brief(served), Usage: usage,
	}}
}

// counting returns the anonymous poll whose ballots the server is to count.
func (s *State) counting(m Meta, id Offset) (*poll, error) {
	p := s.polls.find(id)
	switch {
	case m.By != System:
		return nil, refuse(CodeForbidden, "only the server counts ballots")
	case p == nil || !p.opened.Anonymous || p.over(m.At) || p.awaited() == 0:
		return nil, refuse(CodeGone, "poll %d has no ballots to be counted", id)
	}
	return p, nil
}

func (s *State) countBallots(m Meta, c CountBallots) ([]Event, error) {
	p, err := s.counting(m, c.Poll)
	if err == nil {
		err = s.checkSeal(p)
	}
	if err != nil {
		return nil, err
	}
	var votes []VoteCast
	var events, used []Event
	for i := range p.ballots {
		b := &p.ballots[i]
		given := c.of(b.ref.ID)
		spent := p.spent(b, given.Served, given.Usage)
		if !b.open { // its model was removed meanwhile
			if s.accounts.debt(UsageRecorded{Of: p.id, Model: b.ref.Model}) >= 0 { // and nothing was presumed
				used = append(used, spent...)
			}
			continue
		}
		used = append(used, spent...)
		if len(given.Options) == 0 {
			events = append(events, BallotMissed{Ballot: b.ref, Reason: brief(given.Reason)})
			continue
		}
		options, err := p.options(given.Options)
		if err != nil {
			events = append(events, BallotMissed{Ballot: b.ref, Reason: err.Error()})
			continue
		}
		voter := s.pseudonym(p.id, ModelIdentity(b.ref.Model))
		votes = append(votes, VoteCast{Poll: p.id, Voter: voter, Options: options, Reason: brief(given.Reason)})
	}
	slices.SortFunc(votes, func(a, b VoteCast) int { return cmp.Compare(a.Voter, b.Voter) }) // tells nothing
	for _, cast := range votes {
		events = append(events, cast)
	}
	return s.conclude(m, p, append(events, used...)), nil
}

// of returns what became of a ballot: without options it was missed.
func (c *CountBallots) of(id Offset) CastBallot {
	for _, vote := range c.Votes {
		if vote.Ballot == id {
			return vote
		}
	}
	for _, miss := range c.Missed {
		if miss.Ballot == id {
			return CastBallot{Ballot: id, Reason: miss.Reason, Served: miss.Served, Usage: miss.Usage}
		}
	}
	return CastBallot{Ballot: id, Reason: "no vote was given"}
}

func (s *State) resumeBallot(m Meta, c ResumeBallot) ([]Event, error) {
	p, b, err := s.ownBallot(m, c.Ballot)
	if err != nil {
		return nil, err
	}
	return s.resumeEach(m, p, BallotResumed{Ballot: b.ref, Attempt: b.attempts + 1}, func(o *ballot) bool { return o.ref == b.ref }), nil
}

func (s *State) resumeBallots(m Meta, c ResumeBallots) ([]Event, error) {
	p, err := s.counting(m, c.Poll)
	if err != nil {
		return nil, err
	}
	if !s.knows(p) { // asking again leads nowhere
		lost := p.missedBy(func(*ballot) bool { return true }, func(b *ballot) string {
			return b.ref.Name + " cannot vote: this server has not the secret under which the poll was opened"
		})
		return s.conclude(m, p, lost), nil
	}
	return s.resumeEach(m, p, BallotResumed{Ballot: BallotRef{Poll: p.id}, Attempt: p.attempts + 1}, func(*ballot) bool { return true }), nil
}

// resumeEach accounts for the attempts that were lost at the open ballots that which picks, and counts the next one or ends
// the ballots.
func (s *State) resumeEach(m Meta, p *poll, next BallotResumed, which func(*ballot) bool) []Event {
	var events []Event
	n := 0
	for i := range p.ballots {
		if b := &p.ballots[i]; b.open && which(b) {
			n++
			events = append(events, p.debt(b).lost()...)
		}
	}
	if tried := next.Attempt - 1; tried >= s.rules.ReplyAttempts {
		return s.conclude(m, p, append(events, p.missedBy(which, gaveUp(tried))...))
	}
	allowance, err := s.again(m, n, p.opened.Autopilot, events)
	if err != nil {
		why := func(b *ballot) string { return brief(fmt.Sprintf("%s was not asked again: %s", b.ref.Name, err)) }
		return s.conclude(m, p, append(events, p.missedBy(which, why)...))
	}
	next.Allowance = allowance
	return append(events, next)
}

func gaveUp(attempts int) func(*ballot) string {
	return func(b *ballot) string {
		return fmt.Sprintf("%s was asked %d times and never voted", b.ref.Name, attempts)
	}
}

// missedBy ends the open ballots that which picks, each for a reason.
func (p *poll) missedBy(which func(*ballot) bool, reason func(*ballot) string) []Event {
	var events []Event
	for i := range p.ballots {
		if b := &p.ballots[i]; b.open && which(b) {
			events = append(events, BallotMissed{Ballot: b.ref, Reason: reason(b)})
		}
	}
	return events
}

// stoppedBy is missedBy for ballots that are under way: their models may still say what they took.
func (p *poll) stoppedBy(which func(*ballot) bool, reason func(*ballot) string) []Event {
	events := p.missedBy(which, reason)
	for i, event := range events {
		v := event.(BallotMissed)
		v.Lost = true
		events[i] = v
	}
	return events
}

// missAll ends the open ballots of a model that is removed.
func (s *State) missAll(m Meta, id ModelID) []Event {
	var events []Event
	for p := range s.polls.opened() {
		gone := p.stoppedBy(func(b *ballot) bool { return b.ref.Model == id }, func(b *ballot) string {
			return b.ref.Name + " was removed from the room"
		})
		if len(gone) > 0 {
			events = append(events, s.conclude(m, p, gone)...)
		}
	}
	return events
}

// ballotJobs yields the votes of models that are wanted now, by poll.
func (s *State) ballotJobs() iter.Seq[Job] {
	return func(yield func(Job) bool) {
		for p := range s.polls.opened() {
			if p.opened.Anonymous {
				if p.awaited() > 0 && !yield(CountJob{p.id}) {
					return
				}
				continue
			}
			for i := range p.ballots {
				b := &p.ballots[i]
				if b.open && !yield(BallotJob{Ballot: b.ref.ID, Poll: p.id, Model: b.ref.Model}) {
					return
				}
			}
		}
	}
}
