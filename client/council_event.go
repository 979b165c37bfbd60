package client

import (
	roompb "parley/proto/gen/api/room"
)

// PollCreated says that somebody asks the room to decide. It follows the MessageReceived of the question.
type PollCreated struct {
	Stamp
	Poll Poll
}

// Voted says what somebody votes from now on. Of an anonymous poll it says nothing of the voter.
type Voted struct {
	Stamp
	PollID  string
	Options []int // the whole vote; none means that it was withdrawn
	Added   []int // the options that get one vote more
	Removed []int // the options that lose one
	Vote    Vote
	Counted bool // it is a model's vote of an anonymous poll, and no ballot is awaited any more
}

// PollClosed says how a poll came out.
type PollClosed struct {
	Stamp
	PollID   string
	Question string
	Name     string // who closed it; empty if nobody did
	Ending   Ending
	Result   Result
}

// BallotRequested says that a model is asked to vote.
type BallotRequested struct {
	Stamp
	PollID string
	Ballot Ballot
}

// BallotMissed says that a model did not vote, and why.
type BallotMissed struct {
	Stamp
	PollID string
	Ballot Ballot
}

// Withheld says that models were mentioned and are not asked.
type Withheld struct {
	Stamp
	MessageID string // the message that mentions them
	Models    []string
	Reason    string
}

// AutopilotStarted says that models begin to work on a goal. It follows the MessageReceived of the goal.
type AutopilotStarted struct {
	Stamp
	Autopilot Autopilot
}

// TurnBegan says that a turn of an autopilot begins. Thinking of the same reply follows.
type TurnBegan struct {
	Stamp
	Turn Turn
}

// AutopilotPaused says that no turn follows for now.
type AutopilotPaused struct {
	Stamp
	AutopilotID string
	Name        string // who paused it; empty if it paused by itself
	Reason      string
}

// AutopilotResumed says that turns follow again.
type AutopilotResumed struct {
	Stamp
	AutopilotID string
	Name        string
}

// AutopilotEnded says how an autopilot ended.
type AutopilotEnded struct {
	Stamp
	End AutopilotEnd
}

// PolicyChanged says what the room allows and may spend from now on.
type PolicyChanged struct {
	Stamp
	Policy Policy
	UserID string // who changed it
	Name   string
}

// Spent says what a call of a model took that no other event tells of.
type Spent struct {
	Stamp
	ModelID     string
	AutopilotID string
	Served      string // the provider's model
	Usage       Usage
}

// SummaryWritten says that models read a summary from now on in the place of older messages.
type SummaryWritten struct {
	Stamp
	Summary Summary
	Served  string
	Usage   Usage
}

func pollEventFrom(ev *roompb.ServerEvent, at Stamp) Event {
	switch p := ev.GetPayload().(type) {
	case *roompb.ServerEvent_PollCreated:
		return PollCreated{at, pollFrom(p.PollCreated.GetPoll())}
	case *roompb.ServerEvent_PollVoted:
		v := p.PollVoted
		if v.GetContinued() {
			return nil
		}
		return Voted{
			at, v.GetPollId(), numbersOf(v.GetOptionIds()), numbersOf(v.GetAddedOptionIds()), numbersOf(v.GetRemovedOptionIds()),
			voteFrom(v.GetVote()), v.GetBallotsCounted(),
		}
	case *roompb.ServerEvent_PollClosed:
		c := p.PollClosed
		return PollClosed{
			at, c.GetPollId(), c.GetQuestion(), c.GetClosedByName(), valueOf(endings, c.GetEnding()), resultFrom(c.GetResult()),
		}
	case *roompb.ServerEvent_BallotRequested:
		return BallotRequested{at, p.BallotRequested.GetPollId(), ballotFrom(p.BallotRequested.GetBallot())}
	case *roompb.ServerEvent_BallotMissed:
		return BallotMissed{at, p.BallotMissed.GetPollId(), ballotFrom(p.BallotMissed.GetBallot())}
	}
	return autopilotEventFrom(ev, at)
}

func autopilotEventFrom(ev *roompb.ServerEvent, at Stamp) Event {
	switch p := ev.GetPayload().(type) {
	case *roompb.ServerEvent_AutopilotStarted:
		if a := autopilotFrom(p.AutopilotStarted.GetAutopilot()); a != nil {
			return AutopilotStarted{at, *a}
		}
	case *roompb.ServerEvent_AutopilotTurn:
		return TurnBegan{at, *turnFrom(p.AutopilotTurn)}
	case *roompb.ServerEvent_AutopilotPaused:
		a := p.AutopilotPaused
		return AutopilotPaused{at, a.GetAutopilotId(), a.GetPausedByName(), a.GetReason()}
	case *roompb.ServerEvent_AutopilotResumed:
		return AutopilotResumed{at, p.AutopilotResumed.GetAutopilotId(), p.AutopilotResumed.GetResumedByName()}
	case *roompb.ServerEvent_AutopilotEnded:
		return AutopilotEnded{at, endedFrom(p.AutopilotEnded)}
	case *roompb.ServerEvent_PolicyChanged:
		return PolicyChanged{at, policyFrom(p.PolicyChanged.GetPolicy()), p.PolicyChanged.GetChangedById(), p.PolicyChanged.GetChangedByName()}
	case *roompb.ServerEvent_Spent:
		s := p.Spent
		return Spent{at, s.GetLlmId(), s.GetAutopilotId(), s.GetServed(), usageFrom(s.GetUsage())}
	case *roompb.ServerEvent_SummaryWritten:
		s := p.SummaryWritten
		if summary := summaryFrom(s.GetSummary()); summary != nil {
			return SummaryWritten{at, *summary, s.GetServed(), usageFrom(s.GetUsage())}
		}
	case *roompb.ServerEvent_ReplyWithheld:
		w := p.ReplyWithheld
		return Withheld{at, w.GetMessageId(), w.GetLlmIds(), w.GetText()}
	}
	return Unknown{at, ev}
}
