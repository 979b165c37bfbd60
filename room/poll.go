package room

import (
	"fmt"
	"iter"
	"time"
)

// TieRule says what decides a poll in which several options got the most votes.
type TieRule string

// The tie rules.
const (
	TieOpen    TieRule = ""        // nothing: the poll ends undecided
	TieCreator TieRule = "creator" // the vote of who opened it, if it is among the first; not in anonymous polls
	TieFirst   TieRule = "first"   // the option that stands first in the list
)

// An Option is one choice of a poll. Options are numbered from 1.
type Option struct {
	Text        string `json:"text"`
	Description string `json:"description,omitempty"`
}

// PollOpened says that somebody asks the room to decide. Its offset is the poll's id; it is a message, too.
type PollOpened struct {
	Name      string    `json:"name"` // the creator's, as it was then
	Question  string    `json:"question"`
	Options   []Option  `json:"options"`
	Multiple  bool      `json:"multiple,omitempty"`  // a voter may choose several options
	Anonymous bool      `json:"anonymous,omitempty"` // nobody learns who voted what
	Mandatory bool      `json:"mandatory,omitempty"` // the result names the models that failed to vote
	Deadline  time.Time `json:"deadline,omitzero"`   // when it closes by itself; zero means never
	Quorum    int       `json:"quorum,omitempty"`    // voters without which it decides nothing
	Tie       TieRule   `json:"tie,omitempty"`
	Autopilot Offset    `json:"autopilot,omitempty"` // the autopilot that asks
}

// A BallotRef names a model's ballot, in every event about it.
type BallotRef struct {
	ID    Offset  `json:"id"` // the offset of its BallotRequested
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
type BallotResumed struct {
	Ballot  BallotRef `json:"ballot"`
	Attempt int       `json:"attempt"` // 2 is the second
}

// BallotMissed says that a model did not vote, and why. In an anonymous poll it is written with all the ballots.
type BallotMissed struct {
	Ballot BallotRef `json:"ballot"`
	Reason string    `json:"reason"`
}

// VoteCast says what somebody votes now. It takes the place of the voter's earlier vote. The author is the voter, or in
// an anonymous poll a pseudonym that only holders of Rules.Secret could connect with one.
type VoteCast struct {
	Poll    Offset `json:"poll"`
	Name    string `json:"name,omitempty"`    // the voter's; empty in an anonymous poll
	Options []int  `json:"options,omitempty"` // the whole vote, in ascending order; empty means it was withdrawn
	Was     []int  `json:"was,omitempty"`     // the voter's vote before
	Reason  string `json:"reason,omitempty"`
}

// PollEnding says why a poll closed.
type PollEnding string

// The endings.
const (
	PollEnded    PollEnding = "closed"   // by who opened it, or an admin
	PollExpired  PollEnding = "deadline" // its time was over
	PollComplete PollEnding = "complete" // everybody that an autopilot asked has voted
)

// PollClosed says how a poll came out.
type PollClosed struct {
	Poll     Offset     `json:"poll"`
	Name     string     `json:"name,omitempty"` // who closed it; empty if nobody did
	Ending   PollEnding `json:"ending"`
	Question string     `json:"question"`
	Result   PollResult `json:"result"`
}

// PollVerdict is what a closed poll says.
type PollVerdict string

// The verdicts.
const (
	Decided  PollVerdict = "decided"
	Tied     PollVerdict = "tied"
	Unquorum PollVerdict = "no_quorum"
	Unvoted  PollVerdict = "no_votes"
)

// A PollResult is what a poll came to, as a fact of its own: it needs no vote beside it.
type PollResult struct {
	Verdict  PollVerdict `json:"verdict"`
	Winner   int         `json:"winner,omitempty"` // the option, if decided
	Leading  []int       `json:"leading,omitempty"`
	Counts   []int       `json:"counts"` // votes for each option
	Voters   int         `json:"voters"`
	Dissents []Dissent   `json:"dissents,omitempty"` // who voted against the winner and said why
	Missing  []BallotRef `json:"missing,omitempty"`  // ballots that never came, of a mandatory poll
}

// A Dissent is a vote against what was decided.
type Dissent struct {
	By      Identity `json:"by,omitempty"` // nobody in an anonymous poll, as Name
	Name    string   `json:"name,omitempty"`
	Options []int    `json:"options"`
	Reason  string   `json:"reason,omitempty"`
}

func (PollOpened) event()      {}
func (BallotRequested) event() {}
func (BallotResumed) event()   {}
func (BallotMissed) event()    {}
func (VoteCast) event()        {}
func (PollClosed) event()      {}

// OpenPoll asks the room to decide. Every model of the room is asked for its ballot. Models may issue it where the
// room's Policy lets them.
type OpenPoll struct {
	Question  string
	Options   []Option
	Multiple  bool
	Anonymous bool
	Mandatory bool
	Deadline  time.Time
	Quorum    int
	Tie       TieRule
}

// CastVote votes. In a single-choice poll a vote takes the place of the voter's earlier one; in a multiple-choice poll
// it adds to it, unless Replace is set: then Options, which may be empty, are the whole vote.
type CastVote struct {
	Poll    Offset
	Options []int
	Reason  string
	Replace bool
}

// ClosePoll ends a poll. Who opened it may, and admins.
type ClosePoll struct{ Poll Offset }

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

// CountBallots ends all ballots of an anonymous poll at once, so that their order tells nothing. Only the server may
// issue it; Votes come in random order.
type CountBallots struct {
	Poll   Offset
	Votes  []CastBallot
	Missed []MissBallot
}

// ResumeBallot counts another attempt at a ballot, or gives it up when there were enough.
type ResumeBallot struct{ Ballot Offset }

// ResumeBallots is ResumeBallot for an anonymous poll.
type ResumeBallots struct{ Poll Offset }

func (OpenPoll) command()      {}
func (CastVote) command()      {}
func (ClosePoll) command()     {}
func (CastBallot) command()    {}
func (MissBallot) command()    {}
func (CountBallots) command()  {}
func (ResumeBallot) command()  {}
func (ResumeBallots) command() {}

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
func (j CountJob) Retry() Command { return ResumeBallots{j.Poll} }

// A Poll is a poll as one viewer sees it. Of an anonymous poll nobody learns who voted; a model whose ballot is open
// sees no votes at all.
type Poll struct {
	ID     Offset
	By     Identity
	Opened PollOpened
	At     time.Time
	Votes  []Vote      // in the order they were first cast
	Open   []BallotRef // ballots that are awaited
	Each   Allowance   // what each of them may take
	Missed []BallotMissed
	Closed *PollClosed // nil while it is open
	Ended  time.Time
}

// A Vote is what one voter votes.
type Vote struct {
	By      Identity // empty in an anonymous poll, as Name
	Name    string
	Options []int
	Reason  string
	At      time.Time
}

// polls are the polls that a State keeps.
type polls struct{}

// Author is the Meta under which a command's entries are written, and found again: its own, but for a vote in an
// anonymous poll, which is written under the voter's pseudonym with a cause that tells nothing.
func (s *State) Author(m Meta, c Command) Meta { return m }

func (s *State) openPoll(m Meta, c OpenPoll) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) castVote(m Meta, c CastVote) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) closePoll(m Meta, c ClosePoll) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) castBallot(m Meta, c CastBallot) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) missBallot(m Meta, c MissBallot) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) countBallots(m Meta, c CountBallots) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) resumeBallot(m Meta, c ResumeBallot) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) resumeBallots(m Meta, c ResumeBallots) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) expirePolls(m Meta) []Event { return nil }

func (s *State) applyPollOpened(e *Entry, v PollOpened) {}

func (s *State) applyBallotRequested(e *Entry, v BallotRequested) {}

func (s *State) applyBallotResumed(v BallotResumed) {}

func (s *State) applyBallotMissed(v BallotMissed) {}

func (s *State) applyVote(e *Entry, v VoteCast) {}

func (s *State) applyPollClosed(e *Entry, v PollClosed) {}

func (s *State) ballotJobs() iter.Seq[Job] { return func(func(Job) bool) {} }

func (s *State) pollsDue() time.Time { return time.Time{} }

func (s *State) viewPolls(viewer Identity) []Poll { return nil }
