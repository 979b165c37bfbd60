package client

import (
	"fmt"
	"testing"
	"testing/synctest"

	roompb "parley/proto/gen/api/room"
)

func voted(continued bool, option string, whole, added, removed []string, by string) *roompb.ServerEvent {
	v := &roompb.PollVoted{PollId: "17", OptionId: option, Vote: &roompb.PollVote{VoterId: by, VoterName: by}, Continued: continued}
	v.OptionIds, v.AddedOptionIds, v.RemovedOptionIds = whole, added, removed
	return &roompb.ServerEvent{Payload: &roompb.ServerEvent_PollVoted{PollVoted: v}}
}

// What the parts of a vote tell twice is told once, and the cursor moves over the rest.
func TestAVoteIsOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{})
		synctest.Wait()
		r.mu.Lock()
		both := []string{"17.1", "17.2"}
		r.post("", voted(false, "17.1", both, both, nil, "tom"), voted(true, "17.2", nil, nil, nil, "tom"))
		r.mu.Unlock()
		r.happen(1)
		var votes []Voted
		for {
			ev, err := s.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if v, ok := ev.(Voted); ok {
				votes = append(votes, v)
			}
			if _, ok := ev.(MessageReceived); ok {
				break
			}
		}
		if len(votes) != 1 || fmt.Sprint(votes[0].Options) != "[1 2]" || s.Cursor().Offset != 2 {
			t.Errorf("%+v, cursor %v", votes, s.Cursor())
		}
	})
}

func TestVotesMoveTheBars(t *testing.T) {
	for _, anonymous := range []bool{false, true} {
		var c Council
		c.Apply(Snapshot{})
		c.Apply(PollCreated{Poll: Poll{ID: "17", Anonymous: anonymous, Options: make([]Option, 3)}})
		tom, ada := Vote{VoterID: "tom"}, Vote{VoterID: "ada", ByModel: true}
		if anonymous {
			tom, ada = Vote{}, Vote{}
		}
		c.Apply(BallotRequested{PollID: "17", Ballot: Ballot{ModelID: "ada"}})
		c.Apply(Voted{PollID: "17", Options: []int{1}, Added: []int{1}, Vote: tom})
		c.Apply(Voted{PollID: "17", Options: []int{1, 3}, Added: []int{1, 3}, Vote: ada})
		c.Apply(Voted{PollID: "17", Options: []int{2}, Added: []int{2}, Removed: []int{1}, Vote: tom})
		p := c.Poll("17")
		if got := fmt.Sprint(p.Options[0].Count, p.Options[1].Count, p.Options[2].Count); got != "1 1 1" {
			t.Errorf("anonymous %v: counts %s", anonymous, got)
		}
		if !anonymous && (len(p.Awaited) != 0 || p.Options[1].Votes[0].VoterID != "tom" || len(p.Options[0].Votes) != 1) {
			t.Errorf("%+v", p)
		}
		c.Apply(PollClosed{PollID: "17", Ending: ByHand, Result: Result{Verdict: Tied}})
		if p.Open() || p.Result.Verdict != Tied {
			t.Errorf("closed: %+v", p)
		}
	}
}

func TestTheAutopilotIsKnownFromItsEvents(t *testing.T) {
	var c Council
	c.Apply(AutopilotStarted{Autopilot: Autopilot{ID: "3", Turns: 12, Limit: Dollar / 2}})
	begin := func(n int, id string, spent Money, next string) {
		c.Apply(TurnBegan{Turn: Turn{AutopilotID: "3", MessageID: id, N: n, Of: 12, Spent: Usage{Cost: spent}, Next: []string{next}}})
	}
	begin(1, "4", 0, "zed")
	c.Apply(Done{MessageID: "4", Usage: Usage{Cost: 10}})
	c.Apply(Done{MessageID: "other", Usage: Usage{Cost: 1000}})
	begin(2, "6", 10, "ada")
	begin(3, "7", 10, "bob")
	c.Apply(Done{MessageID: "7", Usage: Usage{Cost: 5}})
	c.Apply(Spent{AutopilotID: "3", Usage: Usage{Cost: 2}})
	c.Apply(AutopilotPaused{AutopilotID: "3"})
	if a := c.Running(); a == nil || a.Turn != 3 || a.Spent.Cost != 17 || a.Next[0] != "bob" || !a.Paused {
		t.Errorf("%+v", c.Autopilot)
	}
	c.Apply(AutopilotResumed{AutopilotID: "3"})
	c.Apply(MessageReceived{Message: Message{ID: "9", AutopilotID: "3", Text: "mind the cost"}})
	c.Apply(AutopilotEnded{End: AutopilotEnd{AutopilotID: "3", Turns: 3, Spent: Usage{Cost: 20}, Outcome: Finished}})
	if a := c.Autopilot; c.Running() != nil || a.Spent.Cost != 20 || len(a.Guides) != 1 || a.End.Outcome != Finished {
		t.Errorf("%+v", c.Autopilot)
	}
}

func TestMoney(t *testing.T) {
	for m, want := range map[Money]string{
		0: "$0.00", Dollar / 25: "$0.04", 3*Dollar + Dollar/2: "$3.50", 420_000: "$0.00042", -Dollar: "-$1.00",
	} {
		if got := m.String(); got != want {
			t.Errorf("%d is %s, want %s", m, got, want)
		}
	}
	for text, want := range map[string]Money{"0.50": Dollar / 2, "$2": 2 * Dollar, "0.000000001": 1} {
		if got, err := ParseMoney(text); got != want || err != nil {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "1e9", "1/2", "0.0000000001", "99999999999"} {
		if _, err := ParseMoney(text); err == nil {
			t.Errorf("%q is taken for money", text)
		}
	}
}

// The models' votes of an anonymous poll are counted at once: nobody is waited for after the first of them.
func TestCountedBallotsAreNotAwaited(t *testing.T) {
	var c Council
	c.Apply(PollCreated{Poll: Poll{ID: "17", Anonymous: true, Options: make([]Option, 2), Awaited: []Ballot{{ModelID: "ada"}, {ModelID: "zed"}}}})
	count := &roompb.PollVoted{PollId: "17", AddedOptionIds: []string{"17.1"}, OptionIds: []string{"17.1"}, Vote: &roompb.PollVote{}}
	for _, counted := range []bool{false, true} {
		count.BallotsCounted = counted
		c.Apply(pollEventFrom(&roompb.ServerEvent{Payload: &roompb.ServerEvent_PollVoted{PollVoted: count}}, Stamp{}))
		if n := len(c.Polls[0].Awaited); (n == 0) != counted {
			t.Errorf("counted %v: %d are awaited", counted, n)
		}
	}
}

// Every command of a council has a key, waits for its answer, and fails with the server's code.
func TestCouncilCommandsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		var sent []*roompb.ClientMessage
		code := Code("")
		r.answer = func(m *roompb.ClientMessage) *roompb.ServerEvent {
			if m.GetJoin() != nil || m.GetPing() != nil {
				return nil
			}
			sent = append(sent, m)
			if code != "" {
				return refuse(code)
			}
			return &roompb.ServerEvent{Payload: &roompb.ServerEvent_Accepted{Accepted: &roompb.Accepted{Offset: 5}}}
		}
		s := join(t, r, JoinOptions{})
		drain(s)
		ctx := t.Context()
		for name, f := range map[string]func() (uint64, error){
			"poll":   func() (uint64, error) { return s.OpenPoll(ctx, Question{Text: "Tea?", OpenFor: 60e9}) },
			"vote":   func() (uint64, error) { return s.Vote(ctx, Choice{Poll: "17", Options: []int{2}, Reason: "so"}) },
			"close":  func() (uint64, error) { return s.ClosePoll(ctx, "17") },
			"start":  func() (uint64, error) { return s.StartAutopilot(ctx, Plan{Goal: "Tea", Mode: Debate}) },
			"pause":  func() (uint64, error) { return s.PauseAutopilot(ctx, "3") },
			"resume": func() (uint64, error) { return s.ResumeAutopilot(ctx, "3") },
			"guide":  func() (uint64, error) { return s.GuideAutopilot(ctx, "3", "mind") },
			"stop":   func() (uint64, error) { return s.StopAutopilot(ctx, "3") },
			"policy": func() (uint64, error) { return s.SetPolicy(ctx, Policy{ModelPolls: true}) },
		} {
			sent, code = nil, ""
			if at, err := f(); at != 5 || err != nil || len(sent) != 1 || sent[0].GetClientId() == "" {
				t.Errorf("%s: %d, %v; sent %v", name, at, err, sent)
			}
			if v := sent[0].GetCastVote(); v != nil && v.GetOptionIds()[0] != "17.2" {
				t.Errorf("%v", v)
			}
			code = PollIsClosed
			if _, err := f(); CodeOf(err) != PollIsClosed {
				t.Errorf("%s, refused: %v", name, err)
			}
		}
	})
}
