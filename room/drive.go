package room

import (
	"fmt"
	"slices"
	"strings"
)

// drive adds to what a command led to what the autopilot does on it: it starts the next turns, opens the vote, or ends.
// Everything an autopilot does by itself comes from here, whatever led to it: a turn that ended in whichever way, a vote
// that closed, a model that was removed, a person who resumed it.
func (s *State) drive(m Meta, events []Event) []Event {
	if !s.moves(events) {
		return events
	}
	a := s.foresee(m, events)
	if a == nil || a.Ended != nil {
		return events
	}
	present := s.present(a)
	switch {
	case a.closed != nil:
		return s.end(m, events, a.verdict())
	case a.Poll != 0:
		return events
	case a.incomplete(present) != "":
		return s.end(m, events, AutopilotEnded{Outcome: Broken, Reason: a.incomplete(present)})
	case a.Paused || a.busy():
		return events
	}
	if why := a.poor(); why != "" {
		return s.end(m, events, AutopilotEnded{Outcome: OutOfMoney, Reason: why})
	}
	if how, ok := a.stuck(len(present)); ok {
		return s.end(m, events, how)
	}
	switch next := s.plan(a).next(); {
	case next.vote:
		return s.vote(m, a, events, len(present))
	case len(next.models) > 0:
		return s.begin(m, a, events, next)
	}
	return s.end(m, events, a.done())
}

// moves reports whether an autopilot runs, or starts, and one of the events can move it: a turn or the vote of its own, a
// person who steers it, or the end of a call that held back what it needs.
func (s *State) moves(events []Event) bool {
	runs := s.autopilot != nil && s.autopilot.Ended == nil
	for _, event := range events {
		switch event.(type) {
		case AutopilotStarted:
			return true
		case AutopilotPaused, AutopilotResumed, AutopilotGuided, AutopilotEnded,
			ReplyCompleted, ReplyInterrupted, ReplyFailed, ReplyDeclined, VoteCast, BallotMissed, PollClosed,
			SummaryWritten, SummaryFailed, UsageRecorded, PolicyChanged, ModelRemoved:
			if runs {
				return true
			}
		}
	}
	return false
}

// foresee is the autopilot as it will be once events are in the log; nil if there is none.
func (s *State) foresee(m Meta, events []Event) *autopilot {
	after := State{}
	if s.autopilot != nil {
		a := *s.autopilot
		a.turns, a.voting = slices.Clone(a.turns), slices.Clone(a.voting)
		after.autopilot = &a
	}
	for i, event := range events {
		after.applyAutopilot(&Entry{Offset: s.head + 1 + Offset(i), At: m.At, By: m.By, Event: event})
	}
	return after.autopilot
}

// incomplete says who is missing to go on; nothing if nobody is.
func (a *autopilot) incomplete(present []ModelID) string {
	switch {
	case a.Started.Lead != "" && !slices.Contains(present, a.Started.Lead):
		return fmt.Sprintf("the lead %q was removed", a.Started.Lead)
	case len(present) < minParticipants:
		return "too few of its models are left in the room"
	}
	return ""
}

// stuck says how it ends if going on leads nowhere.
func (a *autopilot) stuck(participants int) (how AutopilotEnded, ok bool) {
	if quiet, agreed := a.quiet(participants); quiet {
		if text := a.lastText(); agreed && text != "" {
			return AutopilotEnded{Outcome: Finished, Summary: text, Reason: "nobody has anything to add"}, true
		}
		return AutopilotEnded{Outcome: Broken, Reason: fmt.Sprintf("%d turns in a row came to nothing", max(minParticipants, participants))}, true
	}
	if why := a.repeats(participants); why != "" {
		return AutopilotEnded{Outcome: Repeating, Summary: a.lastText(), Reason: why}, true
	}
	return how, false
}

// done says how it ends when everybody has had their turns.
func (a *autopilot) done() AutopilotEnded {
	how := AutopilotEnded{Outcome: OutOfTurns, Summary: a.lastText()}
	if a.Started.Mode == Relay && how.Summary != "" {
		how.Outcome = Finished
	}
	return how
}

// begin starts turns, within the limits of money. While too many replies are under way, or what is left is held by calls of
// which it is not known what they take, it waits until one ends.
func (s *State) begin(m Meta, a *autopilot, events []Event, next step) []Event {
	n := len(next.models)
	if s.rules.MaxReplies-s.runningAfter(events) < min(n, s.rules.MaxReplies) {
		return events
	}
	allowance, err := s.afford(m, a, n, events)
	if err != nil {
		return s.outOfMoney(m, a, n, events, err)
	}
	starter, _ := a.By.Person()
	then := s.plan(a).after(next).models
	for i, id := range next.models {
		turn := Turn{
			Autopilot: a.ID, N: a.Turn + 1 + i, Part: next.part, Last: next.last,
			Of: a.Started.Turns, Spent: a.Spent, Next: then,
		}
		like := ReplyRequested{Reply: ReplyRef{Trigger: a.ID}, For: starter, Allowance: allowance, Turn: &turn}
		events = append(events, s.request(m, []ModelID{id}, like)...)
	}
	return events
}

// afford is the allowance for each of n calls that begin now, within the autopilot's limit and the room's budget. Before are
// the events that the same command has led to already.
func (s *State) afford(m Meta, a *autopilot, n int, before []Event) (Allowance, error) {
	if a.Started.Limit == 0 {
		return s.allow(m, n, Allowance{}, before...)
	}
	left := a.left()
	if left < Cost(n) { // less than the smallest amount for each would read as no limit
		return Allowance{}, refuse(CodeConflict, "what is left of the limit does not pay for another turn")
	}
	return s.allow(m, n, Allowance{Cost: left}, before...)
}

// outOfMoney ends the autopilot, since n calls were refused, or waits where they were so only for what other calls hold:
// each of these ends, or is presumed to have taken all, and that drives the autopilot on.
func (s *State) outOfMoney(m Meta, a *autopilot, n int, events []Event, refusal error) []Event {
	if (a.Started.Limit == 0 || a.Started.Limit-a.Spent.Cost >= Cost(n)) && s.unspent(m, n, events) {
		return events
	}
	return s.end(m, events, AutopilotEnded{Outcome: OutOfMoney, Reason: refusal.Error()})
}

// runningAfter is how many replies run once events are in the log.
func (s *State) runningAfter(events []Event) int {
	n := len(s.replies)
	for _, event := range events {
		switch event.(type) {
		case ReplyRequested:
			n++
		case ReplyCompleted, ReplyInterrupted, ReplyFailed, ReplyDeclined:
			n--
		}
	}
	return n
}

// vote has the models choose among what they proposed.
func (s *State) vote(m Meta, a *autopilot, events []Event, voters int) []Event {
	list := a.proposals()
	if len(list) < minOptions {
		return s.end(m, events, unopposed(list))
	}
	if _, err := s.afford(m, a, voters, events); err != nil {
		return s.outOfMoney(m, a, voters, events, err)
	}
	c := OpenPoll{Question: "Which proposal is best?", Among: s.present(a)}
	for _, p := range list {
		c.Options = append(c.Options, Option{Text: p.by[0], Description: brief(p.text)})
	}
	polled, err := s.pollEvents(m, autopilotName, c, a.ID, events...)
	if err != nil {
		return s.end(m, events, AutopilotEnded{Outcome: Broken, Reason: "no vote: " + err.Error()})
	}
	if err := s.affordBallots(m, a, events, polled); err != nil {
		return s.end(m, events, AutopilotEnded{Outcome: OutOfMoney, Reason: err.Error()})
	}
	return s.drive(m, append(events, polled...)) // it may be over already
}

const (
	minOptions    = 2
	autopilotName = "Autopilot" // who opens its vote
)

// unopposed says how a consensus ends that has nothing to vote on.
func unopposed(list []proposal) AutopilotEnded {
	switch {
	case len(list) == 0:
		return AutopilotEnded{Outcome: Broken, Reason: "nobody made a proposal"}
	case len(list[0].by) == 1:
		return AutopilotEnded{Outcome: Broken, Summary: list[0].text, Reason: "only " + list[0].by[0] + " made a proposal"}
	}
	return AutopilotEnded{Outcome: Agreed, Summary: list[0].text, Reason: strings.Join(list[0].by, ", ") + " proposed the same"}
}

// affordBallots brings the ballots of a vote within the autopilot's limit.
func (s *State) affordBallots(m Meta, a *autopilot, before, polled []Event) error {
	var ballots []int
	for i, event := range polled {
		if _, ok := event.(BallotRequested); ok {
			ballots = append(ballots, i)
		}
	}
	if a.Started.Limit == 0 || len(ballots) == 0 {
		return nil
	}
	allowance, err := s.afford(m, a, len(ballots), before)
	if err != nil {
		return err
	}
	for _, i := range ballots {
		v := polled[i].(BallotRequested)
		v.Allowance = allowance
		polled[i] = v
	}
	return nil
}

// verdict says what the vote decided.
func (a *autopilot) verdict() AutopilotEnded {
	result, list := a.closed.Result, a.proposals()
	how := AutopilotEnded{Outcome: Disagreed, Poll: a.closed.Poll}
	switch result.Verdict {
	case Decided:
		if result.Winner >= 1 && result.Winner <= len(list) {
			how.Outcome, how.Summary = Agreed, list[result.Winner-1].text
		}
	case Tied:
		how.Reason = "the vote was a tie"
	case Unquorum:
		how.Reason = "too few voted"
	case Unvoted:
		how.Reason = "nobody voted"
	}
	return how
}

// checkEnding refuses to end what a reply may not end.
func (s *State) checkEnding(r *running, c CompleteReply) error {
	if c.Finish == nil && c.Ask == nil {
		return nil
	}
	a := s.autopilot
	switch {
	case r.turn == nil || a == nil || a.Ended != nil || r.turn.Autopilot != a.ID:
		return refuse(CodeForbidden, "reply %d is no turn of an autopilot: it has none to end", r.ref.ID)
	case !r.turn.Part.MayEnd():
		return refuse(CodeForbidden, "a %s may not end this autopilot", r.turn.Part)
	case c.Finish != nil && c.Ask != nil:
		return invalid("a turn may finish or ask the people, not both")
	}
	return nil
}

// endTurn is what a turn's own wish adds to its completion.
func (s *State) endTurn(m Meta, r *running, c CompleteReply, done []Event) ([]Event, error) {
	switch {
	case c.Finish != nil:
		summary := valid(c.Finish.Summary)
		if strings.TrimSpace(summary) == "" {
			summary = c.Text
		}
		return s.end(m, done, AutopilotEnded{Outcome: Finished, Name: r.ref.Name, Summary: summary}), nil
	case c.Ask != nil:
		how := AutopilotEnded{Outcome: Asked, Name: r.ref.Name, Reason: valid(c.Ask.Question)}
		polled, err := s.pollEvents(m, r.ref.Name, OpenPoll{Question: c.Ask.Question, Options: c.Ask.Options, People: true}, 0, done...)
		if err != nil { // the people are asked all the same
			how.Reason = brief(fmt.Sprintf("%s (no poll: %s)", how.Reason, err))
			return s.end(m, done, how), nil
		}
		how.Poll = s.head + 1 + Offset(len(done))
		return s.end(m, append(done, polled...), how), nil
	}
	return done, nil
}

// end adds to events the end of the autopilot, and interrupts its turns that are under way then. Where it did not come to a
// result, what was said last stands for one.
func (s *State) end(m Meta, events []Event, how AutopilotEnded) []Event {
	a := s.foresee(m, events)
	for _, t := range a.turns {
		if r, ok := s.replies[t.reply]; ok && t.fate == underWay {
			events = append(events, s.stop(m, r, "the autopilot has ended"))
		}
	}
	if p := s.polls.find(a.Poll); p != nil && a.closed == nil {
		events = append(events, s.closeEvents(m, p, PollEnded, how.Name)...)
	}
	if how.Summary == "" && (how.Outcome == OutOfMoney || how.Outcome == Broken) {
		how.Summary = a.lastText()
	}
	how.Autopilot, how.Goal, how.Turns, how.Spent = a.ID, a.Started.Goal, a.Turn, a.Spent
	return append(events, how)
}
