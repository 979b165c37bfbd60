package client

import (
	"context"
	"time"

	roompb "parley/proto/gen/api/room"

	"google.golang.org/protobuf/types/known/durationpb"
)

// A Question is a poll to open.
type Question struct {
	Text      string
	Options   []Option // their texts and descriptions
	Multiple  bool     // a voter may choose several options
	Anonymous bool     // nobody learns who voted what
	Mandatory bool     // the result names the models that failed to vote
	OpenFor   time.Duration
	Quorum    int // voters without which it decides nothing
	Tie       TieRule
}

// OpenPoll asks the room to decide. The offset is the poll's id. It returns as Send does.
func (s *Session) OpenPoll(ctx context.Context, q Question) (offset uint64, err error) {
	p := &roompb.CreatePoll{
		Question: q.Text, AllowMultiple: q.Multiple, Anonymous: q.Anonymous, Mandatory: q.Mandatory,
		Quorum: uint32(max(q.Quorum, 0)), TieRule: ties[q.Tie],
	}
	for _, o := range q.Options {
		p.Options = append(p.Options, &roompb.PollOptionInput{Text: o.Text, Description: o.Description})
	}
	if q.OpenFor != 0 {
		p.OpenFor = durationpb.New(q.OpenFor)
	}
	return s.do(ctx, &roompb.ClientMessage{Payload: &roompb.ClientMessage_CreatePoll{CreatePoll: p}})
}

// A Choice is a vote to cast.
type Choice struct {
	Poll    string
	Options []int // numbers, from 1
	Reason  string
	Replace bool // Options are the whole vote, also in a multiple-choice poll; none withdraws it
}

// Vote votes. In a single-choice poll it takes the place of an earlier vote, in a multiple-choice poll it adds to it. It
// returns as Send does.
func (s *Session) Vote(ctx context.Context, c Choice) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{Payload: &roompb.ClientMessage_CastVote{CastVote: &roompb.CastVote{
		PollId: c.Poll, OptionIds: optionIDs(c.Poll, c.Options), Reason: c.Reason, Replace: c.Replace,
	}}})
}

// ClosePoll ends a poll. Who opened it may, and admins. It returns as Send does.
func (s *Session) ClosePoll(ctx context.Context, poll string) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{Payload: &roompb.ClientMessage_ClosePoll{ClosePoll: &roompb.ClosePoll{PollId: poll}}})
}

// A Plan is an autopilot to start.
type Plan struct {
	Goal   string
	Mode   Mode
	Models []string // ids, in the order they speak; none means all of the room
	Lead   string   // leader or judge; empty means the first, where the mode has one
	Turns  int      // most turns; 0 means as many as the server likes
	Limit  Money    // 0 means no limit of its own
}

// StartAutopilot has models work on a goal. The offset is the autopilot's id. It returns as Send does.
func (s *Session) StartAutopilot(ctx context.Context, p Plan) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{Payload: &roompb.ClientMessage_StartAutopilot{StartAutopilot: &roompb.StartAutopilot{
		Goal: p.Goal, Mode: modes[p.Mode], LlmIds: p.Models, LeadLlmId: p.Lead, Turns: uint32(max(p.Turns, 0)), LimitNanoUsd: int64(p.Limit),
	}}})
}

// PauseAutopilot lets no further turn begin; turns under way go on. It returns as Send does.
func (s *Session) PauseAutopilot(ctx context.Context, id string) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{
		Payload: &roompb.ClientMessage_PauseAutopilot{PauseAutopilot: &roompb.PauseAutopilot{AutopilotId: id}},
	})
}

// ResumeAutopilot lets turns begin again. It returns as Send does.
func (s *Session) ResumeAutopilot(ctx context.Context, id string) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{
		Payload: &roompb.ClientMessage_ResumeAutopilot{ResumeAutopilot: &roompb.ResumeAutopilot{AutopilotId: id}},
	})
}

// GuideAutopilot tells the models what to mind from their next turn on. It returns as Send does.
func (s *Session) GuideAutopilot(ctx context.Context, id, text string) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{
		Payload: &roompb.ClientMessage_GuideAutopilot{GuideAutopilot: &roompb.GuideAutopilot{AutopilotId: id, Text: text}},
	})
}

// StopAutopilot ends it, and interrupts the turns under way. It returns as Send does.
func (s *Session) StopAutopilot(ctx context.Context, id string) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{
		Payload: &roompb.ClientMessage_StopAutopilot{StopAutopilot: &roompb.StopAutopilot{AutopilotId: id}},
	})
}

// SetPolicy changes what the room allows and may spend, all of it. Only an admin may. It returns as Send does.
func (s *Session) SetPolicy(ctx context.Context, p Policy) (offset uint64, err error) {
	return s.do(ctx, &roompb.ClientMessage{Payload: &roompb.ClientMessage_SetPolicy{SetPolicy: &roompb.SetPolicy{Policy: p.wire()}}})
}

// Cost tells what the session's room has spent, and what it may.
func (s *Session) Cost(ctx context.Context) (Cost, error) { return s.client.Cost(ctx, s.join.Room) }

// Cost tells what a room has spent, and what it may.
func (c *Client) Cost(ctx context.Context, room string) (Cost, error) {
	res, err := c.rooms.GetCost(ctx, &roompb.GetCostRequest{RoomId: room})
	if err != nil {
		return Cost{}, fromStatus(err)
	}
	cost := costFrom(res.GetAccounts(), res.GetPolicy())
	cost.ServerTotal, cost.ServerDay = allowanceFrom(res.GetServerTotal()), allowanceFrom(res.GetServerDay())
	return cost, nil
}

// GetCouncil tells which polls of a room are open, which autopilot runs, and its policy.
func (c *Client) GetCouncil(ctx context.Context, room string) (Council, error) {
	res, err := c.rooms.GetRoom(ctx, &roompb.GetRoomRequest{RoomId: room})
	if err != nil {
		return Council{}, fromStatus(err)
	}
	return Council{
		Polls: each(res.GetPolls(), pollFrom), Autopilot: autopilotFrom(res.GetAutopilot()), Policy: policyFrom(res.GetPolicy()),
	}, nil
}
