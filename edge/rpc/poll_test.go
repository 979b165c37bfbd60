package rpc

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/known/durationpb"

	"parley/hub"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

func TestAVoteIsToldOptionByOption(t *testing.T) {
	cast := room.VoteCast{Poll: 17, Name: "Ada", Options: []int{1, 3, 4}, Was: []int{1, 2}, Reason: "strong"}
	events := decoded(t, &hub.Item{Entry: &room.Entry{
		Offset: 20, At: time.Unix(1, 0), By: room.ModelIdentity("ada"), Cause: keyed + "key", Event: cast,
	}})
	if len(events) != 2 || !events[0].GetMore() || events[1].GetMore() {
		t.Fatalf("%v", events)
	}
	first, second := events[0].GetPollVoted(), events[1].GetPollVoted()
	if first.GetOptionId() != "17.3" || second.GetOptionId() != "17.4" || first.GetContinued() || !second.GetContinued() {
		t.Errorf("%v, %v", first, second)
	}
	if got := strings.Join(first.GetOptionIds(), " "); got != "17.1 17.3 17.4" {
		t.Errorf("the whole vote is %s", got)
	}
	if got := strings.Join(first.GetRemovedOptionIds(), " "); got != "17.2" {
		t.Errorf("left %s", got)
	}
	v := second.GetVote()
	if v.GetVoterId() != "ada" || v.GetVoterName() != "Ada" || v.GetReason() != "strong" || v.GetVoterType() != roompb.ParticipantType_LLM {
		t.Errorf("%v", v)
	}
	if events[0].GetClientId() != "" {
		t.Error("a vote that others see carries a client_id")
	}
}

func TestAWithdrawnVoteIsOneEvent(t *testing.T) {
	events := decoded(t, &hub.Item{Entry: &room.Entry{Event: room.VoteCast{Poll: 17, Name: "Ada", Was: []int{2}}}})
	if len(events) != 1 || events[0].GetPollVoted().GetOptionId() != "" || events[0].GetPollVoted().GetRemovedOptionIds()[0] != "17.2" {
		t.Errorf("%v", events)
	}
}

func TestAnonymousPollsNameNobody(t *testing.T) {
	c := encoder{demo: func(string) bool { return false }}
	p := room.Poll{ID: 17, By: room.PersonIdentity("tom"), Opened: room.PollOpened{
		Name: "Tom", Question: "Tea?", Options: []room.Option{{Text: "yes"}, {Text: "no"}}, Anonymous: true,
	}}
	p.Votes = []room.Vote{{By: room.PersonIdentity("secret"), Name: "Secret", Options: []int{2}, Reason: "no thanks"}}
	shown := prototext.Format(c.poll("r", p))
	cast := room.VoteCast{Poll: 17, Options: []int{2}, Reason: "no thanks"}
	for _, e := range decoded(t, &hub.Item{Entry: &room.Entry{By: room.PersonIdentity("secret"), Cause: keyed + "secret", Event: cast}}) {
		shown += prototext.Format(e)
	}
	if strings.Contains(strings.ToLower(shown), "secret") || strings.Count(shown, "no thanks") != 2 {
		t.Errorf("%s", shown)
	}
}

func TestPollShowsWhatItsViewShows(t *testing.T) {
	c := encoder{}
	ada := room.BallotRef{ID: 18, Poll: 17, Model: "ada", Name: "Ada"}
	p := room.Poll{
		ID: 17, By: room.ModelIdentity("zed"), Ended: time.Unix(9, 0), Open: []room.BallotRef{ada},
		Opened: room.PollOpened{Options: []room.Option{{Text: "yes"}, {Text: "no"}}, Quorum: 3, Tie: room.TieFirst, Deadline: time.Unix(8, 0)},
		Votes:  []room.Vote{{By: room.PersonIdentity("tom"), Name: "Tom", Options: []int{2, 9}}},
		Missed: []room.BallotMissed{{Ballot: ada, Reason: "asleep"}},
		Closed: &room.PollClosed{Name: "Tom", Ending: room.PollEnded, Result: room.PollResult{
			Verdict: room.Decided, Winner: 2, Leading: []int{2}, Counts: []int{0, 1}, Voters: 1,
			Dissents: []room.Dissent{{By: room.ModelIdentity("zed"), Name: "Zed", Options: []int{1}}}, Missing: []room.BallotRef{ada},
		}},
	}
	got := c.poll("r", p)
	r := got.GetResult()
	if got.GetStatus() != roompb.PollStatus_POLL_CLOSED || got.GetOptions()[1].GetVotes()[0].GetVoterId() != "tom" ||
		got.GetMissed()[0].GetReason() != "asleep" || got.GetAwaited()[0].GetLlmId() != "ada" || got.GetQuorum() != 3 ||
		got.GetDeadline().AsTime().Unix() != 8 || got.GetTieRule() != roompb.TieRule_TIE_RULE_FIRST {
		t.Errorf("%v", got)
	}
	if r.GetWinnerOptionId() != "17.2" || r.GetCounts()[1] != 1 || r.GetDissents()[0].GetVoterId() != "zed" || r.GetMissing()[0].GetLlmName() != "Ada" {
		t.Errorf("%v", r)
	}
}

// An autopilot's vote is of nobody in particular, a question may be for people only, and clients hear when the ballots of
// an anonymous poll are counted, who changed the policy and how far a summary goes.
func TestWhatClientsAreToldOfACouncil(t *testing.T) {
	gpt := room.ModelIdentity("gpt")
	events := func(by room.Identity, e room.Event) []*roompb.ServerEvent {
		return decoded(t, &hub.Item{Entry: &room.Entry{Offset: 17, By: by, Event: e}})
	}
	vote := events(gpt, room.PollOpened{Name: "Autopilot", Question: "Which?", Autopilot: 3})
	said, opened := vote[0].GetMessageReceived().GetMessage(), vote[1].GetPollCreated().GetPoll()
	if said.GetSenderId() != "" || said.GetSenderName() != "Autopilot" || said.GetSenderType() != 0 {
		t.Errorf("%v", said)
	}
	if opened.GetCreatorId() != "" || opened.GetCreatorName() != "Autopilot" || opened.GetCreatorType() != 0 || opened.GetPeopleOnly() {
		t.Errorf("%v", opened)
	}
	asked := events(gpt, room.PollOpened{Name: "GPT", Question: "Which?", People: true})[1].GetPollCreated().GetPoll()
	if asked.GetCreatorId() != "gpt" || !asked.GetPeopleOnly() {
		t.Errorf("%v", asked)
	}
	for voter, counted := range map[room.Identity]bool{"": false, "voter/x": true} {
		cast := events(room.System, room.VoteCast{Poll: 17, Voter: voter, Options: []int{1}})[0].GetPollVoted()
		if cast.GetBallotsCounted() != counted || cast.GetVote().GetVoterId() != "" {
			t.Errorf("%v", cast)
		}
	}
	changed := events(room.PersonIdentity("ada"), room.PolicyChanged{Name: "Ada"})[0].GetPolicyChanged()
	if changed.GetChangedById() != "ada" || changed.GetChangedByName() != "Ada" {
		t.Errorf("%v", changed)
	}
	if s := events(room.System, room.SummaryWritten{Upto: 9, Text: "s"})[0].GetSummaryWritten().GetSummary(); s.GetUptoOffset() != 9 {
		t.Errorf("%v", s)
	}
	failed := events(room.System, room.SummaryFailed{Served: "m", Usage: room.Usage{Input: 1}})[0].GetSpent()
	if failed.GetServed() != "m" {
		t.Errorf("%v", failed)
	}
}

func TestWhatNamesAPollIsChecked(t *testing.T) {
	for _, c := range []struct {
		msg  *roompb.ClientMessage
		want room.Reason
	}{
		{vote1("17", "17.2"), ""},
		{vote1("", "17.2"), room.ReasonPollNotFound},
		{vote1("x", "17.2"), room.ReasonPollNotFound},
		{vote1("17", "18.2"), room.ReasonInvalidOption},
		{vote1("17", "2"), room.ReasonInvalidOption},
		{vote1("17", "17.0"), room.ReasonInvalidOption},
		{&roompb.ClientMessage{Payload: &roompb.ClientMessage_ClosePoll{ClosePoll: &roompb.ClosePoll{}}}, room.ReasonPollNotFound},
		{&roompb.ClientMessage{Payload: &roompb.ClientMessage_CreatePoll{CreatePoll: &roompb.CreatePoll{OpenFor: durationpb.New(-1)}}}, room.ReasonInvalidPoll},
	} {
		_, err := command(c.msg, time.Unix(1, 0))
		got := room.Reason("")
		if e, ok := err.(*room.Error); ok { //nolint:errorlint // as it is made
			got = e.Reason
		}
		if got != c.want {
			t.Errorf("%v: reason %q, want %q", c.msg, got, c.want)
		}
		if err != nil && refusal(err, "").GetError().GetCode() != strings.ToUpper(string(c.want)) {
			t.Errorf("%v", refusal(err, ""))
		}
	}
}

func vote1(poll, option string) *roompb.ClientMessage {
	return &roompb.ClientMessage{Payload: &roompb.ClientMessage_CastVote{CastVote: &roompb.CastVote{PollId: poll, OptionIds: []string{option}}}}
}

func TestCouncilCommands(t *testing.T) {
	now := time.Unix(100, 0).UTC()
	for _, c := range []struct {
		msg  *roompb.ClientMessage
		want func(room.Command) bool
	}{
		{
			&roompb.ClientMessage{Payload: &roompb.ClientMessage_CreatePoll{CreatePoll: &roompb.CreatePoll{
				Question: "Tea?", OpenFor: durationpb.New(time.Minute), TieRule: roompb.TieRule_TIE_RULE_CREATOR,
			}}},
			func(c room.Command) bool {
				p, ok := c.(room.OpenPoll)
				return ok && p.Deadline.Equal(now.Add(time.Minute)) && p.Tie == room.TieCreator
			},
		},
		{
			&roompb.ClientMessage{Payload: &roompb.ClientMessage_StartAutopilot{StartAutopilot: &roompb.StartAutopilot{
				Goal: "Tea", Mode: roompb.AutopilotMode_AUTOPILOT_MODE_DEBATE, LlmIds: []string{"ada"}, LimitNanoUsd: 5,
			}}},
			func(c room.Command) bool {
				a, ok := c.(room.StartAutopilot)
				return ok && a.Mode == room.Debate && a.Models[0] == "ada" && a.Limit == 5
			},
		},
		{
			&roompb.ClientMessage{Payload: &roompb.ClientMessage_GuideAutopilot{GuideAutopilot: &roompb.GuideAutopilot{AutopilotId: "7", Text: "green"}}},
			func(c room.Command) bool { return c == room.GuideAutopilot{Autopilot: 7, Text: "green"} },
		},
		{
			&roompb.ClientMessage{Payload: &roompb.ClientMessage_SetPolicy{SetPolicy: &roompb.SetPolicy{
				Policy: &roompb.Policy{LlmPolls: true, Day: &roompb.Allowance{NanoUsd: 3}},
			}}},
			func(c room.Command) bool {
				return c == room.SetPolicy{Policy: room.Policy{ModelPolls: true, Day: room.Allowance{Cost: 3}}}
			},
		},
	} {
		if got, err := command(c.msg, now); err != nil || !c.want(got) {
			t.Errorf("%v: %+v, %v", c.msg, got, err)
		}
	}
	if _, err := command(&roompb.ClientMessage{Payload: &roompb.ClientMessage_StopAutopilot{StopAutopilot: &roompb.StopAutopilot{}}}, now); err == nil {
		t.Error("stops an autopilot that has no id")
	}
}

func TestATurnTellsHowFarItIs(t *testing.T) {
	ref := room.ReplyRef{Model: "ada", Trigger: 4}
	asked := room.ReplyRequested{Reply: ref, Turn: &room.Turn{
		Autopilot: 3, N: 2, Part: room.Judge, Of: 12, Spent: room.Usage{Cost: 40}, Next: []room.ModelID{"zed"},
	}}
	got := decoded(t, &hub.Item{Entry: &room.Entry{Offset: 9, Event: asked}})[0].GetAutopilotTurn()
	if got.GetAutopilotId() != "3" || got.GetMessageId() != "9" || got.GetTurn() != 2 || got.GetTurns() != 12 ||
		got.GetSpent().GetNanoUsd() != 40 || got.GetNextLlmIds()[0] != "zed" || got.GetPart() != roompb.AutopilotPart_AUTOPILOT_PART_JUDGE {
		t.Errorf("%v", got)
	}
}
