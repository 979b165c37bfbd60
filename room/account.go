package room

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Cost is money spent on models, in billionths of a US dollar.
type Cost int64

// Dollar is one US dollar.
const Dollar Cost = 1_000_000_000

// String writes the money for people: $0.25, $12.00, $0.000003.
func (c Cost) String() string {
	sign, n := "", uint64(c)
	if c < 0 {
		sign, n = "-", -n
	}
	digits := fmt.Sprintf("%09d", n%uint64(Dollar))
	return fmt.Sprintf("%s$%d.%s", sign, n/uint64(Dollar), digits[:max(2, len(strings.TrimRight(digits, "0")))])
}

// Usage is what one or more calls of models took.
type Usage struct {
	Input    int  `json:"input,omitempty"`  // tokens
	Output   int  `json:"output,omitempty"` // tokens
	Cost     Cost `json:"cost,omitempty"`
	Unpriced bool `json:"unpriced,omitempty"` // some of it has no known price: Cost is too low
}

// plus is what two usages took together. Whatever a log says, no sum turns round: what is negative counts as nothing,
// and what is too much for a number as the greatest one.
func (u Usage) plus(v Usage) Usage {
	return Usage{
		Input: sum(u.Input, v.Input, math.MaxInt), Output: sum(u.Output, v.Output, math.MaxInt),
		Cost: sum(u.Cost, v.Cost, math.MaxInt64), Unpriced: u.Unpriced || v.Unpriced,
	}
}

// most is what a call may have taken of which nobody knows what it took: all that it was allowed.
func (a Allowance) most() Usage { return Usage{Input: a.Tokens, Cost: a.Cost, Unpriced: true} }

// took is a usage as a part of an allowance.
func (u Usage) took() Allowance { return Allowance{u.Cost, sum(u.Input, u.Output, math.MaxInt)} }

func sum[T ~int | ~int64](a, b, most T) T {
	a, b = max(a, 0), max(b, 0)
	if a > most-b {
		return most
	}
	return a + b
}

// An Allowance is the most that a call may take. Zero fields mean that there is no limit.
type Allowance struct {
	Cost   Cost `json:"cost,omitempty"`
	Tokens int  `json:"tokens,omitempty"` // read and written together
}

// Policy is what a room allows and what it may spend. The server's own limits hold beside it.
type Policy struct {
	ModelPolls bool      `json:"model_polls,omitempty"` // models may open polls
	Total      Allowance `json:"total,omitzero"`        // for as long as the room exists
	Day        Allowance `json:"day,omitzero"`          // from midnight to midnight, UTC
}

// PolicyChanged says what the room allows from now on.
type PolicyChanged struct {
	Policy Policy `json:"policy"`
	Name   string `json:"name,omitempty"` // of who changed it, as it was then; empty where the room began with it
}

// Purpose says what a call of a model was for, apart from replies, whose events tell themselves what they took.
type Purpose string

// The purposes.
const (
	ForBallot      Purpose = "ballot"
	ForSummary     Purpose = "summary"
	ForInterrupted Purpose = "interrupted" // a reply that was stopped; estimated if the provider did not tell
)

// UsageRecorded says what a call took that ended without a fact of its own to say so: one that was stopped, or an attempt
// that was lost in a crash. Of what it took from an allowance nothing is held any more.
type UsageRecorded struct {
	Purpose   Purpose  `json:"purpose"`
	Of        Offset   `json:"of"` // the poll, the summary's request, the reply
	Model     ModelID  `json:"model,omitempty"`
	For       PersonID `json:"for,omitempty"` // who led to it
	Autopilot Offset   `json:"autopilot,omitempty"`
	Served    string   `json:"served,omitempty"` // the provider's model
	Usage     Usage    `json:"usage"`
}

func (v PolicyChanged) apply(s *State, _ *Entry) { s.policy = v.Policy }

func (UsageRecorded) apply(*State, *Entry) {}

// SetPolicy changes what the room allows and may spend. Only an admin may.
type SetPolicy struct{ Policy Policy }

// RecordUsage accounts for a reply or a ballot that somebody else than its model ended: it was interrupted, took too long,
// or its poll closed. Only its model may issue it, or the server for a ballot of an anonymous poll; once, and within a
// minute where there was an allowance.
type RecordUsage struct {
	Reply  Offset // or
	Ballot Offset
	Served string
	Usage  Usage
}

func (c SetPolicy) decide(s *State, m Meta) ([]Event, error) { return s.setPolicy(m, c) }

func (c RecordUsage) decide(s *State, m Meta) ([]Event, error) { return s.recordUsage(m, c) }

// Accounts are what a room has spent, as its log tells.
type Accounts struct {
	Total  Usage
	Day    Usage  // of the day Date
	Date   string // such as 2026-11-22, UTC; the day of the newest usage
	Days   []Day  // the newest days with usage, Date the last of them
	Models []Account
	People []Account
	Held   Allowance // what calls under way may still take, where they have a limit
}

// A Day is what a room spent from midnight to midnight, UTC.
type Day struct {
	Date  string
	Usage Usage
}

// An Account is what one model took, or what one person led to.
type Account struct {
	Of    Identity
	Calls int
	Usage Usage
}

// accounts are the State's part of Accounts.
type accounts struct {
	total Usage
	days  []Day // oldest first
	list  []Account
	place map[Identity]int // in list
	debts []debt           // oldest first
}

// A debt is a call that was stopped before it could say what it took.
type debt struct {
	id        Offset // of the reply or the ballot
	of        Offset // the reply, or the ballot's poll
	purpose   Purpose
	by        Identity // who may tell
	model     ModelID
	asker     PersonID
	autopilot Offset
	allowance Allowance
	until     time.Time // when the room stops waiting, if there is an allowance
}

const (
	maxDays  = 31
	maxDebts = 64
	debtTime = time.Minute
)

func checkPolicy(p Policy) error {
	if min(p.Total.Cost, p.Day.Cost) < 0 || min(p.Total.Tokens, p.Day.Tokens) < 0 {
		return invalid("limits of a room cannot be negative: use 0 for no limit")
	}
	return nil
}

func (s *State) setPolicy(m Meta, c SetPolicy) ([]Event, error) {
	if err := s.admin(m.By); err != nil {
		return nil, err
	}
	if err := checkPolicy(c.Policy); err != nil {
		return nil, err
	}
	if c.Policy == s.policy {
		return nil, nil
	}
	id, _ := m.By.Person() // admin has checked who it is
	return []Event{PolicyChanged{Policy: c.Policy, Name: s.people[id].Name}}, nil
}

func (s *State) recordUsage(m Meta, c RecordUsage) ([]Event, error) {
	what, id := "reply", c.Reply
	if c.Ballot != 0 {
		what, id = "ballot", c.Ballot
	}
	i := slices.IndexFunc(s.accounts.debts, func(d debt) bool { return d.id == id && (d.purpose == ForBallot) == (c.Ballot != 0) })
	if i < 0 {
		return nil, refuse(CodeGone, "%s %d was not stopped lately, or is accounted for", what, id)
	}
	d := s.accounts.debts[i]
	if m.By != d.by {
		return nil, refuse(CodeForbidden, "%s %d is not yours", what, id)
	}
	return []Event{d.record(brief(c.Served), Usage{}.plus(c.Usage))}, nil
}

func (d debt) record(served string, u Usage) Event {
	return UsageRecorded{
		Purpose: d.purpose, Of: d.of, Model: d.model, For: d.asker, Autopilot: d.autopilot, Served: served, Usage: u,
	}
}

// told reports whether an event says what the call took.
func (d debt) told(v UsageRecorded) bool {
	return d.of == v.Of && (d.purpose != ForBallot || d.model == v.Model)
}

// lost accounts for a call whose worker was lost: it may have taken all that it was allowed. Without an allowance there is
// nothing to say.
func (d debt) lost() []Event {
	if d.allowance == (Allowance{}) {
		return nil
	}
	return []Event{d.record("", d.allowance.most())}
}

// presume ends the wait for those who did not say what a call took in time: it may have taken all that it was allowed,
// so that is what the room has spent, and the entry says that it is not known.
func (s *State) presume(m Meta) []Event {
	var events []Event
	for _, d := range s.accounts.debts {
		if !d.until.IsZero() && !m.At.Before(d.until) {
			events = append(events, d.lost()...)
		}
	}
	return events
}

// debtsDue is when the first debt is to be presumed.
func (s *State) debtsDue() (due time.Time) {
	for _, d := range s.accounts.debts {
		due = sooner(due, d.until)
	}
	return due
}

// account folds what an entry says that was spent. It comes before the fold of the entry's theme, which forgets a reply
// that has ended.
func (s *State) account(e *Entry) {
	switch v := e.Event.(type) {
	case ReplyCompleted:
		s.accountReply(e, v.Reply, v.Usage)
	case ReplyFailed:
		s.accountReply(e, v.Reply, v.Usage)
	case ReplyDeclined:
		s.accountReply(e, v.Reply, v.Usage)
	case ReplyInterrupted:
		s.accountReply(e, v.Reply, Usage{})
	case BallotMissed:
		if v.Lost {
			s.oweBallots(e, v.Ballot.Poll, func(b *ballot) bool { return b.ref.ID == v.Ballot.ID })
		}
	case PollClosed:
		s.oweBallots(e, v.Poll, func(*ballot) bool { return true })
	case UsageRecorded:
		s.accounts.add(e.At, v.Usage, v.Model, v.For)
		s.accounts.settle(v)
		if held := s.holds(v); held != nil {
			*held = Allowance{}
		}
	case SummaryWritten:
		s.accounts.add(e.At, v.Usage, "", "")
	case SummaryFailed:
		s.accounts.add(e.At, v.Usage, "", "")
	}
}

// accountReply: who stops a model does not know what its reply took. The model is to say it later.
func (s *State) accountReply(e *Entry, ref ReplyRef, u Usage) {
	r := s.replies[ref.ID]
	if e.By == ModelIdentity(ref.Model) || u != (Usage{}) {
		var asker PersonID
		if r != nil {
			asker = r.asker
		}
		s.accounts.add(e.At, u, ref.Model, asker)
		return
	}
	if r != nil {
		s.accounts.owe(e, r.debt())
	}
}

// oweBallots remembers the open ballots of a poll that which picks: they end, and their models did not say what they took.
func (s *State) oweBallots(e *Entry, id Offset, which func(*ballot) bool) {
	p := s.polls.find(id)
	if p == nil || p.closing != nil {
		return
	}
	for i := range p.ballots {
		if b := &p.ballots[i]; b.open && which(b) {
			s.accounts.owe(e, p.debt(b))
		}
	}
}

// holds is the allowance of the call under way that an event says what it took of; nil if there is none.
func (s *State) holds(v UsageRecorded) *Allowance {
	switch v.Purpose {
	case ForInterrupted:
		if r, ok := s.replies[v.Of]; ok {
			return &r.allowance
		}
	case ForBallot:
		if p := s.polls.find(v.Of); p != nil {
			i := slices.IndexFunc(p.ballots, func(b ballot) bool { return b.open && b.ref.Model == v.Model })
			if i >= 0 {
				return &p.ballots[i].allowance
			}
		}
	case ForSummary:
		if open := s.summary.open; open != nil && open.id == v.Of {
			return &open.wanted.Allowance
		}
	}
	return nil
}

// add counts what a call took, for a model and for the person who led to it, if there are such.
func (a *accounts) add(at time.Time, u Usage, model ModelID, asker PersonID) {
	a.total = a.total.plus(u)
	a.addDay(at, u)
	if model != "" {
		a.addTo(ModelIdentity(model), u)
	}
	if asker != "" {
		a.addTo(PersonIdentity(asker), u)
	}
}

func (a *accounts) addDay(at time.Time, u Usage) {
	i, known := a.day(at)
	if !known {
		a.days = slices.Insert(a.days, i, Day{Date: dateOf(at)})
	}
	a.days[i].Usage = a.days[i].Usage.plus(u)
	if len(a.days) > maxDays {
		a.days = slices.Delete(a.days, 0, 1)
	}
}

// day returns the place of a day, and whether it has usage.
func (a *accounts) day(at time.Time) (i int, known bool) {
	return slices.BinarySearchFunc(a.days, dateOf(at), func(d Day, date string) int { return strings.Compare(d.Date, date) })
}

func dateOf(at time.Time) string { return at.UTC().Format(time.DateOnly) }

func (a *accounts) addTo(id Identity, u Usage) {
	i, known := a.place[id]
	if !known {
		if a.place == nil {
			a.place = make(map[Identity]int)
		}
		i = len(a.list)
		a.place[id] = i
		a.list = append(a.list, Account{Of: id})
	}
	a.list[i].Calls++
	a.list[i].Usage = a.list[i].Usage.plus(u)
}

// debt is the reply as one that is stopped.
func (r *running) debt() debt {
	d := debt{
		id: r.ref.ID, of: r.ref.ID, purpose: ForInterrupted, by: ModelIdentity(r.ref.Model), model: r.ref.Model,
		asker: r.asker, allowance: r.allowance,
	}
	if r.turn != nil {
		d.autopilot = r.turn.Autopilot
	}
	return d
}

// debt is a ballot as one that is stopped.
func (p *poll) debt(b *ballot) debt {
	d := debt{
		id: b.ref.ID, of: p.id, purpose: ForBallot, by: ModelIdentity(b.ref.Model), model: b.ref.Model,
		asker: p.opened.For, autopilot: p.opened.Autopilot, allowance: b.allowance,
	}
	if p.opened.Anonymous {
		d.by = System
	}
	return d
}

// owe remembers a call that was stopped. There is room for so many without an allowance: what the oldest of these took is
// never known, then. One with an allowance is remembered until it is told or presumed; no more can be than there is money.
func (a *accounts) owe(e *Entry, d debt) {
	if d.allowance != (Allowance{}) {
		d.until = e.At.Add(debtTime)
	} else if len(a.debts) >= maxDebts {
		if i := slices.IndexFunc(a.debts, func(d debt) bool { return d.until.IsZero() }); i >= 0 {
			a.debts = slices.Delete(a.debts, i, i+1)
		}
	}
	a.debts = append(a.debts, d)
}

// settle forgets the debt that an event tells of.
func (a *accounts) settle(v UsageRecorded) {
	if i := a.debt(v); i >= 0 {
		a.debts = slices.Delete(a.debts, i, i+1)
	}
}

func (a *accounts) debt(v UsageRecorded) int {
	return slices.IndexFunc(a.debts, func(d debt) bool { return d.told(v) })
}

func (s *State) viewAccounts() Accounts {
	a := &s.accounts
	v := Accounts{Total: a.total, Days: slices.Clone(a.days), Held: s.held()}
	if n := len(a.days); n > 0 {
		v.Day, v.Date = a.days[n-1].Usage, a.days[n-1].Date
	}
	for _, account := range a.list {
		if _, ok := account.Of.Model(); ok {
			v.Models = append(v.Models, account)
		} else {
			v.People = append(v.People, account)
		}
	}
	return v
}
