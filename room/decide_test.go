package room

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// peopled is a room with somebody of each kind: ada the admin, bob a member, eve a viewer, lea who left, the model
// claude with the running reply 10, and the model gpt. Bob asks in the polls 11, where the models have the ballots 12 and
// 13, and 14, which is anonymous, with 15 and 16.
func peopled(t failer) *world {
	w := newWorld(t, smallRules())
	ada, lea := PersonIdentity("ada"), PersonIdentity("lea")
	w.must(ada, Create{Epoch: "e1", Name: "Council", Models: []Model{{ID: "claude", Name: "Claude"}, {ID: "gpt", Name: "GPT"}}})
	w.must(ada, Join{Name: "Ada"})
	w.must(PersonIdentity("bob"), Join{Name: "Bob"})
	w.must(PersonIdentity("eve"), Join{Name: "Eve", Role: Viewer})
	w.must(lea, Join{Name: "Lea"})
	w.must(lea, Leave{})
	w.must(ada, PostMessage{Text: "@claude hello"})
	asks := OpenPoll{Question: "Tea?", Options: []Option{{Text: "yes"}, {Text: "no"}}}
	w.must(PersonIdentity("bob"), asks)
	asks.Anonymous = true
	w.must(PersonIdentity("bob"), asks)
	return w
}

// may says who may do what, in the order admin, member, viewer, left, stranger, the model that speaks, another model,
// the server, nobody.
var may = []struct {
	command Command
	want    string
}{
	{Create{Name: "Council"}, "conflict conflict conflict conflict conflict conflict conflict conflict conflict"},
	{Describe{Description: new("news")}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{Describe{Visibility: new(Private)}, "ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{Join{Name: "New"}, "ok ok ok ok ok forbidden forbidden forbidden forbidden"},
	{Leave{}, "ok ok ok forbidden forbidden forbidden forbidden forbidden forbidden"},
	{SetRole{"bob", Viewer}, "ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{AddModel{Model{Name: "Max"}}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{UpdateModel{ID: "gpt", Name: new("Max")}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{RemoveModel{"gpt"}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{PostMessage{Text: "hello"}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{InterruptReply{Reply: 10}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{InterruptReply{Model: "claude"}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{CompleteReply{Reply: 10, Text: "hi"}, "forbidden forbidden forbidden forbidden forbidden ok forbidden forbidden forbidden"},
	{FailReply{Reply: 10}, "forbidden forbidden forbidden forbidden forbidden ok forbidden forbidden forbidden"},
	{DeclineReply{Reply: 10}, "forbidden forbidden forbidden forbidden forbidden ok forbidden forbidden forbidden"},
	{ResumeReply{Reply: 10}, "forbidden forbidden forbidden forbidden forbidden ok forbidden forbidden forbidden"},
	{CompleteReply{Reply: 2, Text: "hi"}, "gone gone gone gone gone gone gone gone gone"},
	{OpenPoll{Question: "Tea?", Options: []Option{{Text: "yes"}, {Text: "no"}}}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{OpenPoll{}, "invalid invalid forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{CastVote{Poll: 11, Options: []int{1}}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{CastVote{Poll: 14, Options: []int{1}}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{CastVote{Poll: 2, Options: []int{1}}, "not_found not_found forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{ClosePoll{11}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{CastBallot{Ballot: 12, Options: []int{1}}, "forbidden forbidden forbidden forbidden forbidden ok forbidden forbidden forbidden"},
	{CastBallot{Ballot: 15, Options: []int{1}}, "forbidden forbidden forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{MissBallot{Ballot: 12}, "forbidden forbidden forbidden forbidden forbidden ok forbidden forbidden forbidden"},
	{ResumeBallot{12}, "forbidden forbidden forbidden forbidden forbidden ok forbidden forbidden forbidden"},
	{CastBallot{Ballot: 11, Options: []int{1}}, "gone gone gone gone gone gone gone gone gone"},
	{CountBallots{Poll: 14}, "forbidden forbidden forbidden forbidden forbidden forbidden forbidden ok forbidden"},
	{CountBallots{Poll: 11}, "forbidden forbidden forbidden forbidden forbidden forbidden forbidden gone forbidden"},
	{ResumeBallots{14}, "forbidden forbidden forbidden forbidden forbidden forbidden forbidden ok forbidden"},
	{SetPolicy{Policy{ModelPolls: true}}, "ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{SetPolicy{}, "nothing forbidden forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{RecordUsage{Reply: 10}, "gone gone gone gone gone gone gone gone gone"},
	{RequestSummary{Upto: 9}, "forbidden forbidden forbidden forbidden forbidden nothing nothing nothing forbidden"},
	{CompleteSummary{Summary: 10, Text: "hi"}, "forbidden forbidden forbidden forbidden forbidden forbidden forbidden gone forbidden"},
	{FailSummary{Summary: 10}, "forbidden forbidden forbidden forbidden forbidden forbidden forbidden gone forbidden"},
	{ResumeSummary{Summary: 10}, "forbidden forbidden forbidden forbidden forbidden forbidden forbidden gone forbidden"},
	{Tick{}, "forbidden forbidden forbidden forbidden forbidden forbidden forbidden ok forbidden"},
	{StartAutopilot{Goal: "a plan", Mode: Debate}, "ok ok forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{PauseAutopilot{}, "not_found not_found forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{ResumeAutopilot{}, "not_found not_found forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{GuideAutopilot{Text: "be brief"}, "not_found not_found forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
	{StopAutopilot{}, "not_found not_found forbidden forbidden forbidden forbidden forbidden forbidden forbidden"},
}

func TestMay(t *testing.T) {
	actors := []Identity{
		PersonIdentity("ada"), PersonIdentity("bob"), PersonIdentity("eve"), PersonIdentity("lea"), PersonIdentity("zoe"),
		ModelIdentity("claude"), ModelIdentity("gpt"), System, "",
	}
	shown := make(map[reflect.Type]bool)
	for _, row := range may {
		shown[reflect.TypeOf(row.command)] = true
		var got []string
		for _, by := range actors {
			w := peopled(t)
			w.at = morning.Add(time.Hour)
			entries, err := w.do(Meta{By: by}, row.command)
			switch {
			case err != nil:
				got = append(got, string(CodeOf(err)))
			case len(entries) == 0:
				got = append(got, "nothing")
			default:
				got = append(got, "ok")
			}
		}
		if got := strings.Join(got, " "); got != row.want {
			t.Errorf("%T%+v\n got %s\nwant %s", row.command, row.command, got, row.want)
		}
	}
	for verb, c := range verbs {
		if !shown[reflect.TypeOf(c)] {
			t.Errorf("nobody says who may %s", verb)
		}
	}
}

// Before there is a room nothing can be done but create it.
func TestNoRoom(t *testing.T) {
	for _, row := range may {
		for _, by := range []Identity{PersonIdentity("ada"), ModelIdentity("claude"), System, ""} {
			_, err := New("council", DefaultRules()).Decide(Meta{At: morning, By: by}, row.command)
			if _, create := row.command.(Create); create == (err != nil) {
				t.Errorf("%T by %q: %v", row.command, by, err)
			}
			if err != nil && CodeOf(err) != CodeNotFound {
				t.Errorf("%T by %q: %v", row.command, by, CodeOf(err))
			}
		}
	}
	if _, err := New("no id", DefaultRules()).Decide(Meta{At: morning}, Create{Name: "Council"}); CodeOf(err) != CodeInvalid {
		t.Error("a room with no id:", err)
	}
}

// A scenario can issue every command there is.
func TestCommandsAreAllKnown(t *testing.T) {
	declared := methodsOf(t, "decide")
	var known []string
	for c := range maps.Values(verbs) {
		known = append(known, reflect.TypeOf(c).Name())
	}
	slices.Sort(known)
	if !slices.Equal(declared, known) {
		t.Errorf("commands %v\n   verbs %v", declared, known)
	}
}

// The clock that a hub hands in has a zone and a reading that no log keeps. Neither shows in what is decided.
func TestTimeIsWhatTheLogSays(t *testing.T) {
	now := time.Now()
	zone := now.In(time.FixedZone("there", 3600))
	var first []Event
	for _, at := range []time.Time{now, zone, now.UTC(), now.Round(0).UTC()} {
		created, err := New("council", DefaultRules()).Decide(Meta{At: at, By: System}, Create{Name: "Council"})
		if err != nil {
			t.Fatal(err)
		}
		w := peopled(t)
		asked, err := w.state.Decide(Meta{At: at, By: PersonIdentity("ada")}, PostMessage{Text: "@gpt hello"})
		if err != nil {
			t.Fatal(err)
		}
		events := append(created, asked...)
		if first == nil {
			first = events
		}
		if !reflect.DeepEqual(events, first) {
			t.Errorf("at %v: %+v\nat %v: %+v", at, events, now, first)
		}
	}
}

func TestLimits(t *testing.T) {
	w := peopled(t)
	bob := PersonIdentity("bob")
	for i := 3; i <= maxModels; i++ {
		w.must(bob, AddModel{Model{Name: fmt.Sprint("Max", i)}})
	}
	if _, err := w.do(Meta{By: bob}, AddModel{Model{Name: "one more"}}); CodeOf(err) != CodeConflict {
		t.Error("too many models:", err)
	}
	if got := len(w.must(bob, PostMessage{Text: "@all"})); got != 1+maxModels {
		t.Errorf("@all led to %d entries", got)
	}
	long := strings.Repeat("ä", maxReasonBytes)
	failed := w.must(ModelIdentity("claude"), FailReply{Reply: 10, Reason: long})[0].Event.(ReplyFailed)
	if n := len(failed.Reason); n > maxReasonBytes+3 {
		t.Errorf("a reason of %d bytes", n)
	}
	for _, d := range []string{strings.Repeat("x", maxDescriptionBytes), strings.Repeat("x", maxDescriptionBytes+1)} {
		if _, err := w.do(Meta{By: bob}, Describe{Description: &d}); (err != nil) != (len(d) > maxDescriptionBytes) {
			t.Errorf("a description of %d bytes: %v", len(d), err)
		}
	}
}

// A room without limits to speak of, or a viewer who wants none or less, is no reason to panic.
func TestZeroRules(t *testing.T) {
	w := newWorld(t, Rules{MessageBytes: 100, MaxReplies: 5})
	ada := PersonIdentity("ada")
	w.must(ada, Create{Name: "Council", Models: []Model{{Name: "Claude"}}})
	w.must(ada, Join{})
	for i := range 5 {
		if _, err := w.do(Meta{By: ada, Cause: fmt.Sprint(i)}, PostMessage{Text: "@claude hello"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{-1, 0, 1, 100} {
		if v := w.state.View(ada, n); len(v.Messages) != 0 || len(v.Replies) != 5 {
			t.Errorf("view of %d: %+v", n, v)
		}
	}
}
