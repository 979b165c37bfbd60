package rpc

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"parley/room"

	roompb "parley/proto/gen/api/room"
)

var purposes = map[room.Purpose]roompb.Purpose{
	room.ForBallot: roompb.Purpose_PURPOSE_BALLOT, room.ForSummary: roompb.Purpose_PURPOSE_SUMMARY,
	room.ForInterrupted: roompb.Purpose_PURPOSE_INTERRUPTED,
}

func usage(u room.Usage) *roompb.Usage {
	return &roompb.Usage{
		InputTokens: uint64(max(u.Input, 0)), OutputTokens: uint64(max(u.Output, 0)), NanoUsd: int64(u.Cost), Unpriced: u.Unpriced,
	}
}

func allowance(a room.Allowance) *roompb.Allowance {
	return &roompb.Allowance{NanoUsd: int64(a.Cost), Tokens: uint64(max(a.Tokens, 0))}
}

// mostTokens is more than anybody means: what a client says beyond it is no limit of tokens that could be reached.
const mostTokens = 1 << 53

func allowanceFromWire(a *roompb.Allowance) room.Allowance {
	return room.Allowance{Cost: room.Cost(a.GetNanoUsd()), Tokens: int(min(a.GetTokens(), mostTokens))}
}

func policy(p room.Policy) *roompb.Policy {
	return &roompb.Policy{LlmPolls: p.ModelPolls, Total: allowance(p.Total), Day: allowance(p.Day)}
}

func policyFromWire(p *roompb.Policy) room.Policy {
	return room.Policy{
		ModelPolls: p.GetLlmPolls(), Total: allowanceFromWire(p.GetTotal()), Day: allowanceFromWire(p.GetDay()),
	}
}

// accounts are a room's accounts, with the names that the room knows.
func accounts(a room.Accounts, v room.View) *roompb.Accounts {
	names := make(map[room.Identity]string)
	for _, m := range v.Info.Models {
		names[room.ModelIdentity(m.ID)] = m.Name
	}
	for _, p := range v.People {
		names[room.PersonIdentity(p.ID)] = p.Name
	}
	list := func(of []room.Account) (out []*roompb.Account) {
		for _, x := range of {
			account := &roompb.Account{Name: names[x.Of], Calls: uint64(max(x.Calls, 0)), Usage: usage(x.Usage)}
			account.Id, account.Type = member(x.Of)
			out = append(out, account)
		}
		return out
	}
	return &roompb.Accounts{
		Total: usage(a.Total), Day: usage(a.Day), Date: a.Date, Llms: list(a.Models), People: list(a.People), Held: allowance(a.Held),
	}
}

// accountEvents is events for what a room may spend and has spent.
func accountEvents(e *room.Entry) []*roompb.ServerEvent {
	switch v := e.Event.(type) {
	case room.PolicyChanged:
		changed := &roompb.PolicyChanged{Policy: policy(v.Policy), ChangedByName: v.Name}
		changed.ChangedById, _ = member(e.By)
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_PolicyChanged{PolicyChanged: changed}})
	case room.UsageRecorded:
		of := optionalID(v.Of)
		if v.Purpose == room.ForSummary {
			of = ""
		}
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_Spent{Spent: &roompb.Spent{
			Purpose: purposes[v.Purpose], LlmId: string(v.Model), OfId: of, AutopilotId: optionalID(v.Autopilot),
			Served: v.Served, Usage: usage(v.Usage),
		}}})
	case room.SummaryWritten:
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_SummaryWritten{SummaryWritten: &roompb.SummaryWritten{
			Summary: &roompb.Summary{UptoOffset: uint64(v.Upto), Text: v.Text, WrittenAt: timestamppb.New(e.At)},
			Usage:   usage(v.Usage), Served: v.Served,
		}}})
	case room.SummaryFailed:
		if v.Usage == (room.Usage{}) {
			return nil
		}
		return one(&roompb.ServerEvent{Payload: &roompb.ServerEvent_Spent{Spent: &roompb.Spent{
			Purpose: roompb.Purpose_PURPOSE_SUMMARY, Served: v.Served, Usage: usage(v.Usage),
		}}})
	}
	return nil
}

func texts[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
