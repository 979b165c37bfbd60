package room

import (
	"slices"
	"strings"
)

// The limits of an autopilot. One model alone is none: it would talk to itself, and nobody would notice that it goes wrong.
const (
	minParticipants   = 2
	maxAutopilotTurns = 200
)

func (s *State) startAutopilot(m Meta, c StartAutopilot) ([]Event, error) {
	p, err := s.writer(m.By)
	if err != nil {
		return nil, err
	}
	if a := s.autopilot; a != nil && a.Ended == nil {
		return nil, refuse(CodeConflict, "autopilot %d is at work: stop it first, or wait until it ends", a.ID)
	}
	if strings.TrimSpace(c.Goal) == "" {
		return nil, invalid("an autopilot needs a goal: say what the models are to reach")
	}
	if err := s.checkText(c.Goal); err != nil {
		return nil, err
	}
	started := AutopilotStarted{Name: p.Name, Goal: c.Goal, Mode: c.Mode, Limit: c.Limit}
	if started.Models, err = s.participants(c.Models); err != nil {
		return nil, err
	}
	if started.Lead, err = lead(c, started.Models); err != nil {
		return nil, err
	}
	if err := s.checkCrowd(c.Mode, len(started.Models)); err != nil {
		return nil, err
	}
	if started.Turns, err = s.turns(c, len(started.Models)); err != nil {
		return nil, err
	}
	if c.Limit < 0 {
		return nil, invalid("limit of an autopilot: use 0 for none, or an amount")
	}
	return []Event{started}, nil
}

// participants checks who is to take part; nobody in particular means all of the room.
func (s *State) participants(wanted []ModelID) ([]ModelID, error) {
	if len(wanted) == 0 {
		wanted = s.pick(func(ModelID) bool { return true })
	}
	for i, id := range wanted {
		if _, err := s.model(id); err != nil {
			return nil, err
		}
		if slices.Contains(wanted[:i], id) {
			return nil, invalid("model %q takes part twice: name it once", id)
		}
	}
	if len(wanted) < minParticipants {
		return nil, invalid("an autopilot needs at least %d models: name more, or add one to the room", minParticipants)
	}
	return slices.Clone(wanted), nil
}

// lead checks the mode, and who leads or judges.
func lead(c StartAutopilot, models []ModelID) (ModelID, error) {
	switch c.Mode {
	case RoundRobin, Relay, Consensus:
		if c.Lead != "" {
			return "", invalid("mode %s has no lead: name none", c.Mode)
		}
		return "", nil
	case Leader, Debate:
		if c.Lead == "" {
			return models[0], nil
		}
		if !slices.Contains(models, c.Lead) {
			return "", invalid("the lead %q does not take part: name one of the models that do", clip(string(c.Lead)))
		}
		return c.Lead, nil
	}
	return "", invalid("mode of an autopilot: use round_robin, leader, debate, relay or consensus")
}

// checkCrowd refuses more models than can speak at once, or be voted on, in a mode.
func (s *State) checkCrowd(mode Mode, models int) error {
	if mode == Consensus && models > mostOptions {
		return invalid("mode %s ends in a vote on the proposals: name at most %d models", mode, mostOptions)
	}
	together := 1
	switch mode {
	case Consensus:
		together = models
	case Leader:
		together = models - 1
	case RoundRobin, Debate, Relay:
	}
	if most := s.rules.MaxReplies; together > most {
		return invalid("in mode %s %d models speak at once, and at most %d replies may be under way: name fewer models, or take another mode",
			mode, together, most)
	}
	return nil
}

// turns is how many turns there may be. Where each speaks once there are as many as models.
func (s *State) turns(c StartAutopilot, models int) (int, error) {
	once := c.Mode == Relay || c.Mode == Consensus
	switch {
	case c.Turns < 0 || c.Turns > maxAutopilotTurns:
		return 0, invalid("turns of an autopilot: use 1 to %d", maxAutopilotTurns)
	case once && c.Turns > 0 && c.Turns < models:
		return 0, invalid("in mode %s each of the %d models has a turn: allow as many, or name fewer models", c.Mode, models)
	case once:
		return models, nil
	case c.Turns == 0:
		return min(max(1, s.rules.AutopilotTurns), maxAutopilotTurns), nil
	}
	return c.Turns, nil
}

// steered returns the autopilot that runs, and who wants to steer it. A zero id means whichever runs.
func (s *State) steered(m Meta, id Offset) (*autopilot, *Person, error) {
	p, err := s.writer(m.By)
	if err != nil {
		return nil, nil, err
	}
	a := s.autopilot
	switch {
	case a == nil:
		return nil, nil, refuse(CodeNotFound, "no autopilot is at work: start one")
	case id != 0 && id != a.ID:
		return nil, nil, refuse(CodeNotFound, "autopilot %d is not at work", id)
	case a.Ended != nil:
		return nil, nil, refuse(CodeGone, "autopilot %d has ended", a.ID)
	}
	return a, p, nil
}

func (s *State) pauseAutopilot(m Meta, c PauseAutopilot) ([]Event, error) {
	a, p, err := s.steered(m, c.Autopilot)
	if err != nil || a.Paused {
		return nil, err
	}
	return []Event{AutopilotPaused{Autopilot: a.ID, Name: p.Name}}, nil
}

func (s *State) resumeAutopilot(m Meta, c ResumeAutopilot) ([]Event, error) {
	a, p, err := s.steered(m, c.Autopilot)
	if err != nil || !a.Paused {
		return nil, err
	}
	return []Event{AutopilotResumed{Autopilot: a.ID, Name: p.Name}}, nil
}

func (s *State) guideAutopilot(m Meta, c GuideAutopilot) ([]Event, error) {
	a, p, err := s.steered(m, c.Autopilot)
	if err != nil {
		return nil, err
	}
	if err := s.checkText(c.Text); err != nil {
		return nil, err
	}
	return []Event{AutopilotGuided{Autopilot: a.ID, Name: p.Name, Text: c.Text}}, nil
}

func (s *State) stopAutopilot(m Meta, c StopAutopilot) ([]Event, error) {
	_, p, err := s.steered(m, c.Autopilot)
	if err != nil {
		return nil, err
	}
	return s.end(m, nil, AutopilotEnded{Outcome: Stopped, Name: p.Name}), nil
}

// pauseFor pauses the autopilot if one of its turns is interrupted: who does that has something to say about it.
func (s *State) pauseFor(m Meta, events []Event) []Event {
	a := s.autopilot
	if a == nil || a.Ended != nil || a.Paused {
		return events
	}
	for _, event := range events {
		v, ok := event.(ReplyInterrupted)
		if ok && a.turn(v.Reply.ID) != nil {
			id, _ := m.By.Person()
			who := s.people[id].Name // interrupt has checked who it is
			return append(events, AutopilotPaused{Autopilot: a.ID, Name: who, Reason: who + " interrupted " + v.Reply.Name})
		}
	}
	return events
}

func (s *State) viewAutopilot(viewer Identity) *Autopilot {
	a := s.autopilot
	if a == nil || !visible(a.to, viewer) {
		return nil
	}
	v := a.Autopilot
	v.Guides = nil
	for _, g := range a.guides {
		if visible(g.to, viewer) {
			v.Guides = append(v.Guides, g.Message)
		}
	}
	if v.Ended == nil && v.Poll == 0 {
		v.Next = s.plan(a).next().models
	}
	return &v
}
