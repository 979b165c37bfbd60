package room

import "slices"

// A plan is all that says who speaks next in an autopilot.
type plan struct {
	mode    Mode
	models  []ModelID // who was to take part, in the order they speak
	present []ModelID // those of them that still do
	lead    ModelID
	most    int     // turns
	turns   []taken // begun so far, none of them under way
}

// A step is what follows when no turn is under way. The zero step means that nothing does.
type step struct {
	models []ModelID // they speak, at once
	part   Part
	last   bool // no turn can follow
	vote   bool // the models vote on what they proposed
}

// next says what follows.
func (p *plan) next() step {
	switch p.mode {
	case RoundRobin:
		return p.roundRobin()
	case Leader:
		return p.leader()
	case Debate:
		return p.debate()
	case Relay:
		return p.relay()
	case Consensus:
		return p.consensus()
	}
	return step{} // a mode that only a later version knows
}

// after says what follows once a step has been taken.
func (p *plan) after(s step) step {
	then := *p
	then.turns = slices.Clip(p.turns)
	for _, id := range s.models {
		then.turns = append(then.turns, taken{model: id, part: s.part})
	}
	return then.next()
}

// left is how many turns may still begin.
func (p *plan) left() int { return max(0, p.most-len(p.turns)) }

// say has models speak at once, as many as there are turns left.
func (p *plan) say(part Part, models ...ModelID) step {
	n := min(len(models), p.left())
	if n == 0 {
		return step{}
	}
	return step{models: models[:n], part: part, last: n == p.left()}
}

// others are those who are present, without the lead.
func (p *plan) others() []ModelID {
	_, others := divide(p.present, func(id ModelID) bool { return id == p.lead })
	return others
}

// roundRobin: whoever comes after the last speaker, and after the last in the list the first.
func (p *plan) roundRobin() step {
	if len(p.present) == 0 {
		return step{}
	}
	behind := 0
	if n := len(p.turns); n > 0 {
		behind = slices.Index(p.models, p.turns[n-1].model) + 1
	}
	for _, id := range p.models[behind:] {
		if slices.Contains(p.present, id) {
			return p.say(Speaker, id)
		}
	}
	return p.say(Speaker, p.present[0])
}

// leader: the lead, then all others at once, again and again. The last turn is the lead's, as only the lead finishes.
func (p *plan) leader() step {
	n := len(p.turns)
	if n == 0 || p.turns[n-1].part != Lead || p.left() <= 1 {
		return p.say(Lead, p.lead)
	}
	others := p.others()
	return p.say(Follower, others[:min(len(others), p.left()-1)]...)
}

// debate: the others in turn, then the judge, again and again. The last turn is the judge's.
func (p *plan) debate() step {
	if p.left() <= 1 {
		return p.say(Judge, p.lead)
	}
	round := p.turns
	for i, t := range slices.Backward(p.turns) {
		if t.part == Judge {
			round = p.turns[i+1:]
			break
		}
	}
	if waiting := silentIn(round, p.others()); len(waiting) > 0 {
		return p.say(Debater, waiting[0])
	}
	return p.say(Judge, p.lead)
}

// relay: each once.
func (p *plan) relay() step {
	waiting := silentIn(p.turns, p.present)
	if len(waiting) == 0 {
		return step{}
	}
	next := p.say(Runner, waiting[0])
	next.last = next.last || len(waiting) == 1
	return next
}

// consensus: all at once, then the vote.
func (p *plan) consensus() step {
	if len(p.turns) > 0 {
		return step{vote: true}
	}
	next := p.say(Proposer, p.present...)
	next.last = false
	return next
}

// silentIn lists those who had no turn in a round.
func silentIn(round []taken, models []ModelID) []ModelID {
	_, silent := divide(models, func(id ModelID) bool {
		return slices.ContainsFunc(round, func(t taken) bool { return t.model == id })
	})
	return silent
}
