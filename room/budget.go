package room

import (
	"fmt"
	"math"
	"strings"
)

// A limit is the most that the calls of a room may take, and what of that is gone.
type limit struct {
	most  Allowance // zero fields mean no limit
	spent Allowance
	held  Allowance // what calls under way may still take
	who   string
	span  string // as in "this room may spend $5 a day and has spent $4 today"
	since string
	lift  string // what helps when it is reached
}

// allow is the allowance for each of n calls that are to begin now, within the limits of the server, of the room and,
// where they are not 0, of what is left to an autopilot; a negative one has nothing left. It is refused when nothing is
// left. Before are the events that the same command has led to already.
//
// What calls under way may still take counts as spent. So no sum of usages exceeds a limit as long as each call keeps to
// its allowance; only a limit that is set, or lowered, while calls are under way comes too late for these.
func (s *State) allow(m Meta, n int, left Allowance, before ...Event) (Allowance, error) {
	cost, some := share(left.Cost, 0, n)
	tokens, more := share(left.Tokens, 0, n)
	if min(left.Cost, Cost(left.Tokens)) < 0 || !some || !more {
		return Allowance{}, refuse(CodeBusy, "the autopilot has spent all it may: start another one with a higher limit").because(ReasonBudget)
	}
	each := Allowance{cost, tokens}
	for _, l := range s.limits(m, before) {
		cost, some := share(l.most.Cost, sum(l.spent.Cost, l.held.Cost, math.MaxInt64), n)
		if !some {
			return Allowance{}, l.reached(l.most.Cost.String(), l.spent.Cost.String(), l.held.Cost.String(), l.held.Cost > 0)
		}
		tokens, some := share(l.most.Tokens, sum(l.spent.Tokens, l.held.Tokens, math.MaxInt), n)
		if !some {
			return Allowance{}, l.reached(inTokens(l.most.Tokens), inTokens(l.spent.Tokens), inTokens(l.held.Tokens), l.held.Tokens > 0)
		}
		each.Cost, each.Tokens = tighter(each.Cost, cost), tighter(each.Tokens, tokens)
	}
	if each.Cost > 0 {
		each.Cost = tighter(each.Cost, s.rules.CallCost)
	}
	if each.Tokens > 0 {
		each.Tokens = tighter(each.Tokens, s.rules.CallTokens)
	}
	return each, nil
}

// unspent reports whether something is left for each of n calls once nothing is held any more.
func (s *State) unspent(m Meta, n int, before []Event) bool {
	for _, l := range s.limits(m, before) {
		_, cost := share(l.most.Cost, l.spent.Cost, n)
		_, tokens := share(l.most.Tokens, l.spent.Tokens, n)
		if !cost || !tokens {
			return false
		}
	}
	return true
}

// limits lists what holds for every call of the room.
func (s *State) limits(m Meta, before []Event) []limit {
	a := &s.accounts
	spent, held := s.ahead(m, before)
	total, day := a.total.plus(spent), spent
	if i, known := a.day(m.At); known {
		day = a.days[i].Usage.plus(spent)
	}
	const (
		server, serverLift = "on this server a room may spend", "ask whoever runs the server to raise the limit"
		room, roomLift     = "this room may spend", "ask an admin of the room to raise the limit"
		ever, daily, today = "in all", "a day", " today"
		midnight           = "wait for midnight (UTC), or "
	)
	return []limit{
		{s.rules.Total, total.took(), held, server, ever, "", serverLift},
		{s.rules.Day, day.took(), held, server, daily, today, midnight + serverLift},
		{s.policy.Total, total.took(), held, room, ever, "", roomLift},
		{s.policy.Day, day.took(), held, room, daily, today, midnight + roomLift},
	}
}

// ahead is what is spent by events that are not in the log yet, and what will be held once they are.
func (s *State) ahead(m Meta, before []Event) (spent Usage, held Allowance) {
	held = s.held()
	ends := func(r ReplyRef, u Usage) {
		spent = spent.plus(u)
		if running, ok := s.replies[r.ID]; ok && m.By == ModelIdentity(r.Model) { // otherwise it will be a debt
			held = held.without(running.allowance)
		}
	}
	for _, event := range before {
		switch v := event.(type) {
		case ReplyCompleted:
			ends(v.Reply, v.Usage)
		case ReplyFailed:
			ends(v.Reply, v.Usage)
		case ReplyDeclined:
			ends(v.Reply, v.Usage)
		case UsageRecorded:
			spent = spent.plus(v.Usage)
			if i := s.accounts.debt(v); i >= 0 {
				held = held.without(s.accounts.debts[i].allowance)
			}
			if under := s.holds(v); under != nil {
				held = held.without(*under)
			}
		case ReplyRequested:
			held = held.and(v.Allowance)
		case BallotRequested:
			held = held.and(v.Allowance)
		}
	}
	return spent, held
}

// again is the allowance for each of n calls that take the place of ones that were lost: for an autopilot's, within what it
// has left. Before are the events that account for these.
func (s *State) again(m Meta, n int, autopilot Offset, before []Event) (Allowance, error) {
	if a := s.foresee(m, before); autopilot != 0 && a != nil && a.Ended == nil && a.ID == autopilot {
		return s.afford(m, a, n, before)
	}
	return s.allow(m, n, Allowance{}, before...)
}

// held is what calls under way may still take, where they have an allowance, and what is not known yet of those that
// were stopped.
func (s *State) held() Allowance {
	held := s.heldBallots().and(s.summary.held())
	for _, r := range s.replies {
		held = held.and(r.allowance)
	}
	for _, d := range s.accounts.debts {
		held = held.and(d.allowance)
	}
	return held
}

// and is what two calls may take together. One without a limit adds nothing.
func (a Allowance) and(b Allowance) Allowance {
	return Allowance{sum(a.Cost, b.Cost, math.MaxInt64), sum(a.Tokens, b.Tokens, math.MaxInt)}
}

func (a Allowance) without(b Allowance) Allowance {
	return Allowance{max(a.Cost-max(b.Cost, 0), 0), max(a.Tokens-max(b.Tokens, 0), 0)}
}

// share is what each of n calls may take where most is allowed and gone of it is gone; 0 if there is no limit.
func share[T ~int | ~int64](most, gone T, n int) (each T, some bool) {
	if most <= 0 {
		return 0, true
	}
	each = (most - min(most, gone)) / T(max(n, 1))
	return each, each > 0
}

// tighter is the lower of two limits; 0 is none.
func tighter[T ~int | ~int64](a, b T) T {
	if a <= 0 || 0 < b && b < a {
		return b
	}
	return a
}

func inTokens(n int) string { return fmt.Sprintf("%d tokens", n) }

// reached is the refusal of a call for which nothing is left.
func (l limit) reached(most, spent, held string, waiting bool) error {
	text := fmt.Sprintf("%s %s %s and has spent %s%s", l.who, most, l.span, spent, l.since)
	lift := []string{l.lift}
	if waiting {
		text += ", and calls under way may take " + held
		lift = append([]string{"wait for these"}, lift...)
	}
	return refuse(CodeBusy, "%s: %s", text, strings.Join(lift, ", or ")).because(ReasonBudget)
}
