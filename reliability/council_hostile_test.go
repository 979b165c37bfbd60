package reliability

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"parley/llm"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// misuses are messages about polls, models, autopilots and money that make no sense, with the code each is refused
// with. first is an open poll, second another one, closed one that is closed.
func misuses(first, second, closed string) map[string]struct {
	message *roompb.ClientMessage
	code    string
} {
	type misuse = struct {
		message *roompb.ClientMessage
		code    string
	}
	poll := func(p *roompb.CreatePoll, options ...string) misuse {
		for _, o := range options {
			p.Options = append(p.Options, &roompb.PollOptionInput{Text: o})
		}
		return misuse{createPoll("", p), "INVALID_POLL"}
	}
	question := func() *roompb.CreatePoll { return &roompb.CreatePoll{Question: "?"} }
	foreign := castVote("", first, "")
	foreign.GetCastVote().OptionIds = []string{second + ".1"}
	pilot := func(a *roompb.StartAutopilot) *roompb.ClientMessage {
		if a.Goal == "" {
			a.Goal = "a goal"
		}
		return startAutopilot("", a)
	}
	const debating, robin = roompb.AutopilotMode_AUTOPILOT_MODE_DEBATE, roompb.AutopilotMode_AUTOPILOT_MODE_ROUND_ROBIN
	add := func(m *roompb.LLMConfig) *roompb.ClientMessage {
		return &roompb.ClientMessage{Payload: &roompb.ClientMessage_AddLlm{AddLlm: &roompb.AddLLM{Llm: m}}}
	}
	policy := func(p *roompb.Policy) *roompb.ClientMessage {
		return &roompb.ClientMessage{Payload: &roompb.ClientMessage_SetPolicy{SetPolicy: &roompb.SetPolicy{Policy: p}}}
	}
	pause := &roompb.ClientMessage{Payload: &roompb.ClientMessage_PauseAutopilot{PauseAutopilot: &roompb.PauseAutopilot{AutopilotId: "1"}}}
	return map[string]misuse{
		"a poll without options":          poll(question()),
		"a poll of one option":            poll(question(), "yes"),
		"a poll of one option twice":      poll(question(), "yes", "no", "yes"),
		"a poll of two options in effect": poll(question(), "Yes ", "no", " yes"),
		"a poll with an empty option":     poll(question(), "yes", ""),
		"a poll without a question":       poll(&roompb.CreatePoll{}, "yes", "no"),
		"a poll of 21 options":            poll(question(), slices.Collect(numbers(21))...),
		"a quorum of everybody on earth":  poll(&roompb.CreatePoll{Question: "?", Quorum: 1 << 31}, "yes", "no"),
		"a vote on a closed poll":         {castVote("", closed, "", "1"), "POLL_CLOSED"},
		"a vote on no poll":               {castVote("", "99999", "", "1"), "POLL_NOT_FOUND"},
		"a vote on a message":             {castVote("", "1", "", "1"), "POLL_NOT_FOUND"},
		"a vote on garbage":               {castVote("", "garbage", "", "1"), "POLL_NOT_FOUND"},
		"an option of another poll":       {foreign, "INVALID_OPTION"},
		"an option too many":              {castVote("", first, "", "5"), "INVALID_OPTION"},
		"an option before the first":      {castVote("", first, "", "0"), "INVALID_OPTION"},
		"two options where one is wanted": {castVote("", first, "", "1", "2"), "INVALID_OPTION"},
		"a vote for nothing":              {castVote("", first, ""), "INVALID_OPTION"},
		"an end of a closed poll":         {closePoll("", closed), "POLL_CLOSED"},
		"an end of no poll":               {closePoll("", "99999"), "POLL_NOT_FOUND"},
		"a model twice":                   {add(&roompb.LLMConfig{Id: "ada", Model: "other"}), "CONFLICT"},
		"a model of no id":                {add(&roompb.LLMConfig{Id: "a b", Model: "other"}), "INVALID_ARGUMENT"},
		"an autopilot of no mode":         {pilot(&roompb.StartAutopilot{}), "INVALID_ARGUMENT"},
		"an autopilot of a future mode":   {pilot(&roompb.StartAutopilot{Mode: 77}), "INVALID_ARGUMENT"},
		"an autopilot of an unknown model": {
			pilot(&roompb.StartAutopilot{Mode: robin, LlmIds: []string{"ada", "nobody"}}), "NOT_FOUND",
		},
		"an autopilot of one model twice": {pilot(&roompb.StartAutopilot{Mode: robin, LlmIds: []string{"ada", "ada"}}), "INVALID_ARGUMENT"},
		"an autopilot of one model":       {pilot(&roompb.StartAutopilot{Mode: robin, LlmIds: []string{"ada"}}), "INVALID_ARGUMENT"},
		"a judge who does not take part": {
			pilot(&roompb.StartAutopilot{Mode: debating, LlmIds: []string{"ada", "bob"}, LeadLlmId: "cyd"}), "INVALID_ARGUMENT",
		},
		"an autopilot that may spend less than nothing": {pilot(&roompb.StartAutopilot{Mode: debating, LimitNanoUsd: -1}), "INVALID_ARGUMENT"},
		"an autopilot of too many turns":                {pilot(&roompb.StartAutopilot{Mode: debating, Turns: 1 << 31}), "INVALID_ARGUMENT"},
		"an autopilot without a goal":                   {pilot(&roompb.StartAutopilot{Goal: " ", Mode: debating}), "INVALID_ARGUMENT"},
		"a pause of nothing":                            {pause, "NOT_FOUND"},
		"a budget below nothing":                        {policy(&roompb.Policy{Total: &roompb.Allowance{NanoUsd: -1}}), "INVALID_ARGUMENT"},
		"a day's budget below nothing":                  {policy(&roompb.Policy{Day: &roompb.Allowance{NanoUsd: -1 << 63}}), "INVALID_ARGUMENT"},
	}
}

func numbers(n int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield(fmt.Sprint(i)) {
				return
			}
		}
	}
}

// Each misuse is refused under its code, and the room is as before.
func TestMisuses(t *testing.T) {
	h := newHall(t, councilConfig{script: councilScript, maxTokens: turnWords}, room.Rules{}, "ada", "bob", "cyd")
	admin := h.sit("admin")
	var ids []string
	for n := range 3 {
		key := fmt.Sprint("poll", n)
		admin.send(createPoll(key, fourOptions(key)))
		ids = append(ids, h.decided(admin))
	}
	admin.send(closePoll("close", ids[2]))
	admin.until(func(e *roompb.ServerEvent) bool { return e.GetPollClosed() != nil })
	h.sit("eye").leave()
	before := h.still("eye")
	if len(before.GetPolls()) != 2 || len(before.GetClosedPolls()) != 1 {
		t.Fatalf("the room has %v", before)
	}
	calls := len(h.witness.prompts())
	for name, m := range misuses(ids[0], ids[1], ids[2]) {
		admin.send(m.message)
		e := admin.until(func(e *roompb.ServerEvent) bool { return e.GetError() != nil })
		if got := e.GetError(); got.GetCode() != m.code || got.GetMessage() == "" {
			t.Errorf("%s was answered with %v, want %s", name, e, m.code)
		}
		if after := h.still("eye"); !proto.Equal(before, after) {
			t.Errorf("%s changed the room", name)
			before = after
		}
	}
	if n := len(h.witness.prompts()); n != calls {
		t.Errorf("models were called %d times", n-calls)
	}
	rpc := roompb.NewRoomClient(h.conn)
	for name, req := range map[string]*roompb.CreateRoomRequest{
		"a model twice":          {Name: "Room", Llms: []*roompb.LLMConfig{{Id: "ada", Model: "m"}, {Id: "ada", Model: "n"}}},
		"a budget below nothing": {Name: "Room", Policy: &roompb.Policy{Total: &roompb.Allowance{NanoUsd: -1}}},
	} {
		if _, err := rpc.CreateRoom(t.Context(), req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("a room with %s was answered with %v", name, err)
		}
	}
}

// decided waits until three models have voted in a poll and returns its id.
func (h *hall) decided(s *seat) (id string) {
	h.t.Helper()
	for range 3 {
		id = s.until(func(e *roompb.ServerEvent) bool { return e.GetPollVoted() != nil }).GetPollVoted().GetPollId()
	}
	return id
}

// still is the room as somebody sees it who comes and goes.
func (h *hall) still(user string) *roompb.RoomState {
	h.t.Helper()
	s := h.sit(user)
	defer s.leave()
	return s.state
}

// A model whose tool calls are broken JSON votes for nothing and finishes nothing. It is asked for a vote twice.
func TestBrokenToolCalls(t *testing.T) {
	broken := func(_ llm.Request, d *llm.Delta) {
		for i := range d.ToolCalls {
			d.ToolCalls[i].Arguments = d.ToolCalls[i].Arguments[:len(d.ToolCalls[i].Arguments)-1]
		}
	}
	h := newHall(t, councilConfig{script: councilScript, maxTokens: turnWords, bend: broken}, room.Rules{}, "ada", "bob", "cyd")
	h.bea.send(createPoll("open", fourOptions("?")))
	for range 3 {
		missed := h.bea.until(func(e *roompb.ServerEvent) bool { return e.GetBallotMissed() != nil || e.GetPollVoted() != nil }).GetBallotMissed()
		if missed.GetBallot().GetReason() == "" {
			t.Errorf("the ballot came to %v", missed)
		}
	}
	if calls := len(h.witness.prompts()); calls != 6 {
		t.Errorf("three ballots took %d calls, want 6", calls)
	}
	a := debate(0)
	a.GetStartAutopilot().Turns = 6
	h.bea.send(a)
	end, speakers := h.bea.autopilotEnd()
	if len(speakers) != 6 || end.GetOutcome() != roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_OUT_OF_TURNS {
		t.Errorf("there spoke %v, and it ended with %v", speakers, end)
	}
	if polls := h.still("eye").GetPolls(); len(polls) != 1 || len(polls[0].GetMissed()) != 3 {
		t.Errorf("the room has %v", polls)
	}
}
