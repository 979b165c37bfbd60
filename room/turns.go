package room

import (
	"fmt"
	"slices"
)

// autopilot is the State's part of an Autopilot: what its turns came to, as long as it runs.
type autopilot struct {
	Autopilot
	turns  []taken
	gone   []ModelID // who took part and has no seat any more
	heard  int       // turns begun when a person last resumed or guided it
	held   Cost      // what turns and ballots may still cost, beside Spent
	voting []ballotHold
	closed *PollClosed  // the vote that is over
	guides []remembered // what people said to mind, oldest first
	to     []Identity   // who may see it; empty means everyone
}

// taken is a turn that has begun.
type taken struct {
	reply Offset
	model ModelID
	name  string
	part  Part
	round int  // turns of one round began at once and do not know each other
	held  Cost // what it may still cost
	fate  fate
	text  string
	poor  string // why its model was not asked, if money was short
}

// fate is how a turn ended.
type fate int

// The fates.
const (
	underWay fate = iota
	spoke
	declined
	failed
	stopped
)

// ballotHold is what a model's ballot may still cost.
type ballotHold struct {
	model ModelID
	cost  Cost
}

// applyAutopilot folds what an entry means to the autopilot.
func (s *State) applyAutopilot(e *Entry) {
	if v, ok := e.Event.(AutopilotStarted); ok {
		s.autopilot = &autopilot{Autopilot: Autopilot{ID: e.Offset, By: e.By, Started: v}, to: e.To}
		return
	}
	if s.autopilot != nil {
		s.autopilot.fold(e)
	}
}

// fold takes in what an entry means to it. When it has ended, only what it spent may still be told.
func (a *autopilot) fold(e *Entry) {
	if v, ok := e.Event.(UsageRecorded); ok {
		a.used(v)
	}
	if a.Ended != nil {
		return
	}
	switch v := e.Event.(type) {
	case ReplyRequested:
		a.begun(e.Offset, v)
	case ReplyResumed:
		if t := a.turn(v.Reply.ID); t != nil && t.fate == underWay {
			a.hold(&t.held, v.Allowance)
		}
	case ReplyCompleted:
		a.over(v.Reply.ID, spoke, v.Text, v.Usage)
	case ReplyDeclined:
		a.over(v.Reply.ID, declined, "", v.Usage)
	case ReplyFailed:
		if e.By == ModelIdentity(v.Reply.Model) {
			a.over(v.Reply.ID, failed, "", v.Usage)
			if t := a.turn(v.Reply.ID); t != nil && v.Unaffordable {
				t.poor = v.Reason
			}
		} else {
			a.cut(v.Reply.ID, failed, "")
		}
	case ReplyInterrupted:
		a.cut(v.Reply.ID, stopped, v.Text)
	case ModelRemoved:
		a.gone = append(a.gone[:len(a.gone):len(a.gone)], v.ID)
	case PollOpened:
		if v.Autopilot == a.ID {
			a.Poll = e.Offset
		}
	case BallotRequested:
		a.asked(v)
	case BallotResumed:
		for i := range a.voting {
			if a.Poll != 0 && v.Ballot.Poll == a.Poll && v.Ballot.Model == a.voting[i].model {
				a.hold(&a.voting[i].cost, v.Allowance)
			}
		}
	case PollClosed:
		if v.Poll == a.Poll && a.Poll != 0 {
			a.closed = &v
		}
	case AutopilotPaused:
		a.Paused = a.Paused || v.Autopilot == a.ID
	case AutopilotResumed:
		if v.Autopilot == a.ID {
			a.Paused, a.heard = false, len(a.turns)
		}
	case AutopilotGuided:
		a.guided(e, v)
	case AutopilotEnded:
		if v.Autopilot == a.ID {
			*a = autopilot{Autopilot: a.Autopilot, guides: a.guides, to: a.to}
			a.Ended, a.Paused, a.Poll = &v, false, 0
		}
	}
}

func (a *autopilot) begun(id Offset, v ReplyRequested) {
	if v.Turn == nil || v.Turn.Autopilot != a.ID {
		return
	}
	round := 0
	if n := len(a.turns); n > 0 {
		if round = a.turns[n-1].round; !a.busy() {
			round++
		}
	}
	a.held += v.Allowance.Cost
	a.Turn++
	a.turns = append(a.turns, taken{
		reply: id, model: v.Reply.Model, name: v.Reply.Name, part: v.Turn.Part, round: round, held: v.Allowance.Cost,
	})
}

// over ends a turn that tells what it took.
func (a *autopilot) over(reply Offset, how fate, text string, took Usage) {
	if t := a.turn(reply); t != nil && t.fate == underWay {
		t.fate, t.text = how, text
		a.release(&t.held)
		a.spend(took)
	}
}

// cut ends a turn that its model did not end. What it took is told later: until then it may be all that was allowed.
func (a *autopilot) cut(reply Offset, how fate, text string) {
	if t := a.turn(reply); t != nil && t.fate == underWay {
		t.fate, t.text = how, text
	}
}

// used takes in what a turn that was cut, or a ballot, took.
func (a *autopilot) used(v UsageRecorded) {
	if v.Autopilot != a.ID {
		return
	}
	a.spend(v.Usage)
	if t := a.turn(v.Of); t != nil {
		a.release(&t.held)
	}
	for i := range a.voting {
		if v.Of == a.Poll && a.voting[i].model == v.Model {
			a.release(&a.voting[i].cost)
		}
	}
}

// asked holds what a ballot may cost.
func (a *autopilot) asked(v BallotRequested) {
	if a.Poll != 0 && v.Ballot.Poll == a.Poll {
		a.held += v.Allowance.Cost
		a.voting = append(a.voting, ballotHold{v.Ballot.Model, v.Allowance.Cost})
	}
}

func (a *autopilot) release(held *Cost) { a.held, *held = a.held-*held, 0 }

// hold takes what another attempt may cost for what the one before might.
func (a *autopilot) hold(held *Cost, of Allowance) {
	if of != (Allowance{}) {
		a.release(held)
		a.held, *held = a.held+of.Cost, of.Cost
	}
}

func (a *autopilot) spend(u Usage) {
	a.Spent.Input += u.Input
	a.Spent.Output += u.Output
	a.Spent.Cost += u.Cost
	a.Spent.Unpriced = a.Spent.Unpriced || u.Unpriced
}

// maxGuides is how many of the newest guides are kept.
const maxGuides = 20

func (a *autopilot) guided(e *Entry, v AutopilotGuided) {
	guide, ok := MessageOf(e)
	if v.Autopilot != a.ID || !ok {
		return
	}
	a.heard = len(a.turns)
	kept := a.guides[max(0, len(a.guides)-maxGuides+1):]
	a.guides = append(kept[:len(kept):len(kept)], remembered{guide, e.To})
}

func (a *autopilot) turn(reply Offset) *taken {
	for i := range a.turns {
		if a.turns[i].reply == reply {
			return &a.turns[i]
		}
	}
	return nil
}

// busy reports whether a turn is under way.
func (a *autopilot) busy() bool {
	return slices.ContainsFunc(a.turns, func(t taken) bool { return t.fate == underWay })
}

// left is what may still be spent, where there is a limit.
func (a *autopilot) left() Cost { return a.Started.Limit - a.Spent.Cost - a.held }

// lastText is what was said last.
func (a *autopilot) lastText() string {
	for _, t := range slices.Backward(a.turns) {
		if t.text != "" {
			return t.text
		}
	}
	return ""
}

// present lists who still takes part, in the order they speak.
func (s *State) present(a *autopilot) []ModelID {
	_, present := divide(a.Started.Models, func(id ModelID) bool {
		return slices.Contains(a.gone, id) || findModel(s.info.Models, id) == nil
	})
	return present
}

// plan is what says who speaks next.
func (s *State) plan(a *autopilot) *plan {
	v := a.Started
	return &plan{mode: v.Mode, models: v.Models, present: s.present(a), lead: v.Lead, most: v.Turns, turns: a.turns}
}

// poor says why a model was not asked since a person was last heard, if money was short.
func (a *autopilot) poor() string {
	for _, t := range a.turns[min(a.heard, len(a.turns)):] {
		if t.poor != "" {
			return t.poor
		}
	}
	return ""
}

// quiet tells whether as many turns in a row as there are participants came to nothing, and whether all of them were
// declined.
func (a *autopilot) quiet(participants int) (quiet, agreed bool) {
	n, agreed := 0, true
	for _, t := range slices.Backward(a.turns[min(a.heard, len(a.turns)):]) {
		if t.fate != declined && t.fate != failed {
			break
		}
		n++
		agreed = agreed && t.fate == declined
	}
	return n >= max(2, participants), agreed
}

// repeats tells who said in the last round what was said before: by the same model in its turn before, or by anybody in
// as many turns as there are participants. Where each speaks once there is nothing to go round in.
func (a *autopilot) repeats(participants int) string {
	if a.Started.Mode == Relay || a.Started.Mode == Consensus {
		return ""
	}
	for i := len(a.turns) - 1; i >= a.heard && a.turns[i].round == a.turns[len(a.turns)-1].round; i-- {
		if t := a.turns[i]; t.fate == spoke {
			if why := a.repeated(t, i, participants); why != "" {
				return why
			}
		}
	}
	return ""
}

func (a *autopilot) repeated(t taken, at, participants int) string {
	own := false // its turn before was found
	for i := at - 1; i >= a.heard; i-- {
		old := a.turns[i]
		before := old.model == t.model && !own
		near := at-i <= participants
		own = own || before
		if old.fate != spoke || old.round == t.round || !before && !near || !sameText(old.text, t.text) {
			continue
		}
		if before {
			return t.name + " said the same as in its turn before"
		}
		return fmt.Sprintf("%s said the same as %s", t.name, old.name)
	}
	return ""
}

// A proposal is a text of a consensus, and who made it.
type proposal struct {
	text string
	by   []string
}

// proposals are what the models proposed; the same text of several models is one.
func (a *autopilot) proposals() (list []proposal) {
	for _, t := range a.turns {
		if t.fate != spoke {
			continue
		}
		same := func(p proposal) bool { return sameText(p.text, t.text) }
		if i := slices.IndexFunc(list, same); i >= 0 {
			list[i].by = append(list[i].by, t.name)
		} else {
			list = append(list, proposal{t.text, []string{t.name}})
		}
	}
	return list
}
