package client

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	roompb "parley/proto/gen/api/room"
)

// Money is money spent on models, in billionths of a US dollar.
type Money int64

// Dollar is one US dollar.
const Dollar Money = 1_000_000_000

// String writes money as people do: "$1.50", and less than a cent as exactly as it is: "$0.00042".
func (m Money) String() string {
	sign := ""
	if m < 0 {
		sign = "-"
	}
	text := new(big.Rat).SetFrac64(int64(m), int64(Dollar)).FloatString(9)
	text = strings.TrimPrefix(text, "-")
	if m > -Dollar/100 && m < Dollar/100 && m != 0 {
		return sign + "$" + strings.TrimRight(text, "0")
	}
	cents := new(big.Rat).SetFrac64(int64(m), int64(Dollar)).FloatString(2)
	return sign + "$" + strings.TrimPrefix(cents, "-")
}

// ParseMoney reads dollars, such as "0.50" or "$2".
func ParseMoney(text string) (Money, error) {
	r, ok := new(big.Rat).SetString(strings.TrimPrefix(text, "$"))
	if !ok || strings.ContainsAny(text, "eE/_") || r.Sign() < 0 {
		return 0, fmt.Errorf("%q is no amount of money: use dollars, such as 0.50", text)
	}
	r.Mul(r, new(big.Rat).SetInt64(int64(Dollar)))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, fmt.Errorf("%q is too exact, or too much: use dollars, such as 0.50", text)
	}
	return Money(r.Num().Int64()), nil
}

// Usage is what calls of models took.
type Usage struct {
	Input    int // tokens read
	Output   int // tokens written
	Cost     Money
	Unpriced bool // some of it has no known price: Cost is too low
}

// Plus adds two usages.
func (u Usage) Plus(o Usage) Usage {
	return Usage{u.Input + o.Input, u.Output + o.Output, u.Cost + o.Cost, u.Unpriced || o.Unpriced}
}

// An Allowance is the most that may be spent. Zero fields set no limit.
type Allowance struct {
	Cost   Money
	Tokens int // read and written together
}

// A Policy is what a room allows and what it may spend.
type Policy struct {
	ModelPolls bool      // models may open polls
	Total      Allowance // for as long as the room exists
	Day        Allowance // from midnight to midnight, UTC
}

// An Account is what one model took, or what one person led to.
type Account struct {
	ID      string
	Name    string // empty if the room does not know it any more
	ByModel bool
	Calls   int
	Usage   Usage
}

// Cost is what a room has spent, and what it may.
type Cost struct {
	Total       Usage
	Day         Usage  // of Date
	Date        string // UTC, such as 2026-11-22; empty if nothing was ever spent
	Models      []Account
	People      []Account
	Held        Allowance // what calls under way may still take, where they have a limit
	Policy      Policy    // the room's own limits
	ServerTotal Allowance // the server's, for any room; empty in a Snapshot
	ServerDay   Allowance
}

// Mode says who speaks when while models work on a goal.
type Mode string

// The modes.
const (
	RoundRobin Mode = "round_robin" // one after the other, again and again
	Leader     Mode = "leader"      // the lead, then all others at once, again and again
	Debate     Mode = "debate"      // the others in turn, then the lead as judge of the round
	Relay      Mode = "relay"       // each once, on what the one before left
	Consensus  Mode = "consensus"   // all at once, each with a proposal, then a vote on these
)

// Modes lists the modes.
func Modes() []Mode { return []Mode{RoundRobin, Leader, Debate, Relay, Consensus} }

// Outcome says why an autopilot ended.
type Outcome string

// The outcomes.
const (
	Finished   Outcome = "finished"
	Asked      Outcome = "asked" // a model asks the people
	Agreed     Outcome = "agreed"
	Disagreed  Outcome = "disagreed"
	Stopped    Outcome = "stopped"
	OutOfTurns Outcome = "turns"
	OutOfMoney Outcome = "money"
	Repeating  Outcome = "repeating"
	Broken     Outcome = "broken"
)

// An Autopilot is models at work on a goal.
type Autopilot struct {
	ID          string
	StarterID   string
	StarterName string
	Goal        string
	Mode        Mode
	Models      []string // ids, in the order they speak
	Lead        string   // leader or judge; empty where the mode has none
	Turns       int      // most turns
	Limit       Money    // 0 means no limit of its own
	Turn        int      // turns begun
	Spent       Usage
	Next        []string // ids of the models that speak next, as things are
	Paused      bool
	PollID      string // the vote under way, of a consensus
	Guides      []Message
	End         *AutopilotEnd // nil while it has not ended
}

// An AutopilotEnd is how an autopilot ended.
type AutopilotEnd struct {
	AutopilotID string
	Goal        string
	Outcome     Outcome
	Name        string // the person or model that ended it; empty if it ended by itself
	Summary     string
	Reason      string
	PollID      string // the question to the people, or the vote that decided
	Turns       int
	Spent       Usage
}

// A Turn is a reply's place in an autopilot.
type Turn struct {
	AutopilotID string
	MessageID   string // the reply
	ModelID     string
	Part        string // what is asked of the model, such as "judge"
	N           int    // 1 is the first
	Of          int    // most turns
	Spent       Usage  // by the turns that ended before
	Next        []string
	Last        bool // no turn can follow
}

// A Summary is what was said up to a message, in a few words.
type Summary struct {
	Upto uint64 // the offset of the newest message's event that it tells of
	Text string
	At   time.Time
}

// A Council is what a room decides and how far its models have come: its polls, its autopilot and its policy. It is made
// of a Snapshot and kept up to date by the events that follow. The zero Council is of a room without any.
type Council struct {
	Polls     []Poll // the open ones and the newest of the closed, oldest first
	Autopilot *Autopilot
	Policy    Policy

	turns map[string]bool // the autopilot's replies under way, by message id
}

// Apply folds an event.
func (c *Council) Apply(e Event) {
	switch e := e.(type) {
	case Snapshot:
		*c = Council{Polls: slices.Clone(e.Polls), Policy: e.Policy, turns: make(map[string]bool)}
		for i := range c.Polls {
			c.Polls[i] = c.Polls[i].clone()
		}
		if e.Autopilot != nil {
			a := *e.Autopilot
			c.Autopilot = &a
		}
		for _, r := range e.Replies {
			if r.Turn != nil {
				c.turns[r.ID] = true
			}
		}
	case PolicyChanged:
		c.Policy = e.Policy
	case PollCreated:
		c.Polls = append(c.Polls, e.Poll.clone())
		c.forget()
		if c.Autopilot != nil && e.Poll.AutopilotID == c.Autopilot.ID {
			c.Autopilot.PollID = e.Poll.ID
		}
	case BallotRequested, BallotMissed, Voted, PollClosed:
		c.applyPoll(e)
	default:
		c.applyAutopilot(e)
	}
}

// keptPolls is how many closed polls a Council remembers.
const keptPolls = 20

// forget drops the oldest of too many closed polls.
func (c *Council) forget() {
	closed := 0
	for i := len(c.Polls) - 1; i >= 0; i-- {
		if !c.Polls[i].Open() {
			if closed++; closed > keptPolls {
				c.Polls = slices.Delete(c.Polls, i, i+1)
			}
		}
	}
}

// Poll finds a poll by its id; nil if it is not known.
func (c *Council) Poll(id string) *Poll {
	for i := range c.Polls {
		if c.Polls[i].ID == id {
			return &c.Polls[i]
		}
	}
	return nil
}

// Running is the autopilot that has not ended; nil if there is none.
func (c *Council) Running() *Autopilot {
	if c.Autopilot == nil || c.Autopilot.End != nil {
		return nil
	}
	return c.Autopilot
}

func (c *Council) applyAutopilot(e Event) {
	if e, ok := e.(AutopilotStarted); ok {
		a := e.Autopilot
		c.Autopilot, c.turns = &a, make(map[string]bool)
		return
	}
	a := c.Autopilot
	if a == nil {
		return
	}
	switch e := e.(type) {
	case TurnBegan:
		if e.Turn.AutopilotID == a.ID {
			a.Turn, a.Next = max(a.Turn, e.Turn.N), e.Turn.Next
			a.Turns = max(a.Turns, e.Turn.Of)
			if len(c.turns) == 0 { // else others have ended since it was decided, or will have
				a.Spent = e.Turn.Spent
			}
			if c.turns == nil {
				c.turns = make(map[string]bool)
			}
			c.turns[e.Turn.MessageID] = true
		}
	case Done:
		if c.turns[e.MessageID] {
			delete(c.turns, e.MessageID)
			a.Spent = a.Spent.Plus(e.Usage)
		}
	case Spent:
		if e.AutopilotID == a.ID {
			a.Spent = a.Spent.Plus(e.Usage)
		}
	case MessageReceived:
		if e.Message.AutopilotID == a.ID && e.Message.ID != a.ID {
			a.Guides = append(slices.Clip(a.Guides), e.Message)
		}
	case AutopilotPaused:
		a.Paused = a.Paused || e.AutopilotID == a.ID
	case AutopilotResumed:
		a.Paused = a.Paused && e.AutopilotID != a.ID
	case AutopilotEnded:
		if e.End.AutopilotID == a.ID {
			end := e.End
			a.End, a.Turn, a.Spent, a.Next, a.Paused, a.PollID = &end, end.Turns, end.Spent, nil, false, ""
		}
	}
}

func usageFrom(u *roompb.Usage) Usage {
	return Usage{int(u.GetInputTokens()), int(u.GetOutputTokens()), Money(u.GetNanoUsd()), u.GetUnpriced()}
}

func allowanceFrom(a *roompb.Allowance) Allowance {
	return Allowance{Money(a.GetNanoUsd()), int(a.GetTokens())}
}

func (a Allowance) wire() *roompb.Allowance {
	return &roompb.Allowance{NanoUsd: int64(a.Cost), Tokens: uint64(max(a.Tokens, 0))}
}

func policyFrom(p *roompb.Policy) Policy {
	return Policy{p.GetLlmPolls(), allowanceFrom(p.GetTotal()), allowanceFrom(p.GetDay())}
}

func (p Policy) wire() *roompb.Policy {
	return &roompb.Policy{LlmPolls: p.ModelPolls, Total: p.Total.wire(), Day: p.Day.wire()}
}

func accountFrom(a *roompb.Account) Account {
	return Account{a.GetId(), a.GetName(), a.GetType() == roompb.ParticipantType_LLM, int(a.GetCalls()), usageFrom(a.GetUsage())}
}

func costFrom(a *roompb.Accounts, p *roompb.Policy) Cost {
	return Cost{
		Total: usageFrom(a.GetTotal()), Day: usageFrom(a.GetDay()), Date: a.GetDate(), Models: each(a.GetLlms(), accountFrom),
		People: each(a.GetPeople(), accountFrom), Held: allowanceFrom(a.GetHeld()), Policy: policyFrom(p),
	}
}

// The enums. What a later server says beyond them is the empty value.
var (
	modes = map[Mode]roompb.AutopilotMode{
		RoundRobin: roompb.AutopilotMode_AUTOPILOT_MODE_ROUND_ROBIN, Leader: roompb.AutopilotMode_AUTOPILOT_MODE_LEADER,
		Debate: roompb.AutopilotMode_AUTOPILOT_MODE_DEBATE, Relay: roompb.AutopilotMode_AUTOPILOT_MODE_RELAY,
		Consensus: roompb.AutopilotMode_AUTOPILOT_MODE_CONSENSUS,
	}
	outcomes = map[Outcome]roompb.AutopilotOutcome{
		Finished: roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_FINISHED, Asked: roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_ASKED,
		Agreed: roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_AGREED, Disagreed: roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_DISAGREED,
		Stopped:    roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_STOPPED,
		OutOfTurns: roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_OUT_OF_TURNS,
		OutOfMoney: roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_OUT_OF_MONEY,
		Repeating:  roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_REPEATING, Broken: roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_BROKEN,
	}
)

// valueOf finds the value that stands for wire; the zero value if none does.
func valueOf[K, V comparable](values map[K]V, wire V) (value K) {
	for k, v := range values {
		if v == wire {
			return k
		}
	}
	return value
}

func autopilotFrom(a *roompb.Autopilot) *Autopilot {
	if a == nil {
		return nil
	}
	out := &Autopilot{
		ID: a.GetAutopilotId(), StarterID: a.GetStarterId(), StarterName: a.GetStarterName(), Goal: a.GetGoal(),
		Mode: valueOf(modes, a.GetMode()), Models: a.GetLlmIds(), Lead: a.GetLeadLlmId(), Turns: int(a.GetTurns()),
		Limit: Money(a.GetLimitNanoUsd()), Turn: int(a.GetTurn()), Spent: usageFrom(a.GetSpent()), Next: a.GetNextLlmIds(),
		Paused: a.GetPaused(), PollID: a.GetPollId(), Guides: each(a.GetGuides(), messageFrom),
	}
	if a.GetEnded() != nil {
		end := endedFrom(a.GetEnded())
		out.End = &end
	}
	return out
}

func endedFrom(e *roompb.AutopilotEnded) AutopilotEnd {
	return AutopilotEnd{
		AutopilotID: e.GetAutopilotId(), Goal: e.GetGoal(), Outcome: valueOf(outcomes, e.GetOutcome()), Name: e.GetEndedByName(),
		Summary: e.GetSummary(), Reason: e.GetReason(), PollID: e.GetPollId(), Turns: int(e.GetTurns()), Spent: usageFrom(e.GetSpent()),
	}
}

func turnFrom(t *roompb.AutopilotTurn) *Turn {
	if t == nil {
		return nil
	}
	part := ""
	if t.GetPart() != 0 {
		part = strings.ToLower(strings.TrimPrefix(t.GetPart().String(), "AUTOPILOT_PART_"))
	}
	return &Turn{
		AutopilotID: t.GetAutopilotId(), MessageID: t.GetMessageId(), ModelID: t.GetLlmId(), Part: part, N: int(t.GetTurn()),
		Of: int(t.GetTurns()), Spent: usageFrom(t.GetSpent()), Next: t.GetNextLlmIds(), Last: t.GetLast(),
	}
}

func summaryFrom(s *roompb.Summary) *Summary {
	if s == nil {
		return nil
	}
	return &Summary{s.GetUptoOffset(), s.GetText(), timeFrom(s.GetWrittenAt())}
}

// numberOf is the number of an option within its poll, 0 if the id is none.
func numberOf(optionID string) int {
	_, number, _ := strings.Cut(optionID, ".")
	n, _ := strconv.Atoi(number)
	return n
}

func numbersOf(optionIDs []string) []int { return each(optionIDs, numberOf) }
