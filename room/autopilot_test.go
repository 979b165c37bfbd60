package room

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// convened is a room with ada, and the models claude, gpt and kimi.
func convened(t failer, rules Rules) (*world, Identity) {
	w := newWorld(t, rules)
	ada := PersonIdentity("ada")
	w.must(ada, Create{Epoch: "e1", Name: "Council", Models: []Model{{ID: "claude", Name: "Claude"}, {ID: "gpt", Name: "GPT"}, {ID: "kimi", Name: "Kimi"}}})
	w.must(ada, Join{Name: "Ada"})
	return w, ada
}

// answer completes a running reply.
func (w *world) answer(reply Offset, text string) []Entry {
	w.t.Helper()
	for _, r := range w.state.Running() {
		if r.Reply.ID == reply {
			return w.must(ModelIdentity(r.Reply.Model), CompleteReply{Reply: reply, Text: text})
		}
	}
	w.t.Fatalf("reply %d is not running", reply)
	return nil
}

// Two models told to mention each other for ever stop, and the room says why.
func TestTwoModelsForEver(t *testing.T) {
	for _, c := range []struct {
		say   func(int) string
		depth int
		asked int
		why   Withholding
	}{
		{func(n int) string { return fmt.Sprint("thought ", n) }, 4, 4, Repeated}, // claude, gpt, claude, gpt, then claude again
		{func(n int) string { return fmt.Sprint("thought ", n) }, 100, 4, Repeated},
		{func(n int) string { return fmt.Sprint("thought ", n) }, 3, 4, TooDeep},
		{func(n int) string { return fmt.Sprint("thought ", n) }, 0, 1, TooDeep},
		{func(int) string { return "the same" }, 100, 3, Repeated},
	} {
		rules := DefaultRules()
		rules.MaxDepth = c.depth
		w, ada := convened(t, rules)
		w.must(ada, PostMessage{Text: "@claude talk with GPT for ever"})
		n := 0
		for ; len(w.state.Running()) > 0; n++ {
			r := w.state.Running()[0].Reply
			other := map[ModelID]ModelID{"claude": "gpt", "gpt": "claude"}[r.Model]
			w.answer(r.ID, fmt.Sprintf("@%s %s", other, c.say(n)))
		}
		last, ok := w.log[len(w.log)-1].Event.(ReplyWithheld)
		if n != c.asked || !ok || last.Why != c.why || last.Text == "" || len(last.Models) != 1 {
			t.Errorf("depth %d: %d replies, then %+v; want %d, then %s", c.depth, n, last, c.asked, c.why)
		}
	}
}

// Three in a ring are no exchange of two: depth ends it.
func TestRing(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, PostMessage{Text: "@claude"})
	ring := map[ModelID]ModelID{"claude": "gpt", "gpt": "kimi", "kimi": "claude"}
	for n := 0; len(w.state.Running()) > 0; n++ {
		r := w.state.Running()[0].Reply
		w.answer(r.ID, fmt.Sprintf("@%s %d", ring[r.Model], n))
	}
	last := w.log[len(w.log)-1].Event.(ReplyWithheld)
	if want := []ModelID{"kimi"}; last.Why != TooDeep || !slices.Equal(last.Models, want) {
		t.Errorf("%+v", last)
	}
}

func TestMentionsBeyondTheLimitOfReplies(t *testing.T) {
	rules := DefaultRules()
	rules.MaxReplies = 1
	w, ada := convened(t, rules)
	w.must(ada, PostMessage{Text: "@claude"})
	entries := w.answer(w.state.Head(), "@gpt and @kimi?")
	withheld, ok := entries[len(entries)-1].Event.(ReplyWithheld)
	if len(w.state.Running()) != 1 || !ok || withheld.Why != TooMany || !slices.Equal(withheld.Models, []ModelID{"kimi"}) {
		t.Errorf("%+v", withheld)
	}
}

// While too many replies are under way an autopilot waits, and goes on when one ends.
func TestAutopilotWaits(t *testing.T) {
	rules := DefaultRules()
	rules.MaxReplies = 1
	w, ada := convened(t, rules)
	w.must(ada, StartAutopilot{Goal: "a plan", Mode: RoundRobin})
	turn := w.state.Head()
	w.must(ada, PauseAutopilot{})
	w.answer(turn, "one")
	w.must(ada, PostMessage{Text: "@kimi hello"})
	other := w.state.Head()
	w.must(ada, ResumeAutopilot{})
	if n := len(w.state.Running()); n != 1 {
		t.Fatalf("%d replies are under way", n)
	}
	w.answer(other, "hello")
	running := w.state.Running()
	if len(running) != 1 || running[0].Reply.Model != "gpt" {
		t.Errorf("under way: %+v", running)
	}
}

// Whoever speaks at once has to fit into the replies that may be under way.
func TestAutopilotOfTooManyAtOnce(t *testing.T) {
	for _, c := range []struct {
		mode Mode
		most int
		ok   bool
	}{{Consensus, 2, false}, {Consensus, 3, true}, {Leader, 1, false}, {Leader, 2, true}, {RoundRobin, 1, true}, {Debate, 1, true}} {
		rules := DefaultRules()
		rules.MaxReplies = c.most
		w, ada := convened(t, rules)
		if _, err := w.do(Meta{By: ada}, StartAutopilot{Goal: "a plan", Mode: c.mode}); c.ok != (err == nil) {
			t.Errorf("%s of 3 models, %d replies at most: %v", c.mode, c.most, err)
		}
		if n := len(w.state.Running()); n > c.most {
			t.Errorf("%s: %d replies are under way, at most %d may be", c.mode, n, c.most)
		}
	}
}

func TestGuidesAreFew(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, StartAutopilot{Goal: "a plan", Mode: RoundRobin})
	for i := range maxGuides + 5 {
		w.must(ada, GuideAutopilot{Text: fmt.Sprint("guide ", i)})
	}
	guides := w.state.View(ada, 0).Autopilot.Guides
	if len(guides) != maxGuides || guides[0].Text != "guide 5" {
		t.Errorf("%d guides, first %+v", len(guides), guides[0])
	}
}

// A view is what it was, whatever comes after it.
func TestViewsOfAutopilotsDoNotChange(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, StartAutopilot{Goal: "a plan", Mode: RoundRobin})
	turn := w.state.Head()
	w.must(ada, GuideAutopilot{Text: "be brief"})
	before := w.state.View(ada, 0)
	want := *before.Autopilot
	w.answer(turn, "one")
	w.must(ada, GuideAutopilot{Text: "be kind"})
	w.must(ada, StopAutopilot{})
	if !reflect.DeepEqual(*before.Autopilot, want) {
		t.Errorf("an old view shows %+v", *before.Autopilot)
	}
}

// Whoever folds any part of the log decides the same on it, as after a restart at that point.
func TestAutopilotAfterARestart(t *testing.T) {
	for _, mode := range []Mode{RoundRobin, Leader, Debate, Relay, Consensus} {
		w, ada := convened(t, DefaultRules())
		w.must(ada, StartAutopilot{Goal: "a plan", Mode: mode, Turns: 7, Limit: 1000})
		for n := 0; len(w.state.Running()) > 0; n++ {
			for _, r := range w.state.Running() {
				again := New("council", DefaultRules())
				for _, e := range w.log {
					again.Apply(&e)
				}
				m := Meta{At: w.at, By: ModelIdentity(r.Reply.Model)}
				c := CompleteReply{Reply: r.Reply.ID, Text: fmt.Sprint("text ", n, r.Reply.ID), Usage: Usage{Cost: 7}}
				want, _ := w.state.Decide(m, c)
				if got, err := again.Decide(m, c); err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s: after a restart %+v, %v\nwithout %+v", mode, got, err, want)
				}
				w.must(m.By, c)
			}
		}
		if a := w.state.View(ada, 0).Autopilot; a.Ended == nil && a.Poll == 0 {
			t.Errorf("%s: nothing goes on: %+v", mode, a)
		}
	}
}

// Whatever happens to turns: no more than allowed are begun, nothing beyond the limit is spent or held, what was said
// to be next is what is asked next, and it ends when all turns do.
func TestRandomAutopilots(t *testing.T) { rapid.Check(t, randomAutopilot) }

func FuzzAutopilots(f *testing.F) {
	addNoise(f)
	f.Fuzz(rapid.MakeFuzz(randomAutopilot))
}

func randomAutopilot(t *rapid.T) {
	w, ada := convened(t, DefaultRules())
	c := StartAutopilot{
		Goal:  "a plan",
		Mode:  rapid.SampledFrom([]Mode{RoundRobin, Leader, Debate, Relay, Consensus}).Draw(t, "mode"),
		Limit: Cost(rapid.SampledFrom([]int{0, 1, 2, 7, 50, 1 << 40}).Draw(t, "limit")),
	}
	if c.Mode != Relay && c.Mode != Consensus {
		c.Turns = rapid.IntRange(0, 12).Draw(t, "turns")
	}
	w.must(ada, c)
	for range rapid.IntRange(1, 60).Draw(t, "steps") {
		w.at = w.at.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "seconds")) * time.Second)
		before := w.state.View(ada, 0)
		entries := anyStep(t, w, ada)
		checkNext(t, before, entries)
		checkLimits(t, w)
	}
	w.must(ada, Join{Name: "Ada again"})
	if a := w.state.View(ada, 0).Autopilot; a.Ended == nil && a.Paused {
		w.must(ada, ResumeAutopilot{})
	}
	for n := 0; len(w.state.Running()) > 0 || !w.state.debtsDue().IsZero(); n++ {
		if n > 2*maxAutopilotTurns {
			t.Fatalf("it never ends: %+v", w.state.View(ada, 0).Autopilot)
		}
		if len(w.state.Running()) == 0 { // it may wait for what is not told
			w.at = w.at.Add(debtTime)
			w.must(System, Tick{})
			continue
		}
		w.answer(w.state.Running()[0].Reply.ID, fmt.Sprint("at last ", n))
	}
	if a := w.state.View(ada, 0).Autopilot; a.Ended == nil && a.Poll == 0 {
		t.Fatalf("nothing goes on: %+v", a)
	}
	afresh(t, w)
}

// anyStep is something that happens while an autopilot works.
func anyStep(t *rapid.T, w *world, ada Identity) []Entry {
	v := w.state.View(ada, 0)
	text := rapid.SampledFrom([]string{"yes", "no", "Yes ", "@kimi?", "it depends", "on what?", "@gpt @claude"}).Draw(t, "text")
	var reply Reply
	if len(v.Replies) > 0 {
		reply = rapid.SampledFrom(v.Replies).Draw(t, "reply")
	}
	by := ModelIdentity(reply.Ref.Model)
	var took Usage
	if most := reply.Allowance.Cost; most > 0 {
		took.Cost = Cost(rapid.Int64Range(0, int64(most)).Draw(t, "cost"))
	}
	complete := CompleteReply{Reply: reply.Ref.ID, Text: text, Usage: took}
	var m Meta
	var c Command
	switch rapid.IntRange(0, 15).Draw(t, "what") {
	case 0:
		m.By, c = by, FailReply{Reply: reply.Ref.ID, Reason: text, Usage: took}
	case 1:
		m.By, c = by, DeclineReply{Reply: reply.Ref.ID, Usage: took}
	case 2:
		m.By, c = ada, InterruptReply{Reply: reply.Ref.ID}
	case 3:
		m.By, c = ada, PauseAutopilot{}
	case 4, 5:
		m.By, c = ada, ResumeAutopilot{}
	case 6:
		m.By, c = ada, GuideAutopilot{Text: text}
	case 7:
		m.By, c = System, Tick{}
	case 8:
		m.By, c = ada, PostMessage{Text: text}
	case 9:
		complete.Finish = rapid.SampledFrom([]*Finish{nil, nil, {Summary: text}}).Draw(t, "finish")
		m.By, c = by, complete
	case 10:
		m.By, c = ada, rapid.SampledFrom([]Command{RemoveModel{"kimi"}, AddModel{Model{ID: "kimi", Name: "Kimi"}}, RemoveModel{"gpt"}, StopAutopilot{}}).Draw(t, "rare")
	default:
		m.By, c = by, complete
	}
	entries, err := w.do(m, c)
	checkRefusal(t, err)
	return entries
}

// checkNext holds the turns that begin against what was said to be next.
func checkNext(t *rapid.T, before View, entries []Entry) {
	var asked []ModelID
	for _, e := range entries {
		switch v := e.Event.(type) {
		case ModelRemoved: // things are different now
			return
		case ReplyRequested:
			if v.Turn != nil {
				asked = append(asked, v.Reply.Model)
			}
		}
	}
	if len(asked) > 0 && !slices.Equal(asked, before.Autopilot.Next) {
		t.Fatalf("asked %v, and next were %v", asked, before.Autopilot.Next)
	}
}

// checkLimits reads from the log what was begun, spent and held.
func checkLimits(t *rapid.T, w *world) {
	var spent Usage
	owed := make(map[Offset]Cost) // by turns that their models did not end, until somebody tells
	var id Offset
	turns := make(map[Offset]Cost) // under way, and what each may cost
	runs, begun := 0, 0
	var started AutopilotStarted
	for _, e := range w.log {
		switch v := e.Event.(type) {
		case AutopilotStarted:
			started, id, runs = v, e.Offset, runs+1
		case AutopilotEnded:
			runs--
			if len(turns) > 0 {
				t.Fatalf("%d turns outlive their autopilot", len(turns))
			}
		case ReplyRequested:
			if v.Turn != nil {
				turns[e.Offset] = v.Allowance.Cost
				if begun++; v.Turn.N != begun || v.Turn.Autopilot != id || runs != 1 || v.For != "ada" {
					t.Fatalf("turn %d is %+v", begun, v)
				}
			}
		case ReplyCompleted:
			if _, ok := turns[v.Reply.ID]; ok {
				spent.Cost += v.Cost
				delete(turns, v.Reply.ID)
			}
		case ReplyFailed:
			if held, ok := turns[v.Reply.ID]; ok {
				if spent.Cost += v.Cost; e.By == System {
					owed[v.Reply.ID] = held
				}
				delete(turns, v.Reply.ID)
			}
		case ReplyDeclined:
			if _, ok := turns[v.Reply.ID]; ok {
				spent.Cost += v.Cost
				delete(turns, v.Reply.ID)
			}
		case ReplyInterrupted:
			owed[v.Reply.ID] = turns[v.Reply.ID]
			delete(turns, v.Reply.ID)
		case UsageRecorded:
			if v.Autopilot == id {
				spent.Cost += v.Usage.Cost
				delete(owed, v.Of)
			}
		}
	}
	sum := spent.Cost
	for _, held := range owed {
		sum += held
	}
	for _, held := range turns {
		sum += held
	}
	if a := w.state.View(System, 0).Autopilot; runs > 1 || begun > started.Turns || a.Spent.Cost != spent.Cost || a.Turn != begun {
		t.Fatalf("%d run, %d of %d turns begun, %d spent: %+v", runs, begun, started.Turns, spent.Cost, a)
	}
	if started.Limit > 0 && sum > started.Limit {
		t.Fatalf("%d is spent or held, the limit is %d", sum, started.Limit)
	}
}

// crowd is a room of n models.
func crowd(t failer, n int) (*world, Identity) {
	w, ada := newWorld(t, DefaultRules()), PersonIdentity("ada")
	models := make([]Model, n)
	for i := range models {
		models[i] = Model{ID: ModelID(fmt.Sprint("m", i)), Name: fmt.Sprint("Model ", i)}
	}
	w.must(ada, Create{Epoch: "e1", Name: "Crowd", Models: models})
	w.must(ada, Join{Name: "Ada"})
	return w, ada
}

// propose has all turns under way say something of their own.
func (w *world) propose() {
	w.t.Helper()
	for i := 0; len(w.state.Running()) > 0; i++ {
		w.answer(w.state.Running()[0].Reply.ID, fmt.Sprint("proposal ", i))
	}
}

// A consensus of more models than a poll has options is refused before a turn is paid.
func TestConsensusThatCannotVote(t *testing.T) {
	w, ada := crowd(t, mostOptions+1)
	start := StartAutopilot{Goal: "a plan", Mode: Consensus}
	if _, err := w.do(Meta{By: ada}, start); CodeOf(err) != CodeInvalid {
		t.Errorf("%d models: %v", mostOptions+1, err)
	}
	w.must(ada, RemoveModel{ID: "m0"})
	w.must(ada, start)
	w.propose()
	if a := w.state.View(ada, 0).Autopilot; a.Ended != nil || a.Poll == 0 {
		t.Errorf("%d models do not vote: %+v", mostOptions, a.Ended)
	}
}

// Polls that models leave open keep an autopilot from no vote, and people from theirs for a day only.
func TestPollsOfModels(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, SetPolicy{Policy{ModelPolls: true}})
	ask := OpenPoll{Question: "Tea?", Options: []Option{{Text: "yes"}, {Text: "no"}}}
	for range w.state.rules.Polls {
		w.must(ModelIdentity("claude"), ask)
	}
	w.must(ada, StartAutopilot{Goal: "a plan", Mode: Consensus})
	w.propose()
	if a := w.state.View(ada, 0).Autopilot; a.Ended != nil || a.Poll == 0 {
		t.Errorf("the models do not vote: %+v", a.Ended)
	}
	if _, err := w.do(Meta{By: ada}, ask); CodeOf(err) != CodeConflict {
		t.Errorf("one poll too many: %v", err)
	}
	w.at = w.at.Add(modelPollDuration)
	w.must(System, Tick{})
	if opened := w.must(ada, ask)[0].Event.(PollOpened); !opened.Deadline.IsZero() {
		t.Errorf("Ada's poll ends at %v", opened.Deadline)
	}
}

// Who triggers an autopilot's vote has not opened it: it is the autopilot's, and nobody but admins may close it.
func TestAuthorOfTheVote(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, StartAutopilot{Goal: "a plan", Mode: Consensus})
	w.propose()
	v := w.state.View(ada, 9)
	p, m := v.Polls[0], v.Messages[len(v.Messages)-1]
	if p.By != System || p.Opened.Name != "Autopilot" || m.Poll != p.ID || m.By != System || m.Name != "Autopilot" {
		t.Errorf("poll by %q, message by %q %q", p.By, m.By, m.Name)
	}
	for _, id := range []ModelID{"claude", "gpt", "kimi"} {
		if _, err := w.do(Meta{By: ModelIdentity(id)}, ClosePoll{p.ID}); CodeOf(err) != CodeForbidden {
			t.Errorf("%s closes it: %v", id, err)
		}
	}
	w.must(ada, ClosePoll{p.ID})
}

// A question for the people asks no model for a ballot; people vote in it.
func TestAskPeopleAsksNoModel(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, StartAutopilot{Goal: "a plan", Mode: RoundRobin, Limit: Dollar})
	r := w.state.Running()[0].Reply
	ask := &Ask{Question: "Which?", Options: []Option{{Text: "a"}, {Text: "b"}}}
	for _, e := range w.must(ModelIdentity(r.Model), CompleteReply{Reply: r.ID, Text: "So?", Ask: ask}) {
		if v, ok := e.Event.(BallotRequested); ok {
			t.Errorf("%s is asked", v.Ballot.Name)
		}
	}
	id := w.state.View(ada, 0).Autopilot.Ended.Poll
	w.must(ada, CastVote{Poll: id, Options: []int{2}})
	closed := w.must(ada, ClosePoll{id})[0].Event.(PollClosed)
	if closed.Result.Winner != 2 || closed.Result.Voters != 1 {
		t.Errorf("%+v", closed.Result)
	}
	both := OpenPoll{Question: "Which?", Options: ask.Options, People: true, Among: []ModelID{"gpt"}}
	if _, err := w.do(Meta{By: ada}, both); CodeOf(err) != CodeInvalid {
		t.Errorf("for people only and for models only: %v", err)
	}
}

// What only some may see of an autopilot nobody else does.
func TestViewsOfRestrictedAutopilots(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	eve := PersonIdentity("eve")
	w.must(eve, Join{Name: "Eve"})
	start := AutopilotStarted{Name: "Ada", Goal: "a plan", Mode: RoundRobin, Models: []ModelID{"claude", "gpt"}, Turns: 4}
	w.add(Entry{By: ada, To: []Identity{ada}, Event: start})
	id := w.state.Head()
	if v := w.state.View(eve, 0).Autopilot; v != nil {
		t.Errorf("Eve sees %q", v.Started.Goal)
	}
	if w.state.View(ada, 0).Autopilot == nil {
		t.Error("Ada does not see it")
	}
	w.add(Entry{By: ada, Event: start})
	w.add(Entry{By: ada, To: []Identity{ada}, Event: AutopilotGuided{Autopilot: id + 1, Name: "Ada", Text: "hush"}})
	if mine, eves := w.state.View(ada, 0).Autopilot.Guides, w.state.View(eve, 0).Autopilot.Guides; len(mine) != 1 || len(eves) != 0 {
		t.Errorf("Ada sees the guides %+v, Eve %+v", mine, eves)
	}
}

// Only some parts may end an autopilot, and a proposer is none of them.
func TestPartsThatMayEnd(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, StartAutopilot{Goal: "a plan", Mode: Consensus})
	r := w.state.Running()[0].Reply
	_, err := w.do(Meta{By: ModelIdentity(r.Model)}, CompleteReply{Reply: r.ID, Text: "done", Finish: &Finish{Summary: "done"}})
	if CodeOf(err) != CodeForbidden {
		t.Errorf("a proposer finishes: %v", err)
	}
	for part, may := range map[Part]bool{
		Speaker: true, Lead: true, Judge: true, Runner: true, Follower: false, Debater: false, Proposer: false, "another": false,
	} {
		if part.MayEnd() != may {
			t.Errorf("%s may end it: %v", part, !may)
		}
	}
}
