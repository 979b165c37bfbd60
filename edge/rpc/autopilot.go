package rpc

import (
	"strconv"

	"parley/room"

	roompb "parley/proto/gen/api/room"
)

var (
	modes = map[room.Mode]roompb.AutopilotMode{
		room.RoundRobin: roompb.AutopilotMode_AUTOPILOT_MODE_ROUND_ROBIN, room.Leader: roompb.AutopilotMode_AUTOPILOT_MODE_LEADER,
		room.Debate: roompb.AutopilotMode_AUTOPILOT_MODE_DEBATE, room.Relay: roompb.AutopilotMode_AUTOPILOT_MODE_RELAY,
		room.Consensus: roompb.AutopilotMode_AUTOPILOT_MODE_CONSENSUS,
	}
	parts = map[room.Part]roompb.AutopilotPart{
		room.Speaker: roompb.AutopilotPart_AUTOPILOT_PART_SPEAKER, room.Lead: roompb.AutopilotPart_AUTOPILOT_PART_LEAD,
		room.Follower: roompb.AutopilotPart_AUTOPILOT_PART_FOLLOWER, room.Debater: roompb.AutopilotPart_AUTOPILOT_PART_DEBATER,
		room.Judge: roompb.AutopilotPart_AUTOPILOT_PART_JUDGE, room.Runner: roompb.AutopilotPart_AUTOPILOT_PART_RUNNER,
		room.Proposer: roompb.AutopilotPart_AUTOPILOT_PART_PROPOSER,
	}
	outcomes = map[room.Outcome]roompb.AutopilotOutcome{
		room.Finished:   roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_FINISHED,
		room.Asked:      roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_ASKED,
		room.Agreed:     roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_AGREED,
		room.Disagreed:  roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_DISAGREED,
		room.Stopped:    roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_STOPPED,
		room.OutOfTurns: roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_OUT_OF_TURNS,
		room.OutOfMoney: roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_OUT_OF_MONEY,
		room.Repeating:  roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_REPEATING,
		room.Broken:     roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_BROKEN,
	}
	withholdings = map[room.Withholding]roompb.Withholding{
		room.TooDeep: roompb.Withholding_WITHHOLDING_DEPTH, room.Repeated: roompb.Withholding_WITHHOLDING_REPETITION,
		room.NoBudget: roompb.Withholding_WITHHOLDING_BUDGET, room.TooMany: roompb.Withholding_WITHHOLDING_BUSY,
	}
)

// steer reads a command about an autopilot out of a message; nil if there is none in it.
func steer(msg *roompb.ClientMessage) (room.Command, error) {
	switch p := msg.GetPayload().(type) {
	case *roompb.ClientMessage_StartAutopilot:
		return startAutopilot(p.StartAutopilot)
	case *roompb.ClientMessage_PauseAutopilot:
		id, err := parseAutopilotID(p.PauseAutopilot.GetAutopilotId())
		return room.PauseAutopilot{Autopilot: id}, err
	case *roompb.ClientMessage_ResumeAutopilot:
		id, err := parseAutopilotID(p.ResumeAutopilot.GetAutopilotId())
		return room.ResumeAutopilot{Autopilot: id}, err
	case *roompb.ClientMessage_GuideAutopilot:
		id, err := parseAutopilotID(p.GuideAutopilot.GetAutopilotId())
		return room.GuideAutopilot{Autopilot: id, Text: p.GuideAutopilot.GetText()}, err
	case *roompb.ClientMessage_StopAutopilot:
		id, err := parseAutopilotID(p.StopAutopilot.GetAutopilotId())
		return room.StopAutopilot{Autopilot: id}, err
	}
	return nil, nil
}

func parseAutopilotID(id string) (room.Offset, error) {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil || n == 0 {
		return 0, invalidf("autopilot_id: use the id of the autopilot that runs")
	}
	return room.Offset(n), nil
}

func startAutopilot(p *roompb.StartAutopilot) (room.Command, error) {
	mode := fromWire(modes, p.GetMode())
	if mode == "" {
		return nil, invalidf("mode of the autopilot: use round robin, leader, debate, relay or consensus")
	}
	c := room.StartAutopilot{
		Goal: p.GetGoal(), Mode: mode, Lead: room.ModelID(p.GetLeadLlmId()), Turns: int(p.GetTurns()), Limit: room.Cost(p.GetLimitNanoUsd()),
	}
	for _, id := range p.GetLlmIds() {
		c.Models = append(c.Models, room.ModelID(id))
	}
	return c, nil
}

// autopilot is an autopilot as its View shows it; nil if there is none.
func (c encoder) autopilot(a *room.Autopilot) *roompb.Autopilot {
	if a == nil {
		return nil
	}
	out := started(a.ID, a.By, a.Started)
	out.Turn, out.Spent, out.NextLlmIds = uint32(max(a.Turn, 0)), usage(a.Spent), texts(a.Next)
	out.Paused, out.PollId = a.Paused, optionalID(a.Poll)
	for _, m := range a.Guides {
		out.Guides = append(out.Guides, c.message(m))
	}
	if a.Ended != nil {
		out.Ended = autopilotEnded(*a.Ended)
	}
	return out
}

// started is an autopilot that has not had a turn.
func started(id room.Offset, by room.Identity, v room.AutopilotStarted) *roompb.Autopilot {
	out := &roompb.Autopilot{
		AutopilotId: messageID(id), StarterName: v.Name, Goal: v.Goal, Mode: modes[v.Mode], LlmIds: texts(v.Models),
		LeadLlmId: string(v.Lead), Turns: uint32(max(v.Turns, 0)), LimitNanoUsd: int64(v.Limit), Spent: usage(room.Usage{}),
	}
	out.StarterId, _ = member(by)
	return out
}

func autopilotEnded(v room.AutopilotEnded) *roompb.AutopilotEnded {
	return &roompb.AutopilotEnded{
		AutopilotId: messageID(v.Autopilot), Goal: v.Goal, Outcome: outcomes[v.Outcome], EndedByName: v.Name, Summary: v.Summary,
		Reason: v.Reason, PollId: optionalID(v.Poll), Turns: uint32(max(v.Turns, 0)), Spent: usage(v.Spent),
	}
}

// turn is a reply's place in an autopilot; nil if it has none.
func turn(r room.ReplyRef, t *room.Turn) *roompb.AutopilotTurn {
	if t == nil {
		return nil
	}
	return &roompb.AutopilotTurn{
		AutopilotId: messageID(t.Autopilot), MessageId: messageID(r.ID), LlmId: string(r.Model), Part: parts[t.Part],
		Turn: uint32(max(t.N, 0)), Turns: uint32(max(t.Of, 0)), Spent: usage(t.Spent), NextLlmIds: texts(t.Next), Last: t.Last,
	}
}

// autopilotEvents is events for what is about an autopilot.
func (c encoder) autopilotEvents(e *room.Entry) []*roompb.ServerEvent {
	switch v := e.Event.(type) {
	case room.AutopilotStarted:
		begun := &roompb.AutopilotStarted{Autopilot: started(e.Offset, e.By, v)}
		return append(c.said(e), &roompb.ServerEvent{Payload: &roompb.ServerEvent_AutopilotStarted{AutopilotStarted: begun}})
	case room.AutopilotPaused:
		paused := &roompb.AutopilotPaused{AutopilotId: messageID(v.Autopilot), PausedByName: v.Name, Reason: v.Reason}
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_AutopilotPaused{AutopilotPaused: paused}})
	case room.AutopilotResumed:
		resumed := &roompb.AutopilotResumed{AutopilotId: messageID(v.Autopilot), ResumedByName: v.Name}
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_AutopilotResumed{AutopilotResumed: resumed}})
	case room.AutopilotGuided:
		return c.said(e)
	case room.AutopilotEnded:
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_AutopilotEnded{AutopilotEnded: autopilotEnded(v)}})
	}
	return nil
}
