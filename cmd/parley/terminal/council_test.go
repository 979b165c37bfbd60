package terminal

import (
	"strings"
	"testing"
	"time"

	"parley/client"

	tea "charm.land/bubbletea/v2"
)

// council is a rig in a room that votes while models work.
func council(t *testing.T) *rig {
	r := newRig(t)
	r.story.zone = time.UTC
	question := said("17", "maja", "Maja", "Which tea?", 0)
	question.Message.PollID = "17"
	r.tell(live(), board(), question,
		client.PollCreated{Poll: client.Poll{
			ID: "17", Question: "Which tea?", Options: []client.Option{{Text: "green"}, {Text: "black", Description: "strong"}},
			Quorum: 2, Deadline: noon.Add(10 * time.Minute),
		}},
		client.BallotRequested{PollID: "17", Ballot: client.Ballot{ModelID: "ada", ModelName: "Ada"}},
		client.BallotRequested{PollID: "17", Ballot: client.Ballot{ModelID: "basil", ModelName: "Basil Brown"}},
		client.Voted{PollID: "17", Options: []int{2}, Added: []int{2}, Vote: client.Vote{VoterID: "ada", VoterName: "Ada", ByModel: true, Reason: "it is\x1b[2J strong"}},
		client.AutopilotStarted{Autopilot: client.Autopilot{ID: "21", Goal: "buy tea", Mode: client.Debate, Turns: 12, Limit: client.Dollar / 2}},
		client.TurnBegan{Turn: client.Turn{
			AutopilotID: "21", MessageID: "23", ModelID: "ada", N: 3, Of: 12, Spent: client.Usage{Cost: client.Dollar / 25}, Next: []string{"basil"},
		}},
	)
	return r
}

func TestPollAndAutopilotOnTheScreen(t *testing.T) {
	r := council(t)
	r.golden("council")
	r.tell(client.BallotMissed{PollID: "17", Ballot: client.Ballot{ModelID: "basil", ModelName: "Basil Brown", Reason: "no answer"}},
		client.Voted{PollID: "17", Options: []int{1}, Added: []int{1}, Vote: client.Vote{VoterID: "tom", VoterName: "Tom"}},
		client.Withheld{Models: []string{"ada"}, Reason: "they have asked one another often enough"},
		client.PollClosed{PollID: "17", Question: "Which tea?", Ending: client.ByDeadline, Result: client.Result{
			Verdict: client.Decided, Winner: 2, Counts: []int{1, 2}, Voters: 3,
			Dissents: []client.Dissent{{VoterName: "Tom", Options: []int{1}, Reason: "too strong"}},
		}},
		client.AutopilotEnded{End: client.AutopilotEnd{
			AutopilotID: "21", Outcome: client.Finished, Name: "Ada", Summary: "Buy Assam.", Turns: 4, Spent: client.Usage{Cost: client.Dollar / 20},
		}})
	r.Update(tea.WindowSizeMsg{Width: 80, Height: 34})
	r.golden("council done")
}

func TestCouncilCommands(t *testing.T) {
	r := council(t)
	for line, want := range map[string]string{
		"/poll": "two options", "/poll Tea? | green": "two options", "/poll a|b|c --for soon": "--for takes", "/poll a|b|c --for": "needs a value",
		"/poll a|b|c --quorum none": "--quorum takes", "/poll a|b|c --secret x": "There is no --secret", "/poll a|b|c --tie x": "--tie takes",
		"/vote": "Which option?", "/vote green": "Which option?", "/vote 3": "has no option 3", "/close 99": "no poll 99",
		"/autopilot": "needs a mode", "/autopilot debate": "needs a mode", "/autopilot quarrel tea": "needs a mode",
		"/autopilot debate tea --turns x": "--turns takes", "/autopilot debate tea --money x": "--money takes",
		"/autopilot debate tea --models zed": "no model zed", "/guide": "What should", "/policy --polls maybe": "--polls takes",
		"/policy --day x": "--day takes", "/policy x": "Use flags",
	} {
		if a := r.story.command(line); !strings.Contains(a.fail, want) || a.do != nil {
			t.Errorf("%s: %+v", line, a)
		}
	}
	for _, line := range []string{
		"/poll Tea? | green | black --multiple --anonymous --mandatory --for 10m --quorum 3 --tie first", "/vote 2 strong", "/vote 17 1,2",
		"/close", "/autopilot round-robin tea --turns 3 --money 0.50 --models ada,Basil_Brown --lead ada", "/pause", "/resume",
		"/guide mind the cost", "/stop", "/policy --polls on --day 2 --total none",
	} {
		if a := r.story.command(line); a.do == nil || a.fail != "" {
			t.Errorf("%s: %+v", line, a)
		}
	}
	if a := r.story.command("/cost"); a.ask == nil {
		t.Error("/cost does not ask")
	}
	if a := r.story.command("/polls"); !strings.Contains(a.say, "Which tea?") {
		t.Errorf("%+v", a)
	}
	empty := newRig(t)
	for _, line := range []string{"/vote 1", "/close", "/pause", "/stop"} {
		if a := empty.story.command(line); !strings.Contains(a.fail, "No ") {
			t.Errorf("%s in an empty room: %+v", line, a)
		}
	}
}

func TestCouncilLineByLine(t *testing.T) {
	var out strings.Builder
	p := &plainSeat{story: newStory("maja"), out: &out}
	p.story.zone = time.UTC
	question := said("17", "maja", "Maja", "Which tea?", 0)
	question.Message.PollID = "17"
	poll := client.Poll{ID: "17", Options: []client.Option{{Text: "green"}, {Text: "black"}}}
	for _, ev := range []client.Event{
		board(),
		question,
		client.PollCreated{Poll: poll},
		client.Voted{PollID: "17", Options: []int{2}, Added: []int{2}, Vote: client.Vote{VoterID: "ada", VoterName: "Ada", Reason: "strong"}},
		client.AutopilotStarted{Autopilot: client.Autopilot{ID: "21", Mode: client.Debate, Turns: 12}},
		client.TurnBegan{Turn: client.Turn{AutopilotID: "21", MessageID: "23", N: 1, Of: 12, Next: []string{"basil"}}},
		client.PollClosed{PollID: "17", Question: "Which tea?", Name: "Maja", Ending: client.ByHand, Result: client.Result{
			Verdict: client.Decided, Winner: 2, Counts: []int{0, 1}, Voters: 1,
		}},
	} {
		p.show(ev)
	}
	at := 0
	for _, want := range []string{
		"Maja: Which tea?\n", "  1 ░", "  2 ░", "open: /vote NUMBER\n", "* Ada votes for 2 black: strong\n", "at most 12 turns\n",
		"* debate: turn 1 of 12, $0.00, next: Basil Brown\n", "is closed (by Maja): black, with 1 of 1 voter.\n",
	} {
		i := strings.Index(out.String()[at:], want)
		if i < 0 {
			t.Fatalf("%q is missing, or not in its place, in:\n%s", want, &out)
		}
		at += i
	}
}

func TestCostTable(t *testing.T) {
	got := CostTable(client.Cost{
		Total: client.Usage{Input: 1200, Output: 300, Cost: client.Dollar, Unpriced: true}, Date: "2026-03-14",
		Models: []client.Account{{ID: "ada", Name: "Ada", Calls: 2, Usage: client.Usage{Cost: 420_000}}},
		Policy: client.Policy{Total: client.Allowance{Cost: 2 * client.Dollar}}, ServerDay: client.Allowance{Tokens: 5},
	})
	for _, want := range []string{"at least $1.00", "limit $2.00", "2026-03-14", "server's limit 5 tokens", "Ada", "$0.00042", "2 calls"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}
