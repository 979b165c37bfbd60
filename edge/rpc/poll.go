package rpc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"parley/room"

	roompb "parley/proto/gen/api/room"
)

var (
	ties = map[room.TieRule]roompb.TieRule{
		room.TieCreator: roompb.TieRule_TIE_RULE_CREATOR, room.TieFirst: roompb.TieRule_TIE_RULE_FIRST,
	}
	endings = map[room.PollEnding]roompb.PollEnding{
		room.PollEnded: roompb.PollEnding_POLL_ENDING_CLOSED, room.PollExpired: roompb.PollEnding_POLL_ENDING_DEADLINE,
		room.PollComplete: roompb.PollEnding_POLL_ENDING_COMPLETE,
	}
	verdicts = map[room.PollVerdict]roompb.PollVerdict{
		room.Decided: roompb.PollVerdict_POLL_VERDICT_DECIDED, room.Tied: roompb.PollVerdict_POLL_VERDICT_TIED,
		room.Unquorum: roompb.PollVerdict_POLL_VERDICT_NO_QUORUM, room.Unvoted: roompb.PollVerdict_POLL_VERDICT_NO_VOTES,
	}
)

// optionID names option n of a poll, so that an option of another poll is recognised.
func optionID(poll room.Offset, n int) string { return messageID(poll) + "." + strconv.Itoa(n) }

func optionIDs(poll room.Offset, numbers []int) []string {
	ids := make([]string, len(numbers))
	for i, n := range numbers {
		ids[i] = optionID(poll, n)
	}
	return ids
}

func parsePollID(id string) (room.Offset, error) {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil || n == 0 {
		return 0, &room.Error{
			Code: room.CodeNotFound, Reason: room.ReasonPollNotFound, Text: "the room has no poll of that id: use the poll_id of one of its polls",
		}
	}
	return room.Offset(n), nil
}

// parseOptions reads the ids of options of a poll. Whether there are such options is for the room to say.
func parseOptions(poll room.Offset, ids []string) ([]int, error) {
	numbers := make([]int, len(ids))
	for i, id := range ids {
		of, number, _ := strings.Cut(id, ".")
		n, err := strconv.Atoi(number)
		if of != messageID(poll) || err != nil || n < 1 {
			return nil, &room.Error{
				Code: room.CodeInvalid, Reason: room.ReasonInvalidOption,
				Text: fmt.Sprintf("that is no option of poll %d: its options are %s, %s and so on", poll, optionID(poll, 1), optionID(poll, 2)),
			}
		}
		numbers[i] = n
	}
	return numbers, nil
}

func openPoll(p *roompb.CreatePoll, now time.Time) (room.Command, error) {
	c := room.OpenPoll{
		Question: p.GetQuestion(), Multiple: p.GetAllowMultiple(), Anonymous: p.GetAnonymous(), Mandatory: p.GetMandatory(),
		Quorum: int(p.GetQuorum()), Tie: fromWire(ties, p.GetTieRule()),
	}
	for _, o := range p.GetOptions() {
		c.Options = append(c.Options, room.Option{Text: o.GetText(), Description: o.GetDescription()})
	}
	if p.GetOpenFor() == nil {
		return c, nil
	}
	if d := p.GetOpenFor(); d.CheckValid() != nil || d.AsDuration() <= 0 {
		return nil, &room.Error{Code: room.CodeInvalid, Reason: room.ReasonInvalidPoll, Text: "open_for: use a time of more than nothing"}
	}
	c.Deadline = now.Add(p.GetOpenFor().AsDuration())
	return c, nil
}

func castVote(v *roompb.CastVote) (room.Command, error) {
	poll, err := parsePollID(v.GetPollId())
	if err != nil {
		return nil, err
	}
	options, err := parseOptions(poll, v.GetOptionIds())
	return room.CastVote{Poll: poll, Options: options, Reason: v.GetReason(), Replace: v.GetReplace()}, err
}

// poll is a poll as its View shows it.
func (c encoder) poll(id room.ID, p room.Poll) *roompb.Poll {
	out := c.opened(id, p.ID, p.By, p.At, p.Opened)
	for _, v := range p.Votes {
		for _, n := range v.Options {
			if n >= 1 && n <= len(out.Options) {
				option := out.Options[n-1]
				option.Votes = append(option.Votes, vote(p.Opened.Anonymous, v.By, v.Name, v.Reason, v.At))
			}
		}
	}
	for _, b := range p.Open {
		out.Awaited = append(out.Awaited, ballot(b, ""))
	}
	for _, m := range p.Missed {
		out.Missed = append(out.Missed, ballot(m.Ballot, m.Reason))
	}
	if v := p.Closed; v != nil {
		out.Status, out.ClosedAt, out.Ending = roompb.PollStatus_POLL_CLOSED, timestamppb.New(p.Ended), endings[v.Ending]
		out.ClosedByName, out.Result = v.Name, result(p.ID, v.Result)
		out.ClosedById, _ = member(p.ClosedBy)
	}
	return out
}

// opened is a poll nobody has voted in.
func (c encoder) opened(id room.ID, poll room.Offset, by room.Identity, at time.Time, v room.PollOpened) *roompb.Poll {
	out := &roompb.Poll{
		PollId: messageID(poll), RoomId: string(id), CreatorName: v.Name, Question: v.Question,
		AllowMultiple: v.Multiple, Anonymous: v.Anonymous, Mandatory: v.Mandatory, Status: roompb.PollStatus_POLL_OPEN,
		CreatedAt: timestamppb.New(at), Quorum: uint32(max(v.Quorum, 0)), TieRule: ties[v.Tie], AutopilotId: optionalID(v.Autopilot),
		PeopleOnly: v.People,
	}
	out.CreatorId, out.CreatorType = member(v.Opener(by))
	for i, o := range v.Options {
		out.Options = append(out.Options, &roompb.PollOption{Id: optionID(poll, i+1), Text: o.Text, Description: o.Description})
	}
	if !v.Deadline.IsZero() {
		out.Deadline = timestamppb.New(v.Deadline)
	}
	return out
}

// vote is what is shown of a vote: nothing of the voter if it is anonymous.
func vote(anonymous bool, by room.Identity, name, reason string, at time.Time) *roompb.PollVote {
	out := &roompb.PollVote{Reason: reason}
	if !at.IsZero() {
		out.VotedAt = timestamppb.New(at)
	}
	if !anonymous {
		out.VoterName = name
		out.VoterId, out.VoterType = member(by)
	}
	return out
}

func ballot(b room.BallotRef, reason string) *roompb.Ballot {
	return &roompb.Ballot{LlmId: string(b.Model), LlmName: b.Name, Reason: reason}
}

func result(poll room.Offset, r room.PollResult) *roompb.PollResult {
	out := &roompb.PollResult{
		Verdict: verdicts[r.Verdict], LeadingOptionIds: optionIDs(poll, r.Leading), Voters: uint32(max(r.Voters, 0)),
	}
	if r.Winner != 0 {
		out.WinnerOptionId = optionID(poll, r.Winner)
	}
	for _, n := range r.Counts {
		out.Counts = append(out.Counts, uint32(max(n, 0)))
	}
	for _, d := range r.Dissents {
		dissent := &roompb.PollDissent{VoterName: d.Name, OptionIds: optionIDs(poll, d.Options), Reason: d.Reason}
		dissent.VoterId, dissent.VoterType = member(d.By)
		out.Dissents = append(out.Dissents, dissent)
	}
	for _, b := range r.Missing {
		out.Missing = append(out.Missing, ballot(b, ""))
	}
	return out
}

// pollEvents is events for what is about a poll.
func (c encoder) pollEvents(e *room.Entry) []*roompb.ServerEvent {
	switch v := e.Event.(type) {
	case room.PollOpened:
		created := &roompb.PollCreated{Poll: c.opened(e.Room, e.Offset, e.By, e.At, v)}
		return append(c.said(e), &roompb.ServerEvent{Payload: &roompb.ServerEvent_PollCreated{PollCreated: created}})
	case room.BallotRequested:
		asked := &roompb.BallotRequested{PollId: messageID(v.Ballot.Poll), Ballot: ballot(v.Ballot, "")}
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_BallotRequested{BallotRequested: asked}})
	case room.BallotMissed:
		missed := &roompb.BallotMissed{PollId: messageID(v.Ballot.Poll), Ballot: ballot(v.Ballot, v.Reason)}
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_BallotMissed{BallotMissed: missed}})
	case room.VoteCast:
		return voted(e, v)
	case room.PollClosed:
		closed := &roompb.PollClosed{
			PollId: messageID(v.Poll), ClosedByName: v.Name, Ending: endings[v.Ending], Result: result(v.Poll, v.Result), Question: v.Question,
		}
		if v.Name != "" {
			closed.ClosedById, _ = member(e.By)
		}
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_PollClosed{PollClosed: closed}})
	}
	return nil
}

// voted is one event for each option that a vote adds, or one if it adds none. The first tells the whole vote. A vote
// without a name is anonymous.
func voted(e *room.Entry, v room.VoteCast) []*roompb.ServerEvent {
	added := without(v.Options, v.Was)
	first := &roompb.PollVoted{
		OptionIds: optionIDs(v.Poll, v.Options), AddedOptionIds: optionIDs(v.Poll, added),
		RemovedOptionIds: optionIDs(v.Poll, without(v.Was, v.Options)), BallotsCounted: v.Voter != "",
	}
	all := []*roompb.PollVoted{first}
	for i := 1; i < len(added); i++ {
		all = append(all, &roompb.PollVoted{Continued: true})
	}
	events := make([]*roompb.ServerEvent, len(all))
	for i, p := range all {
		p.PollId, p.Vote = messageID(v.Poll), vote(v.Name == "", e.By, v.Name, v.Reason, e.At)
		if i < len(added) {
			p.OptionId = optionID(v.Poll, added[i])
		}
		events[i] = &roompb.ServerEvent{Payload: &roompb.ServerEvent_PollVoted{PollVoted: p}}
	}
	return events
}

// without lists what of a is not in b.
func without(a, b []int) []int {
	return slices.DeleteFunc(slices.Clone(a), func(n int) bool { return slices.Contains(b, n) })
}

// optionalID is messageID, but empty for 0.
func optionalID(o room.Offset) string {
	if o == 0 {
		return ""
	}
	return messageID(o)
}
