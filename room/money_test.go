package room

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// teaOrNot is a poll that costs each model of the room a call.
var teaOrNot = OpenPoll{Question: "Tea?", Options: []Option{{Text: "yes"}, {Text: "no"}}}

// Attempts that are lost count as all that they were allowed, so that a room that crashes again and again does not spend
// more than it may.
func TestLostAttemptsCount(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, SetPolicy{Policy{Total: Allowance{Cost: Dollar}}})
	w.must(ada, PostMessage{Text: "@claude"})
	r, claude := w.state.Head(), ModelIdentity("claude")
	resumed := w.must(claude, ResumeReply{r})
	lost := UsageRecorded{Purpose: ForInterrupted, Of: r, Model: "claude", For: "ada", Usage: Usage{Cost: Dollar / 2, Unpriced: true}}
	again, ok := resumed[len(resumed)-1].Event.(ReplyResumed)
	if len(resumed) != 2 || resumed[0].Event != lost || !ok || again.Allowance.Cost != Dollar/2 {
		t.Fatalf("%+v", resumed)
	}
	if a := w.state.viewAccounts(); a.Total != lost.Usage || a.Held.Cost != Dollar/2 || w.state.View(ada, 0).Replies[0].Allowance != again.Allowance {
		t.Errorf("%+v", a)
	}
	failed := w.must(claude, ResumeReply{r})
	if v, ok := failed[0].Event.(ReplyFailed); !ok || len(failed) != 1 || v.Usage != lost.Usage {
		t.Errorf("%+v", failed)
	}
	if a := w.state.viewAccounts(); a.Total.Cost != Dollar || a.Held != (Allowance{}) {
		t.Errorf("%+v", a)
	}
}

// A turn that is resumed stays within what is left to its autopilot.
func TestLostTurnsCount(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, StartAutopilot{Goal: "a plan", Mode: RoundRobin, Limit: Dollar})
	r := w.state.Running()[0].Reply
	for range 2 {
		w.must(ModelIdentity(r.Model), ResumeReply{r.ID})
	}
	if a := w.state.autopilot; a.Ended == nil || a.Spent.Cost != Dollar || a.Ended.Outcome != OutOfMoney {
		t.Errorf("%+v", a)
	}
}

// Whoever ends a ballot, what it took is told by its worker or presumed.
func TestStoppedBallotsCount(t *testing.T) {
	for name, end := range map[string]func(*world, Identity, Offset){
		"closed": func(w *world, ada Identity, poll Offset) { w.must(ada, ClosePoll{poll}) },
		"late": func(w *world, _ Identity, _ Offset) {
			w.at = w.at.Add(4 * time.Minute)
			w.must(System, Tick{})
		},
		"removed": func(w *world, ada Identity, _ Offset) {
			for _, id := range []ModelID{"claude", "gpt", "kimi"} {
				w.must(ada, RemoveModel{id})
			}
		},
	} {
		for _, anonymous := range []bool{false, true} {
			rules := DefaultRules()
			rules.Secret = "hush"
			w, ada := convened(t, rules)
			w.must(ada, SetPolicy{Policy{Total: Allowance{Cost: 3 * Dollar / 2}}})
			c := teaOrNot
			c.Anonymous = anonymous
			poll := w.must(ada, c)[0].Offset
			end(w, ada, poll)
			if held := w.state.viewAccounts().Held.Cost; held != 3*Dollar/2 {
				t.Errorf("%s: %s is held", name, held)
			}
			teller := map[bool]Identity{false: ModelIdentity("claude"), true: System}[anonymous]
			if _, err := w.do(Meta{By: ModelIdentity("gpt")}, RecordUsage{Ballot: poll + 1}); CodeOf(err) != CodeForbidden {
				t.Errorf("%s: another one tells: %v", name, err)
			}
			told := w.must(teller, RecordUsage{Ballot: poll + 1, Usage: Usage{Cost: 7}})[0].Event
			if want := (UsageRecorded{Purpose: ForBallot, Of: poll, Model: "claude", For: "ada", Usage: Usage{Cost: 7}}); told != want {
				t.Errorf("%s: told %+v", name, told)
			}
			if _, err := w.do(Meta{By: teller}, RecordUsage{Ballot: poll + 1}); CodeOf(err) != CodeGone {
				t.Errorf("%s: told twice: %v", name, err)
			}
			w.at = w.at.Add(debtTime)
			w.must(System, Tick{})
			if a := w.state.viewAccounts(); a.Total != (Usage{Cost: Dollar + 7, Unpriced: true}) || a.Held != (Allowance{}) {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
}

// Ballots that are asked for again are so within what is left, and missed when nothing is.
func TestLostBallotsCount(t *testing.T) {
	for _, anonymous := range []bool{false, true} {
		rules := DefaultRules()
		rules.Secret = "hush"
		w, ada := convened(t, rules)
		w.must(ada, SetPolicy{Policy{Total: Allowance{Cost: 3 * Dollar}}})
		c := teaOrNot
		c.Anonymous = anonymous
		poll := w.must(ada, c)[0].Offset
		resume := func() {
			if anonymous {
				w.must(System, ResumeBallots{poll})
				return
			}
			for i, id := range []ModelID{"claude", "gpt", "kimi"} {
				w.must(ModelIdentity(id), ResumeBallot{poll + 1 + Offset(i)})
			}
		}
		resume()
		if a := w.state.viewAccounts(); a.Total.Cost != 3*Dollar/2 || a.Held.Cost != 3*Dollar/2 {
			t.Errorf("anonymous %v: %+v", anonymous, a)
		}
		resume()
		if a, p := w.state.viewAccounts(), w.state.View(ada, 0).Polls[0]; a.Total.Cost != 3*Dollar || a.Held != (Allowance{}) || len(p.Missed) != 3 {
			t.Errorf("anonymous %v: %+v, %+v", anonymous, a, p.Missed)
		}
	}
}

// A summary that is lost counts as all that it was allowed.
func TestLostSummariesCount(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, SetPolicy{Policy{Total: Allowance{Cost: Dollar}}})
	for range 6 {
		w.must(ada, PostMessage{Text: "hm"})
	}
	id := w.must(System, RequestSummary{Upto: w.state.Head()})[0].Offset
	w.must(System, ResumeSummary{id})
	job, _ := w.state.summary.job()
	if a := w.state.viewAccounts(); a.Total.Cost != Dollar/2 || a.Held.Cost != Dollar/2 || job.(SummaryJob).Allowance.Cost != Dollar/2 {
		t.Errorf("%+v, %+v", a, job)
	}
	w.must(System, ResumeSummary{id})
	if a := w.state.viewAccounts(); a.Total != (Usage{Cost: Dollar, Unpriced: true}) || a.Held != (Allowance{}) || w.state.summary.open != nil {
		t.Errorf("%+v", a)
	}
}

// However many calls are stopped, each counts, and a server that starts sees to it.
func TestNoDebtIsForgotten(t *testing.T) {
	rules := DefaultRules()
	rules.CallCost = 1
	w, ada := convened(t, rules)
	w.must(ada, SetPolicy{Policy{Total: Allowance{Cost: Dollar}}})
	const n = 2 * maxDebts
	due := w.at.Add(debtTime)
	for range n {
		w.must(ada, PostMessage{Text: "@claude"})
		w.must(ada, InterruptReply{Model: "claude"})
	}
	if wake := w.state.Card().Wake; !wake.Equal(due) {
		t.Errorf("wakes at %v, want %v", wake, due)
	}
	w.at = due
	w.must(System, Tick{})
	if a := w.state.viewAccounts(); a.Total.Cost != n || a.Held != (Allowance{}) || !w.state.Card().Wake.IsZero() {
		t.Errorf("%+v", a)
	}
}

// A purse knows what calls really take, of which the room only hears what their workers live to tell.
type purse struct {
	*world
	t     *rapid.T
	ada   Identity
	real  Cost            // what attempts that are over took
	spent map[string]Cost // what the attempt under way took, by job
}

// Whatever crashes and is started again, is stopped or comes late: what all calls really took together never exceeds a
// limit, as long as each keeps to its allowance.
func TestRealCostsKeepToLimits(t *testing.T) { rapid.Check(t, realCosts) }

func realCosts(t *rapid.T) {
	rules := DefaultRules()
	rules.Secret = "hush"
	rules.CallCost = rapid.SampledFrom([]Cost{0, 5, 100}).Draw(t, "a call")
	limit := rapid.SampledFrom([]Cost{1, 20, 300, 5000}).Draw(t, "limit")
	world, ada := convened(t, rules)
	w := &purse{world: world, t: t, ada: ada, spent: make(map[string]Cost)}
	w.must(ada, SetPolicy{Policy{Total: Allowance{Cost: limit}}})
	own := rapid.SampledFrom([]Cost{0, 3, 50, 1000}).Draw(t, "limit of an autopilot")
	w.try(ada, StartAutopilot{Goal: "a plan", Mode: rapid.SampledFrom([]Mode{RoundRobin, Leader, Consensus}).Draw(t, "mode"), Limit: own})
	for range rapid.IntRange(1, 80).Draw(t, "steps") {
		w.at = w.at.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 61, 200, 700}).Draw(t, "later")) * time.Second)
		rapid.SampledFrom([]func(){w.call, w.call, w.call, w.crash, w.crash, w.end, w.end, w.begin, w.stop, w.tick}).Draw(t, "step")()
		all := w.real
		for _, cost := range w.spent {
			all += cost
		}
		if all > limit {
			t.Fatalf("calls took %d, and the limit is %d: %+v", all, limit, w.state.viewAccounts())
		}
		if a := w.state.autopilot; a != nil && own > 0 && a.Spent.Cost > own {
			t.Fatalf("the autopilot spent %d of %d", a.Spent.Cost, own)
		}
	}
	w.at = w.at.Add(time.Hour)
	for range 5 {
		w.tick()
		w.at = w.at.Add(time.Hour)
	}
	if a := w.state.viewAccounts(); a.Total.Cost < w.real && a.Held == (Allowance{}) {
		t.Fatalf("the room counts %d, and calls took %d", a.Total.Cost, w.real)
	}
	afresh(t, w.world)
}

func (w *purse) try(by Identity, c Command) {
	_, err := w.do(Meta{By: by}, c)
	checkRefusal(w.t, err)
	wanted := make(map[string]bool)
	for _, key := range w.keys() {
		wanted[key] = true
	}
	for key, cost := range w.spent { // ended, by whomever
		if !wanted[key] {
			w.real += cost
			delete(w.spent, key)
		}
	}
}

// keys are the calls that are wanted: the jobs, but each ballot of an anonymous poll by itself.
func (w *purse) keys() (list []string) {
	for _, r := range w.state.Running() {
		list = append(list, fmt.Sprint("reply ", r.Reply.ID))
	}
	for p := range w.state.polls.opened() {
		for _, b := range p.ballots {
			if b.open {
				list = append(list, fmt.Sprint("ballot ", b.ref.ID))
			}
		}
	}
	if open := w.state.summary.open; open != nil {
		list = append(list, fmt.Sprint("summary ", open.id))
	}
	return list
}

// job is the call behind a key: who makes it, what it may take, and how it goes on after a crash.
func (w *purse) job(key string) (by Identity, allowance Allowance, resume Command) {
	var kind string
	var id Offset
	_, _ = fmt.Sscan(key, &kind, &id)
	if r, ok := w.state.replies[id]; ok {
		return ModelIdentity(r.ref.Model), r.allowance, ResumeReply{id}
	}
	if p, b := w.state.polls.ballot(id); b != nil {
		if p.opened.Anonymous {
			return System, b.allowance, ResumeBallots{p.id}
		}
		return ModelIdentity(b.ref.Model), b.allowance, ResumeBallot{id}
	}
	return System, w.state.summary.open.wanted.Allowance, ResumeSummary{id}
}

func (w *purse) one() (key string, ok bool) {
	keys := w.keys()
	if len(keys) == 0 {
		return "", false
	}
	return rapid.SampledFrom(keys).Draw(w.t, "call"), true
}

// call has a call take some of its allowance.
func (w *purse) call() {
	if key, ok := w.one(); ok {
		_, allowance, _ := w.job(key)
		w.spent[key] = max(w.spent[key], Cost(rapid.Int64Range(0, int64(allowance.Cost)).Draw(w.t, "cost")))
	}
}

// crash ends the process: all that was under way is asked for again.
func (w *purse) crash() {
	for _, cost := range w.spent {
		w.real += cost
	}
	clear(w.spent)
	done := make(map[Command]bool)
	for _, key := range w.keys() {
		if !slices.Contains(w.keys(), key) {
			continue
		}
		if by, _, resume := w.job(key); !done[resume] {
			done[resume] = true
			w.try(by, resume)
		}
	}
}

// end has a worker tell how a call ended.
func (w *purse) end() {
	key, ok := w.one()
	if !ok {
		return
	}
	by, _, resume := w.job(key)
	u := Usage{Cost: w.spent[key]}
	switch c := resume.(type) {
	case ResumeReply:
		w.try(by, CompleteReply{Reply: c.Reply, Text: fmt.Sprint("thought ", w.state.Head()), Usage: u})
	case ResumeBallot:
		w.try(by, CastBallot{Ballot: c.Ballot, Options: []int{1}, Usage: u})
	case ResumeBallots:
		count := CountBallots{Poll: c.Poll}
		for _, b := range w.state.polls.find(c.Poll).ballots {
			count.Votes = append(count.Votes, CastBallot{Ballot: b.ref.ID, Options: []int{1}, Usage: Usage{Cost: w.spent[fmt.Sprint("ballot ", b.ref.ID)]}})
		}
		w.try(by, count)
	case ResumeSummary:
		w.try(by, FailSummary{Summary: c.Summary, Usage: u})
	}
}

func (w *purse) begin() {
	poll := teaOrNot
	poll.Anonymous = rapid.Bool().Draw(w.t, "anonymous")
	w.try(w.ada, rapid.SampledFrom([]Command{PostMessage{Text: "@claude and @gpt?"}, PostMessage{Text: "@kimi"}, poll, ResumeAutopilot{}}).Draw(w.t, "begin"))
	w.try(System, RequestSummary{Upto: w.state.Head()})
}

func (w *purse) stop() {
	key, ok := w.one()
	if !ok {
		return
	}
	by, _, resume := w.job(key)
	took := Usage{Cost: w.spent[key]}
	tells := rapid.Bool().Draw(w.t, "tells")
	switch c := resume.(type) {
	case ResumeReply:
		if w.try(w.ada, InterruptReply{Reply: c.Reply}); tells {
			w.try(by, RecordUsage{Reply: c.Reply, Usage: took})
		}
	case ResumeBallot:
		p, _ := w.state.polls.ballot(c.Ballot)
		if w.try(w.ada, ClosePoll{p.id}); tells {
			w.try(by, RecordUsage{Ballot: c.Ballot, Usage: took})
		}
	case ResumeBallots:
		w.try(w.ada, ClosePoll(c))
	case ResumeSummary:
	}
}

func (w *purse) tick() { w.try(System, Tick{}) }

// A turn that is stopped holds what it was allowed until somebody tells what it took: an autopilot waits for that, and goes
// on with the rest.
func TestAutopilotWaitsForMoney(t *testing.T) {
	for name, stop := range map[string]func(*world, Identity, Offset){
		"late": func(w *world, _ Identity, _ Offset) {
			w.at = w.at.Add(11 * time.Minute)
			w.must(System, Tick{})
		},
		"interrupted": func(w *world, ada Identity, turn Offset) {
			w.must(ada, InterruptReply{Reply: turn})
			w.must(ada, ResumeAutopilot{})
		},
	} {
		for _, tells := range []bool{true, false} {
			w, ada := convened(t, DefaultRules())
			w.must(ada, StartAutopilot{Goal: "a plan", Mode: RoundRobin, Limit: Dollar / 2})
			turn := w.state.Running()[0].Reply
			stop(w, ada, turn.ID)
			if a := w.state.autopilot; a.Ended != nil || len(w.state.Running()) > 0 {
				t.Fatalf("%s: %+v", name, a)
			}
			if tells {
				w.must(ModelIdentity(turn.Model), RecordUsage{Reply: turn.ID, Usage: Usage{Cost: 1000}})
				if running := w.state.running(); len(running) != 1 || running[0].allowance.Cost != Dollar/2-1000 {
					t.Errorf("%s: goes on with %+v", name, running)
				}
				continue
			}
			w.at = w.at.Add(debtTime)
			w.must(System, Tick{})
			if a := w.state.autopilot; a.Ended == nil || a.Ended.Outcome != OutOfMoney || a.Spent.Cost != Dollar/2 {
				t.Errorf("%s: nobody tells, and then %+v", name, a)
			}
		}
	}
}

// What other calls hold of the room's money keeps an autopilot waiting, too.
func TestAutopilotWaitsForOthers(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, StartAutopilot{Goal: "a plan", Mode: RoundRobin})
	turn := w.state.Running()[0].Reply.ID
	w.must(ada, SetPolicy{Policy{Day: Allowance{Cost: Dollar / 2}}})
	w.must(ada, PostMessage{Text: "@kimi hello"})
	other := w.state.Head()
	w.answer(turn, "one")
	if a := w.state.autopilot; a.Ended != nil || len(w.state.Running()) != 1 {
		t.Fatalf("%+v", a)
	}
	w.answer(other, "hello")
	if running := w.state.Running(); len(running) != 1 || running[0].Reply.Model != "gpt" {
		t.Errorf("%+v", running)
	}
}

// A turn that money is too short for ends an autopilot, with what was said last; one that only failed does not.
func TestUnaffordableTurnEnds(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, StartAutopilot{Goal: "a plan", Mode: RoundRobin, Limit: Dollar / 100})
	w.answer(w.state.Running()[0].Reply.ID, "one")
	fail := func(unaffordable bool) {
		r := w.state.Running()[0].Reply
		w.must(ModelIdentity(r.Model), FailReply{Reply: r.ID, Reason: "an answer could cost more", Unaffordable: unaffordable})
	}
	fail(false)
	if w.state.autopilot.Ended != nil {
		t.Fatal("a failure ends it")
	}
	fail(true)
	how := w.state.autopilot.Ended
	if how == nil || how.Outcome != OutOfMoney || how.Summary != "one" || how.Reason != "an answer could cost more" || how.Turns != 3 {
		t.Errorf("%+v", how)
	}
}
