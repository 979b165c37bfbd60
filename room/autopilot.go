package room

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

// MayEnd reports whether a turn of this part may end the autopilot: with a lead or a judge, only theirs; where all make
// proposals, none.
func (p Part) MayEnd() bool {
	switch p {
	case Speaker, Lead, Judge, Runner:
		return true
	case Follower, Debater, Proposer:
	}
	return false
}

// A Turn is a reply's place in an autopilot.
type Turn struct {
	Autopilot Offset `json:"autopilot"`
	N         int    `json:"n"` // 1 is the first
	Part      Part   `json:"part"`
	Last      bool   `json:"last,omitempty"` // no turn can follow: it has to end here

	Of    int       `json:"of,omitempty"`   // most turns
	Spent Usage     `json:"spent,omitzero"` // by the turns that ended before
	Next  []ModelID `json:"next,omitempty"` // who speaks after it, as things are
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

func (AutopilotStarted) apply(s *State, e *Entry) { s.applyMessage(e) }

func (AutopilotPaused) apply(*State, *Entry) {}

func (AutopilotResumed) apply(*State, *Entry) {}

func (AutopilotGuided) apply(s *State, e *Entry) { s.applyMessage(e) }

func (AutopilotEnded) apply(*State, *Entry) {}

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

func (c StartAutopilot) decide(s *State, m Meta) ([]Event, error) { return s.startAutopilot(m, c) }

func (c PauseAutopilot) decide(s *State, m Meta) ([]Event, error) { return s.pauseAutopilot(m, c) }

func (c ResumeAutopilot) decide(s *State, m Meta) ([]Event, error) { return s.resumeAutopilot(m, c) }

func (c GuideAutopilot) decide(s *State, m Meta) ([]Event, error) { return s.guideAutopilot(m, c) }

func (c StopAutopilot) decide(s *State, m Meta) ([]Event, error) { return s.stopAutopilot(m, c) }

// Finish is a turn's wish to end the autopilot, because the goal is reached. Without Summary the turn's text is one.
type Finish struct{ Summary string }

// Ask is a turn's wish to end the autopilot, because only the people can answer.
type Ask struct {
	Question string
	Options  []Option
}

// An Autopilot is an autopilot as one viewer sees it: the one that runs, or the last that did.
type Autopilot struct {
	ID      Offset
	By      Identity
	Started AutopilotStarted
	Paused  bool
	Turn    int // turns begun
	Spent   Usage
	Next    []ModelID // who speaks next, as things are; empty once it has ended
	Poll    Offset    // the vote under way, of a consensus
	Guides  []Message // what people said to mind that the viewer may see, oldest first
	Ended   *AutopilotEnded
}
