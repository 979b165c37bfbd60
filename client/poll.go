package client

import (
	"fmt"
	"slices"
	"time"

	roompb "parley/proto/gen/api/room"
)

// TieRule says what decides a poll in which several options got the most votes.
type TieRule string

// The tie rules.
const (
	TieOpen    TieRule = ""        // nothing: it ends tied
	TieCreator TieRule = "creator" // the vote of who opened it
	TieFirst   TieRule = "first"   // the option that stands first
)

// Verdict is what a closed poll says.
type Verdict string

// The verdicts.
const (
	Decided  Verdict = "decided"
	Tied     Verdict = "tied"
	NoQuorum Verdict = "no_quorum"
	NoVotes  Verdict = "no_votes"
)

// Ending says why a poll closed.
type Ending string

// The endings.
const (
	ByHand     Ending = "closed"
	ByDeadline Ending = "deadline"
	ByAll      Ending = "complete" // everybody that an autopilot asked has voted
)

// A Poll is a question to the room. Options are numbered from 1, in their order.
type Poll struct {
	ID           string
	CreatorID    string
	CreatorName  string
	ByModel      bool
	Question     string
	Options      []Option
	Multiple     bool
	Anonymous    bool
	Mandatory    bool
	PeopleOnly   bool // no model is asked
	CreatedAt    time.Time
	Deadline     time.Time // zero means never
	Quorum       int
	Tie          TieRule
	AutopilotID  string   // the autopilot that asks, if one does
	Awaited      []Ballot // of models; in an anonymous poll they may have voted already
	Missed       []Ballot
	Ending       Ending // empty while it is open
	ClosedAt     time.Time
	ClosedByName string
	Result       *Result // nil while it is open
}

// Open reports whether it takes votes.
func (p *Poll) Open() bool { return p.Ending == "" && p.ClosedAt.IsZero() && p.Result == nil }

// An Option is one choice of a poll.
type Option struct {
	Text        string
	Description string
	Count       int    // votes for it
	Votes       []Vote // who votes for it; in an anonymous poll reasons only, and those of changed votes stay
}

// A Vote is what one voter votes. In an anonymous poll it says nothing of the voter.
type Vote struct {
	VoterID   string
	VoterName string
	ByModel   bool
	Reason    string
	At        time.Time
}

// A Ballot is a vote that is wanted of a model, or was.
type Ballot struct {
	ModelID   string
	ModelName string
	Reason    string // why it did not vote
}

// A Result is what a poll came to. Options are given by their numbers.
type Result struct {
	Verdict  Verdict
	Winner   int // 0 unless it is decided
	Leading  []int
	Counts   []int // votes for each option
	Voters   int
	Dissents []Dissent
	Missing  []Ballot // of a mandatory poll
}

// A Dissent is a vote against what was decided.
type Dissent struct {
	VoterID   string
	VoterName string
	ByModel   bool
	Options   []int
	Reason    string
}

var (
	ties     = map[TieRule]roompb.TieRule{TieCreator: roompb.TieRule_TIE_RULE_CREATOR, TieFirst: roompb.TieRule_TIE_RULE_FIRST}
	verdicts = map[Verdict]roompb.PollVerdict{
		Decided: roompb.PollVerdict_POLL_VERDICT_DECIDED, Tied: roompb.PollVerdict_POLL_VERDICT_TIED,
		NoQuorum: roompb.PollVerdict_POLL_VERDICT_NO_QUORUM, NoVotes: roompb.PollVerdict_POLL_VERDICT_NO_VOTES,
	}
	endings = map[Ending]roompb.PollEnding{
		ByHand: roompb.PollEnding_POLL_ENDING_CLOSED, ByDeadline: roompb.PollEnding_POLL_ENDING_DEADLINE,
		ByAll: roompb.PollEnding_POLL_ENDING_COMPLETE,
	}
)

// applyPoll folds an event of a poll that is known.
func (c *Council) applyPoll(e Event) {
	switch e := e.(type) {
	case BallotRequested:
		if p := c.Poll(e.PollID); p != nil {
			p.Awaited = append(p.Awaited, e.Ballot)
		}
	case BallotMissed:
		if p := c.Poll(e.PollID); p != nil {
			p.Awaited = withoutBallot(p.Awaited, e.Ballot.ModelID)
			p.Missed = append(p.Missed, e.Ballot)
		}
	case Voted:
		if p := c.Poll(e.PollID); p != nil {
			p.vote(e)
		}
	case PollClosed:
		if p := c.Poll(e.PollID); p != nil {
			result := e.Result
			p.Ending, p.ClosedByName, p.ClosedAt, p.Result, p.Awaited = e.Ending, e.Name, e.At, &result, nil
		}
		if a := c.Autopilot; a != nil && a.PollID == e.PollID {
			a.PollID = ""
		}
	}
}

// vote counts a vote. Where the voter is known, the whole vote takes the place of the earlier one.
func (p *Poll) vote(e Voted) {
	for i := range p.Options {
		o := &p.Options[i]
		if !p.Anonymous {
			o.Votes = slices.DeleteFunc(o.Votes, func(v Vote) bool { return v.VoterID == e.Vote.VoterID && v.ByModel == e.Vote.ByModel })
			if slices.Contains(e.Options, i+1) {
				o.Votes = append(o.Votes, e.Vote)
			}
			o.Count = len(o.Votes)
			continue
		}
		if slices.Contains(e.Added, i+1) {
			o.Count++
			o.Votes = append(o.Votes, e.Vote)
		}
		if slices.Contains(e.Removed, i+1) {
			o.Count = max(o.Count-1, 0)
		}
	}
	if e.Counted {
		p.Awaited = nil
	}
	if e.Vote.ByModel {
		p.Awaited = withoutBallot(p.Awaited, e.Vote.VoterID)
	}
}

func withoutBallot(list []Ballot, model string) []Ballot {
	return slices.DeleteFunc(list, func(b Ballot) bool { return b.ModelID == model })
}

// clone copies what folding changes.
func (p Poll) clone() Poll {
	p.Options, p.Awaited, p.Missed = slices.Clone(p.Options), slices.Clone(p.Awaited), slices.Clone(p.Missed)
	for i := range p.Options {
		p.Options[i].Votes = slices.Clone(p.Options[i].Votes)
	}
	return p
}

func pollFrom(p *roompb.Poll) Poll {
	out := Poll{
		ID: p.GetPollId(), CreatorID: p.GetCreatorId(), CreatorName: p.GetCreatorName(),
		ByModel: p.GetCreatorType() == roompb.ParticipantType_LLM, Question: p.GetQuestion(), Options: each(p.GetOptions(), optionFrom),
		Multiple: p.GetAllowMultiple(), Anonymous: p.GetAnonymous(), Mandatory: p.GetMandatory(), PeopleOnly: p.GetPeopleOnly(), CreatedAt: timeFrom(p.GetCreatedAt()),
		Deadline: timeFrom(p.GetDeadline()), Quorum: int(p.GetQuorum()), Tie: valueOf(ties, p.GetTieRule()), AutopilotID: p.GetAutopilotId(),
		Awaited: each(p.GetAwaited(), ballotFrom), Missed: each(p.GetMissed(), ballotFrom), Ending: valueOf(endings, p.GetEnding()),
		ClosedAt: timeFrom(p.GetClosedAt()), ClosedByName: p.GetClosedByName(),
	}
	if p.GetResult() != nil {
		r := resultFrom(p.GetResult())
		out.Result = &r
	}
	return out
}

func optionFrom(o *roompb.PollOption) Option {
	return Option{o.GetText(), o.GetDescription(), len(o.GetVotes()), each(o.GetVotes(), voteFrom)}
}

func voteFrom(v *roompb.PollVote) Vote {
	return Vote{v.GetVoterId(), v.GetVoterName(), v.GetVoterType() == roompb.ParticipantType_LLM, v.GetReason(), timeFrom(v.GetVotedAt())}
}

func ballotFrom(b *roompb.Ballot) Ballot {
	return Ballot{b.GetLlmId(), b.GetLlmName(), b.GetReason()}
}

func resultFrom(r *roompb.PollResult) Result {
	return Result{
		Verdict: valueOf(verdicts, r.GetVerdict()), Winner: numberOf(r.GetWinnerOptionId()), Leading: numbersOf(r.GetLeadingOptionIds()),
		Counts: each(r.GetCounts(), func(n uint32) int { return int(n) }), Voters: int(r.GetVoters()),
		Dissents: each(r.GetDissents(), dissentFrom), Missing: each(r.GetMissing(), ballotFrom),
	}
}

func dissentFrom(d *roompb.PollDissent) Dissent {
	return Dissent{
		d.GetVoterId(), d.GetVoterName(), d.GetVoterType() == roompb.ParticipantType_LLM, numbersOf(d.GetOptionIds()), d.GetReason(),
	}
}

// optionIDs names options of a poll on the wire.
func optionIDs(poll string, numbers []int) []string {
	return each(numbers, func(n int) string { return fmt.Sprintf("%s.%d", poll, n) })
}
