package reliability

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	roompb "parley/proto/gen/api/room"
)

// council folds what is told of polls, of an autopilot and of money.
func (f *fold) council(e *roompb.ServerEvent) {
	s := f.state
	switch p := e.GetPayload().(type) {
	case *roompb.ServerEvent_PolicyChanged:
		s.Policy = p.PolicyChanged.GetPolicy()
	case *roompb.ServerEvent_SummaryWritten:
		s.Summary = p.SummaryWritten.GetSummary()
		f.spend(p.SummaryWritten.GetUsage(), false)
	case *roompb.ServerEvent_Spent:
		f.spend(p.Spent.GetUsage(), p.Spent.GetAutopilotId() != "" && p.Spent.GetAutopilotId() == s.Autopilot.GetAutopilotId())
	case *roompb.ServerEvent_PollCreated:
		poll := proto.Clone(p.PollCreated.GetPoll()).(*roompb.Poll)
		s.Polls = append(s.Polls, poll)
		if id := poll.GetAutopilotId(); id != "" && id == s.Autopilot.GetAutopilotId() {
			s.Autopilot.PollId = poll.GetPollId()
		}
	case *roompb.ServerEvent_PollVoted:
		f.voted(p.PollVoted)
	case *roompb.ServerEvent_BallotRequested:
		if poll := f.poll(p.BallotRequested.GetPollId()); poll != nil {
			poll.Awaited = append(poll.Awaited, p.BallotRequested.GetBallot())
		}
	case *roompb.ServerEvent_BallotMissed:
		if poll := f.poll(p.BallotMissed.GetPollId()); poll != nil {
			unawait(poll, p.BallotMissed.GetBallot().GetLlmId())
			poll.Missed = append(poll.Missed, p.BallotMissed.GetBallot())
		}
	case *roompb.ServerEvent_PollClosed:
		f.closed(e, p.PollClosed)
	default:
		f.autopilot(e)
	}
}

func (f *fold) poll(id string) *roompb.Poll {
	for _, p := range f.state.Polls {
		if p.GetPollId() == id {
			return p
		}
	}
	return nil
}

func unawait(p *roompb.Poll, model string) {
	p.Awaited = slices.DeleteFunc(p.Awaited, func(b *roompb.Ballot) bool { return b.GetLlmId() == model })
}

// voted counts a vote in the place of the voter's earlier one.
func (f *fold) voted(v *roompb.PollVoted) {
	p := f.poll(v.GetPollId())
	if p == nil || v.GetContinued() {
		return
	}
	for _, o := range p.Options {
		if p.GetAnonymous() {
			if slices.Contains(v.GetAddedOptionIds(), o.GetId()) {
				o.Votes = append(o.Votes, v.GetVote())
			}
			if n := len(o.Votes); n > 0 && slices.Contains(v.GetRemovedOptionIds(), o.GetId()) {
				o.Votes = o.Votes[:n-1] // whose it is nobody knows
			}
			continue
		}
		o.Votes = slices.DeleteFunc(o.Votes, func(old *roompb.PollVote) bool {
			return old.GetVoterId() == v.GetVote().GetVoterId() && old.GetVoterType() == v.GetVote().GetVoterType()
		})
		if slices.Contains(v.GetOptionIds(), o.GetId()) {
			o.Votes = append(o.Votes, v.GetVote())
		}
	}
	if v.GetBallotsCounted() {
		p.Awaited = nil
	}
	if v.GetVote().GetVoterType() == roompb.ParticipantType_LLM {
		unawait(p, v.GetVote().GetVoterId())
	}
}

func (f *fold) closed(e *roompb.ServerEvent, v *roompb.PollClosed) {
	p := f.poll(v.GetPollId())
	if p == nil {
		return
	}
	p.Status, p.ClosedAt, p.Ending, p.Awaited = roompb.PollStatus_POLL_CLOSED, e.GetAt(), v.GetEnding(), nil
	p.ClosedById, p.ClosedByName, p.Result = v.GetClosedById(), v.GetClosedByName(), v.GetResult()
	f.state.Polls = slices.DeleteFunc(f.state.Polls, func(o *roompb.Poll) bool { return o == p })
	f.state.ClosedPolls = append(f.state.ClosedPolls, p)
}

func (f *fold) autopilot(e *roompb.ServerEvent) {
	if p := e.GetAutopilotStarted(); p != nil {
		f.state.Autopilot = proto.Clone(p.GetAutopilot()).(*roompb.Autopilot)
	}
	a := f.state.Autopilot
	if a == nil {
		return
	}
	switch p := e.GetPayload().(type) {
	case *roompb.ServerEvent_AutopilotTurn:
		a.Turn = max(a.Turn, p.AutopilotTurn.GetTurn())
		f.turn = p.AutopilotTurn
	case *roompb.ServerEvent_AutopilotPaused:
		a.Paused = true
	case *roompb.ServerEvent_AutopilotResumed:
		a.Paused = false
	case *roompb.ServerEvent_AutopilotEnded:
		a.Ended, a.Paused, a.PollId = p.AutopilotEnded, false, ""
	case *roompb.ServerEvent_MessageReceived:
		if m := p.MessageReceived.GetMessage(); m.GetAutopilotId() == a.AutopilotId && m.GetMessageId() != a.AutopilotId {
			a.Guides = append(a.Guides, m)
		}
	}
}

// spend adds what a call took: to the room's accounts, and to the autopilot's if the call was one of its.
func (f *fold) spend(u *roompb.Usage, autopilots bool) {
	f.state.Accounts.Total = sum(f.state.Accounts.GetTotal(), u)
	if autopilots {
		f.state.Autopilot.Spent = sum(f.state.Autopilot.GetSpent(), u)
	}
}

func sum(a, b *roompb.Usage) *roompb.Usage {
	return &roompb.Usage{
		InputTokens: a.GetInputTokens() + b.GetInputTokens(), OutputTokens: a.GetOutputTokens() + b.GetOutputTokens(),
		NanoUsd: a.GetNanoUsd() + b.GetNanoUsd(), Unpriced: a.GetUnpriced() || b.GetUnpriced(),
	}
}

// told leaves of a state what events tell. They do not tell who led to a call and what calls are allowed, nor who would
// speak next as others come and go, and of an anonymous poll only how many votes there are.
func told(state *roompb.RoomState) *roompb.RoomState {
	s := proto.Clone(state).(*roompb.RoomState)
	s.Cursor.Offset = 0 // entries that concern no client move it unseen
	s.Accounts = &roompb.Accounts{Total: s.GetAccounts().GetTotal()}
	if s.Autopilot != nil {
		s.Autopilot.NextLlmIds = nil
	}
	number := func(id string) int {
		n, _ := strconv.Atoi(id)
		return n
	}
	slices.SortFunc(s.ClosedPolls, func(a, b *roompb.Poll) int { return cmp.Compare(number(a.GetPollId()), number(b.GetPollId())) })
	for _, p := range slices.Concat(s.Polls, s.ClosedPolls) {
		for _, o := range p.Options {
			slices.SortFunc(o.Votes, func(a, b *roompb.PollVote) int { return strings.Compare(a.GetVoterId(), b.GetVoterId()) })
			if p.GetAnonymous() {
				o.Votes = slices.Repeat([]*roompb.PollVote{{}}, len(o.Votes))
			}
		}
	}
	return s
}
