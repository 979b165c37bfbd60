package room

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// lines is what accounts say, for scenarios.
func (a Accounts) lines() []string {
	tell := func(u Usage) string {
		text := fmt.Sprintf("%d+%d tokens, %s", u.Input, u.Output, u.Cost)
		if u.Unpriced {
			text += " and more"
		}
		return text
	}
	list := []string{"total: " + tell(a.Total)}
	for _, d := range a.Days {
		list = append(list, d.Date+": "+tell(d.Usage))
	}
	for _, account := range slices.Concat(a.Models, a.People) {
		list = append(list, fmt.Sprintf("%s: %d calls, %s", account.Of, account.Calls, tell(account.Usage)))
	}
	if a.Held != (Allowance{}) {
		list = append(list, fmt.Sprintf("held: %s, %d tokens", a.Held.Cost, a.Held.Tokens))
	}
	return list
}

func TestCostIsForPeople(t *testing.T) {
	for c, want := range map[Cost]string{
		0: "$0.00", Dollar: "$1.00", 12*Dollar + Dollar/2: "$12.50", 3000: "$0.000003", 1: "$0.000000001", -Dollar / 4: "-$0.25",
		1<<63 - 1: "$9223372036.854775807", -1 << 63: "-$9223372036.854775808",
	} {
		if got := c.String(); got != want {
			t.Errorf("%d is %s, want %s", int64(c), got, want)
		}
	}
}

func TestSumsDoNotTurnRound(t *testing.T) {
	most := Usage{Input: 1<<63 - 1, Output: 5, Cost: 1<<63 - 1}
	got := most.plus(Usage{Input: 1, Output: -7, Cost: 9, Unpriced: true})
	if want := (Usage{Input: 1<<63 - 1, Output: 5, Cost: 1<<63 - 1, Unpriced: true}); got != want {
		t.Errorf("sum %+v", got)
	}
	if took := got.took(); took != (Allowance{1<<63 - 1, 1<<63 - 1}) {
		t.Errorf("took %+v", took)
	}
}

// spender is a room in which calls are made as the rules of replies make them: within what allow gives.
type spender struct {
	*world
	t     *rapid.T
	calls map[Offset]Allowance // under way
	sums  map[string]Usage     // what they took, by who and when
}

// Whatever happens in whatever order, as long as each call keeps to its allowance no limit is exceeded at any time, and
// the accounts say what the calls took.
func TestLimitsHold(t *testing.T) { rapid.Check(t, limitsHold) }

func limitsHold(t *rapid.T) {
	amount := rapid.SampledFrom([]Cost{0, 0, 1, 10, 1000, Dollar})
	tokens := rapid.SampledFrom([]int{0, 0, 1, 100, 5000})
	limit := func(name string) Allowance { return Allowance{amount.Draw(t, name), tokens.Draw(t, name)} }
	rules := smallRules()
	rules.Total, rules.Day, rules.BallotTime = limit("server"), limit("server a day"), 3*time.Minute
	rules.CallCost, rules.CallTokens = amount.Draw(t, "a call"), tokens.Draw(t, "a call")
	w := &spender{world: newWorld(t, rules), t: t, calls: make(map[Offset]Allowance), sums: make(map[string]Usage)}
	w.must(PersonIdentity("ada"), Create{
		Epoch: "e1", Name: "Council", Models: []Model{{ID: "claude", Name: "Claude"}, {ID: "gpt", Name: "GPT"}},
		Policy: Policy{Total: limit("room"), Day: limit("room a day")},
	})
	w.must(PersonIdentity("ada"), Join{})
	for range rapid.IntRange(1, 80).Draw(t, "steps") {
		w.at = w.at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 59, 61, 600, 40_000}).Draw(t, "later")) * time.Second)
		rapid.SampledFrom([]func(){w.ask, w.ask, w.end, w.end, w.interrupt, w.record, w.chat, w.summarise, w.summary, w.tick}).Draw(t, "step")()
		w.check()
	}
	afresh(t, w.world)
}

func (w *spender) ask() {
	n := rapid.IntRange(1, 3).Draw(w.t, "calls")
	left := Allowance{rapid.SampledFrom([]Cost{0, 0, 7, -1}).Draw(w.t, "left"), 0}
	each, err := w.state.allow(Meta{At: w.at}, n, left)
	if checkRefusal(w.t, err); err != nil {
		return
	}
	if left.Cost > 0 && each.Cost*Cost(n) > left.Cost || left.Cost < 0 {
		w.t.Fatalf("%d calls may take %v each of %v", n, each, left)
	}
	for range n {
		model := rapid.SampledFrom([]ModelID{"claude", "gpt"}).Draw(w.t, "model")
		w.add(Entry{By: PersonIdentity("ada"), Event: ReplyRequested{
			Reply: ReplyRef{Model: model, Name: "M"}, Until: w.at.Add(10 * time.Minute), Allowance: each,
			For: rapid.SampledFrom([]PersonID{"ada", "bob"}).Draw(w.t, "for"),
		}})
		w.calls[w.state.Head()] = each
	}
}

// usage is what a call takes that keeps to its allowance.
func (w *spender) usage(most Allowance) Usage {
	cost, tokens := Cost(2000), 200
	if most.Cost > 0 {
		cost = most.Cost
	}
	if most.Tokens > 0 {
		tokens = most.Tokens
	}
	total := rapid.IntRange(0, tokens).Draw(w.t, "tokens")
	input := rapid.IntRange(0, total).Draw(w.t, "input")
	return Usage{Input: input, Output: total - input, Cost: Cost(rapid.Int64Range(0, int64(cost)).Draw(w.t, "cost"))}
}

// took notes what the entries of a command say that was taken.
func (w *spender) took(u Usage, who ...Identity) {
	w.sums["total"] = w.sums["total"].plus(u)
	w.sums[dateOf(w.at)] = w.sums[dateOf(w.at)].plus(u)
	for _, id := range who {
		w.sums[string(id)] = w.sums[string(id)].plus(u)
	}
}

func (w *spender) one() (running Attempt, asker Identity, ok bool) {
	list := w.state.Running()
	if len(list) == 0 {
		return running, "", false
	}
	running = rapid.SampledFrom(list).Draw(w.t, "reply")
	return running, PersonIdentity(w.state.replies[running.Reply.ID].asker), true
}

func (w *spender) end() {
	r, asker, ok := w.one()
	if !ok {
		return
	}
	id := r.Reply.ID
	u := w.usage(w.calls[id])
	w.must(ModelIdentity(r.Reply.Model), rapid.SampledFrom([]Command{
		CompleteReply{Reply: id, Text: "x", Usage: u}, FailReply{Reply: id, Usage: u}, DeclineReply{Reply: id, Usage: u},
	}).Draw(w.t, "end"))
	w.took(u, ModelIdentity(r.Reply.Model), asker)
}

func (w *spender) interrupt() {
	if r, _, ok := w.one(); ok {
		w.must(PersonIdentity("ada"), InterruptReply{Reply: r.Reply.ID})
	}
}

func (w *spender) record() {
	if len(w.state.accounts.debts) == 0 {
		return
	}
	d := rapid.SampledFrom(w.state.accounts.debts).Draw(w.t, "debt")
	u := w.usage(d.allowance)
	w.must(ModelIdentity(d.model), RecordUsage{Reply: d.id, Usage: u})
	w.took(u, ModelIdentity(d.model), PersonIdentity(d.asker))
}

func (w *spender) chat() {
	for range 6 {
		w.must(PersonIdentity("ada"), PostMessage{Text: "hm"})
	}
}

func (w *spender) summarise() {
	_, err := w.do(Meta{By: System}, RequestSummary{Upto: w.state.Head()})
	checkRefusal(w.t, err)
}

func (w *spender) summary() {
	job, ok := w.state.summary.job()
	if !ok {
		return
	}
	j := job.(SummaryJob)
	u := w.usage(j.Allowance)
	w.must(System, rapid.SampledFrom([]Command{
		CompleteSummary{Summary: j.Summary, Text: "x", Usage: u}, FailSummary{Summary: j.Summary, Usage: u},
	}).Draw(w.t, "end"))
	w.took(u)
}

func (w *spender) tick() {
	for _, e := range w.must(System, Tick{}) {
		switch v := e.Event.(type) {
		case UsageRecorded:
			w.took(v.Usage, ModelIdentity(v.Model), PersonIdentity(v.For))
		case SummaryFailed:
			w.took(v.Usage)
		}
	}
}

// check holds the accounts against what was taken, and that against the limits.
func (w *spender) check() {
	a := w.state.View(System, 0).Accounts
	if a.Total != w.sums["total"] {
		w.t.Fatalf("total %+v, but calls took %+v", a.Total, w.sums["total"])
	}
	var days []Day
	for _, date := range slices.Sorted(maps.Keys(w.sums)) {
		if strings.HasPrefix(date, "20") {
			days = append(days, Day{date, w.sums[date]})
		}
	}
	if days = days[max(0, len(days)-maxDays):]; !slices.Equal(a.Days, days) {
		w.t.Fatalf("days %+v, but calls took %+v", a.Days, days)
	}
	for _, account := range slices.Concat(a.Models, a.People) {
		if account.Usage != w.sums[string(account.Of)] || account.Calls == 0 {
			w.t.Fatalf("%+v, but calls took %+v", account, w.sums[string(account.Of)])
		}
	}
	today := w.sums[dateOf(w.at)].took()
	for _, l := range []struct{ most, spent Allowance }{
		{w.state.rules.Total, a.Total.took()}, {w.state.policy.Total, a.Total.took()}, {w.state.rules.Day, today}, {w.state.policy.Day, today},
	} {
		all := l.spent.and(a.Held)
		if l.most.Cost > 0 && all.Cost > l.most.Cost || l.most.Tokens > 0 && all.Tokens > l.most.Tokens {
			w.t.Fatalf("at most %+v, but %+v is spent and %+v held", l.most, l.spent, a.Held)
		}
	}
}

// A frozenAccounts is what a View says about money, under names that outlive those of the code.
type frozenAccounts struct {
	Total   Usage          `json:"total"`
	Day     Usage          `json:"day"`
	Date    string         `json:"date"`
	Days    []frozenDay    `json:"days"`
	Models  []frozenSpent  `json:"models"`
	People  []frozenSpent  `json:"people"`
	Held    Allowance      `json:"held"`
	Policy  Policy         `json:"policy"`
	Summary *frozenSummary `json:"summary"`
	Wake    time.Time      `json:"wake"`
}

type frozenDay struct {
	Date  string `json:"date"`
	Usage Usage  `json:"usage"`
}

type frozenSpent struct {
	Of    Identity `json:"of"`
	Calls int      `json:"calls"`
	Usage Usage    `json:"usage"`
}

type frozenSummary struct {
	Upto Offset    `json:"upto"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

func lookAtMoney(s *State) frozenAccounts {
	v := s.View(System, 0)
	a := v.Accounts
	f := frozenAccounts{Total: a.Total, Day: a.Day, Date: a.Date, Held: a.Held, Policy: v.Policy, Summary: (*frozenSummary)(v.Summary), Wake: s.Card().Wake}
	for _, d := range a.Days {
		f.Days = append(f.Days, frozenDay(d))
	}
	for _, account := range a.Models {
		f.Models = append(f.Models, frozenSpent(account))
	}
	for _, account := range a.People {
		f.People = append(f.People, frozenSpent(account))
	}
	return f
}

// What was spent stays what it was, as TestFrozen says of the rest.
func TestFrozenAccounts(t *testing.T) {
	for _, log := range []string{"v1", "v2-accounts"} {
		log = "testdata/frozen/" + log
		data, err := json.MarshalIndent(lookAtMoney(thaw(t, log+".log", make(map[string]bool))), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, log+".accounts.json", string(data)+"\n", true)
	}
}

// budgeted is a room with a claude, two running replies (5 and 6) that may take $0.30 each, and a debt of as much.
func budgeted(t failer, rules Rules) *world {
	w := newWorld(t, rules)
	ada := PersonIdentity("ada")
	w.must(ada, Create{Epoch: "e1", Name: "Council", Models: []Model{{ID: "claude", Name: "Claude"}}})
	w.must(ada, Join{})
	for range 3 {
		w.add(Entry{By: ada, Event: ReplyRequested{
			Reply: ReplyRef{Model: "claude", Name: "Claude", Trigger: 3}, Until: w.at.Add(time.Hour), Allowance: Allowance{Cost: 3 * Dollar / 10},
		}})
	}
	w.must(ada, InterruptReply{Reply: 4})
	return w
}

// What one command leads to, before any of it is in the log: what ends makes room, what begins takes it.
func TestAllowLooksAhead(t *testing.T) {
	rules := smallRules()
	rules.Total.Cost = Dollar
	w := budgeted(t, rules)
	claude, ada := ModelIdentity("claude"), PersonIdentity("ada")
	ref := ReplyRef{ID: 5, Model: "claude"}
	for name, c := range map[string]struct {
		by     Identity
		before []Event
		want   Cost // 0 means refused
	}{
		"nothing":       {claude, nil, Dollar / 10},
		"a message":     {ada, []Event{MessagePosted{Text: "hi"}}, Dollar / 10},
		"completed":     {claude, []Event{ReplyCompleted{Reply: ref, Usage: Usage{Cost: Dollar / 10}}}, 3 * Dollar / 10},
		"failed":        {claude, []Event{ReplyFailed{Reply: ref}}, 4 * Dollar / 10},
		"declined":      {claude, []Event{ReplyDeclined{Reply: ref, Usage: Usage{Cost: 3 * Dollar / 10}}}, Dollar / 10},
		"interrupted":   {ada, []Event{ReplyInterrupted{Reply: ref}}, Dollar / 10},
		"expired":       {System, []Event{ReplyFailed{Reply: ref}}, Dollar / 10},
		"asked":         {ada, []Event{ReplyRequested{Allowance: Allowance{Cost: Dollar / 20}}}, Dollar / 20},
		"asked all":     {ada, []Event{ReplyRequested{Allowance: Allowance{Cost: Dollar / 10}}}, 0},
		"ballots":       {ada, []Event{BallotRequested{Allowance: Allowance{Cost: Dollar / 20}}, BallotRequested{Allowance: Allowance{Cost: Dollar / 20}}}, 0},
		"spent":         {claude, []Event{UsageRecorded{Usage: Usage{Cost: Dollar / 20}}}, Dollar / 20},
		"told":          {claude, []Event{UsageRecorded{Of: 4, Usage: Usage{Cost: Dollar / 10}}}, 3 * Dollar / 10},
		"one after one": {claude, []Event{ReplyCompleted{Reply: ref}, ReplyRequested{Allowance: Allowance{Cost: Dollar / 10}}}, 3 * Dollar / 10},
	} {
		got, err := w.state.allow(Meta{At: w.at, By: c.by}, 1, Allowance{}, c.before...)
		if got.Cost != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%s: %v, %v", name, got.Cost, err)
		}
	}
}

// The tightest limit counts, shared among the calls, and none of them may take more than one call may.
func TestAllowIsTheTightest(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Rules, *Policy)
		n      int
		left   Allowance
		want   Allowance
		reason string // of a refusal
	}{
		"no limit":        {func(*Rules, *Policy) {}, 3, Allowance{}, Allowance{}, ""},
		"a call":          {func(r *Rules, _ *Policy) { r.Total.Cost = 10 * Dollar }, 1, Allowance{}, Allowance{Cost: Dollar}, ""},
		"shared":          {func(r *Rules, _ *Policy) { r.Day.Cost = Dollar }, 4, Allowance{}, Allowance{Cost: Dollar / 4}, ""},
		"the room's":      {func(r *Rules, p *Policy) { r.Day.Cost, p.Day.Cost = Dollar, 8 }, 2, Allowance{}, Allowance{Cost: 4}, ""},
		"the server's":    {func(r *Rules, p *Policy) { r.Total.Cost, p.Total.Cost = 8, Dollar }, 2, Allowance{}, Allowance{Cost: 4}, ""},
		"an autopilot's":  {func(r *Rules, _ *Policy) { r.Total.Cost = Dollar }, 2, Allowance{Cost: 6}, Allowance{Cost: 3}, ""},
		"a lone left":     {func(*Rules, *Policy) {}, 2, Allowance{Cost: 6 * Dollar}, Allowance{Cost: Dollar}, ""},
		"tokens":          {func(r *Rules, p *Policy) { r.Day.Tokens, p.Total.Tokens = 90, 500 }, 3, Allowance{}, Allowance{Tokens: 30}, ""},
		"a call's tokens": {func(r *Rules, _ *Policy) { r.Day.Tokens = 9000 }, 3, Allowance{}, Allowance{Tokens: 1000}, ""},
		"both":            {func(r *Rules, p *Policy) { r.Day.Tokens, p.Total.Cost = 90, 60 }, 1, Allowance{}, Allowance{60, 90}, ""},
		"too many":        {func(r *Rules, _ *Policy) { r.Day.Cost = 3 }, 4, Allowance{}, Allowance{}, "on this server a room may spend $0.000000003 a day"},
		"nothing left":    {func(*Rules, *Policy) {}, 1, Allowance{Cost: -1}, Allowance{}, "the autopilot has spent all"},
		"no tokens left":  {func(*Rules, *Policy) {}, 1, Allowance{Tokens: -5}, Allowance{}, "the autopilot has spent all"},
		"too little left": {func(*Rules, *Policy) {}, 3, Allowance{Cost: 2}, Allowance{}, "the autopilot has spent all"},
	} {
		s := New("council", smallRules())
		s.rules.CallCost, s.rules.CallTokens = Dollar, 1000
		c.change(&s.rules, &s.policy)
		got, err := s.allow(Meta{At: morning}, c.n, c.left)
		if got != c.want || (err == nil) != (c.reason == "") || err != nil && !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// A clock that goes back or errs by years spoils no other day.
func TestDaysOutOfOrder(t *testing.T) {
	w := newWorld(t, smallRules())
	spend := func(at time.Time) {
		w.at = at
		w.add(Entry{By: System, Event: UsageRecorded{Usage: Usage{Cost: 1}}})
	}
	spend(morning)
	spend(morning.AddDate(70, 0, 0))
	spend(morning.Add(-24 * time.Hour))
	spend(morning)
	for n := range 40 {
		spend(morning.AddDate(0, 0, n+1))
	}
	a := w.state.View(System, 0).Accounts
	if a.Date != "2096-03-01" || a.Day.Cost != 1 || len(a.Days) != maxDays || a.Total.Cost != 44 || a.Days[0].Date != "2026-03-12" {
		t.Errorf("accounts %+v", a)
	}
	a.Days[0].Usage.Cost = 99
	if w.state.View(System, 0).Accounts.Days[0].Usage.Cost == 99 {
		t.Error("a View is a part of the State")
	}
}

// There is an end to what is remembered of replies that were stopped.
func TestDebtsAreBounded(t *testing.T) {
	w := peopled(t)
	claude, bob := ModelIdentity("claude"), PersonIdentity("bob")
	w.must(bob, InterruptReply{Reply: 10})
	for range maxDebts {
		w.must(bob, PostMessage{Text: "@gpt hello"})
		w.must(bob, InterruptReply{Model: "gpt"})
	}
	if _, err := w.do(Meta{By: claude}, RecordUsage{Reply: 10}); CodeOf(err) != CodeGone || len(w.state.accounts.debts) != maxDebts {
		t.Errorf("the oldest: %v, %d debts", err, len(w.state.accounts.debts))
	}
	if due := w.state.debtsDue(); !due.IsZero() {
		t.Errorf("without allowances there is nothing to wait for, but due is %v", due)
	}
}

func TestPolicyFromTheStart(t *testing.T) {
	policy := Policy{ModelPolls: true, Day: Allowance{Cost: Dollar}}
	w := newWorld(t, smallRules())
	created := w.must(PersonIdentity("ada"), Create{Name: "Council", Policy: policy, Models: []Model{{Name: "Claude"}}})
	if len(created) != 3 || created[1].Event != (PolicyChanged{Policy: policy}) || w.state.View(System, 0).Policy != policy {
		t.Errorf("created %+v", created)
	}
	policy.Day.Tokens = -1
	if _, err := New("council", smallRules()).Decide(Meta{At: morning}, Create{Name: "Council", Policy: policy}); CodeOf(err) != CodeInvalid {
		t.Error("a negative limit:", err)
	}
}

// A server that starts opens the rooms with a summary to write.
func TestSummaryWakes(t *testing.T) {
	w := peopled(t)
	w.must(ModelIdentity("claude"), DeclineReply{Reply: 10})
	w.must(PersonIdentity("ada"), ClosePoll{11})
	w.must(PersonIdentity("ada"), ClosePoll{14})
	for range 5 {
		w.must(PersonIdentity("bob"), PostMessage{Text: "hm"})
	}
	asked := w.at
	wanted := w.must(System, RequestSummary{Upto: w.state.Head() - 4})[0]
	w.at = w.at.Add(time.Second)
	w.must(PersonIdentity("bob"), PostMessage{Text: "@claude and you?"})
	if card := w.state.Card(); !card.Wake.Equal(asked) {
		t.Errorf("wakes at %v, was asked at %v", card.Wake, asked)
	}
	w.must(System, FailSummary{Summary: wanted.Offset})
	if card := w.state.Card(); !card.Wake.Equal(w.at) {
		t.Errorf("wakes at %v, was asked at %v", card.Wake, w.at)
	}
}

// Who asks a model for its ballot is told what it may take.
func TestBallotsTellTheirAllowance(t *testing.T) {
	w, ada := convened(t, DefaultRules())
	w.must(ada, SetPolicy{Policy{Day: Allowance{Cost: Dollar, Tokens: 3000}}})
	id := w.must(ada, OpenPoll{Question: "Tea?", Options: []Option{{Text: "yes"}, {Text: "no"}}})[0].Offset
	for _, viewer := range []Identity{ModelIdentity("claude"), System, ada} {
		if each, want := w.state.View(viewer, 0).Polls[0].Each, (Allowance{Dollar / 3, 1000}); each != want {
			t.Errorf("%s is told %+v, want %+v", viewer, each, want)
		}
	}
	w.must(ada, ClosePoll{id})
	if each := w.state.View(System, 0).Polls[0].Each; each != (Allowance{}) {
		t.Errorf("of a closed poll %+v", each)
	}
}
