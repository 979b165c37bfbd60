package room

import (
	"slices"
	"strings"
)

// Mode says who speaks when while models work on a goal by themselves.
type Mode string

// The modes.
const (
	RoundRobin Mode = "round_robin" // one after the other, again and again
	Leader     Mode = "leader"      // the lead, then all others at once, again and again; only the lead finishes
	Debate     Mode = "debate"      // the others in turn, then the lead as judge of the round
	Relay      Mode = "relay"       // each once, on what the one before left; the last text is the result
	Consensus  Mode = "consensus"   // all at once, each with a proposal, then a vote on these
)

// Part is what a turn asks of its speaker.
type Part string

// The parts.
const (
	Speaker  Part = "speaker"
	Lead     Part = "lead"
	Follower Part = "follower"
	Debater  Part = "debater"
	Judge    Part = "judge"
	Runner   Part = "runner"
	Proposer Part = "proposer"
)

// MayEnd reports whether a turn of this part may end the autopilot: with a lead or a judge, only theirs.
func (p Part) MayEnd() bool { return p != Follower && p != Debater }

// A Turn is a reply's place in an autopilot.
type Turn struct {
	Autopilot Offset `json:"autopilot"`
	N         int    `json:"n"` // 1 is the first
	Part      Part   `json:"part"`
	Last      bool   `json:"last,omitempty"` // no turn can follow: it has to end here
}

// AutopilotStarted says that models are to work on a goal until it is done or needs a person. Its offset is its id; it
// is a message, too, with the goal as text.
type AutopilotStarted struct {
	Name   string    `json:"name"` // the starter's, as it was then
	Goal   string    `json:"goal"`
	Mode   Mode      `json:"mode"`
	Models []ModelID `json:"models"`         // who takes part, in the order they speak
	Lead   ModelID   `json:"lead,omitempty"` // leader or judge; one of Models
	Turns  int       `json:"turns"`          // most turns
	Limit  Cost      `json:"limit,omitempty"`
}

// AutopilotPaused says that no turn follows until it is resumed. Turns under way go on.
type AutopilotPaused struct {
	Autopilot Offset `json:"autopilot"`
	Name      string `json:"name,omitempty"` // who paused it
	Reason    string `json:"reason,omitempty"`
}

// AutopilotResumed says that turns follow again.
type AutopilotResumed struct {
	Autopilot Offset `json:"autopilot"`
	Name      string `json:"name"`
}

// AutopilotGuided says what a person wants the models to mind. It is a message, too.
type AutopilotGuided struct {
	Autopilot Offset `json:"autopilot"`
	Name      string `json:"name"`
	Text      string `json:"text"`
}

// Outcome says why an autopilot ended.
type Outcome string

// The outcomes.
const (
	Finished   Outcome = "finished" // a model says that the goal is reached
	Asked      Outcome = "asked"    // a model asks the people; Poll is the question
	Agreed     Outcome = "agreed"   // the vote of a consensus decided
	Disagreed  Outcome = "disagreed"
	Stopped    Outcome = "stopped" // by a person
	OutOfTurns Outcome = "turns"
	OutOfMoney Outcome = "money"
	Repeating  Outcome = "repeating"
	Broken     Outcome = "broken" // its models failed, or there are too few of them left
)

// AutopilotEnded says how an autopilot ended.
type AutopilotEnded struct {
	Autopilot Offset  `json:"autopilot"`
	Goal      string  `json:"goal"`
	Outcome   Outcome `json:"outcome"`
	Name      string  `json:"name,omitempty"`    // the person or model that ended it
	Summary   string  `json:"summary,omitempty"` // the result
	Reason    string  `json:"reason,omitempty"`
	Poll      Offset  `json:"poll,omitempty"`
	Turns     int     `json:"turns"` // taken
	Spent     Usage   `json:"spent"`
}

func (AutopilotStarted) event() {}
func (AutopilotPaused) event()  {}
func (AutopilotResumed) event() {}
func (AutopilotGuided) event()  {}
func (AutopilotEnded) event()   {}

// StartAutopilot has models work on a goal. Without Models all of the room take part; Lead is the first of them if it is
// empty and the mode has one; without Turns they are Rules.AutopilotTurns, and where each speaks once as many as models.
// One runs at a time. The commands about it mean the one that runs if their Autopilot is 0.
type StartAutopilot struct {
	Goal   string
	Mode   Mode
	Models []ModelID
	Lead   ModelID
	Turns  int
	Limit  Cost
}

// PauseAutopilot lets no further turn begin.
type PauseAutopilot struct{ Autopilot Offset }

// ResumeAutopilot lets turns begin again.
type ResumeAutopilot struct{ Autopilot Offset }

// GuideAutopilot tells the models what to mind from their next turn on.
type GuideAutopilot struct {
	Autopilot Offset
	Text      string
}

// StopAutopilot ends it, and interrupts the turns under way.
type StopAutopilot struct{ Autopilot Offset }

func (StartAutopilot) command()  {}
func (PauseAutopilot) command()  {}
func (ResumeAutopilot) command() {}
func (GuideAutopilot) command()  {}
func (StopAutopilot) command()   {}

// Finish is a turn's wish to end the autopilot, because the goal is reached. Without Summary the turn's text is one.
type Finish struct{ Summary string }

// Ask is a turn's wish to end the autopilot, because only the people can answer.
type Ask struct {
	Question string
	Options  []Option
}

// An Autopilot is an autopilot as everybody sees it: the one that runs, or the last that did.
type Autopilot struct {
	ID      Offset
	By      Identity
	Started AutopilotStarted
	Paused  bool
	Turn    int // turns begun
	Spent   Usage
	Next    []ModelID // who speaks next, as things are; empty once it has ended
	Poll    Offset    // the vote under way, of a consensus
	Guides  []Message // what people said to mind, oldest first
	Ended   *AutopilotEnded
}

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

func (s *State) viewAutopilot() *Autopilot {
	if s.autopilot == nil {
		return nil
	}
	a := s.autopilot
	v := a.Autopilot
	v.Guides = slices.Clone(v.Guides)
	if v.Ended == nil && v.Poll == 0 {
		v.Next = s.plan(a).next().models
	}
	return &v
}
