package room

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// TieRule says what decides a poll in which several options got the most votes.
type TieRule string

// The tie rules.
const (
	TieOpen    TieRule = ""        // nothing: the poll ends undecided
	TieCreator TieRule = "creator" // the vote of who opened it, if it is for one of them; not in anonymous polls
	TieFirst   TieRule = "first"   // the option that stands first in the list
)

// An Option is one choice of a poll. Options are numbered from 1.
type Option struct {
	Text        string `json:"text"`
	Description string `json:"description,omitempty"`
}

// PollOpened says that somebody asks the room to decide. Its offset is the poll's id; it is a message, too.
type PollOpened struct {
	Name      string    `json:"name"` // the creator's, as it was then
	Question  string    `json:"question"`
	Options   []Option  `json:"options"`
	Multiple  bool      `json:"multiple,omitempty"`  // a voter may choose several options
	Anonymous bool      `json:"anonymous,omitempty"` // nobody learns who voted what
	Mandatory bool      `json:"mandatory,omitempty"` // the result names the models that failed to vote
	Deadline  time.Time `json:"deadline,omitzero"`   // when it closes by itself; zero means never
	Quorum    int       `json:"quorum,omitempty"`    // voters without which it decides nothing
	Tie       TieRule   `json:"tie,omitempty"`
	Autopilot Offset    `json:"autopilot,omitempty"` // the autopilot that has its models vote; nobody else does
	Among     []ModelID `json:"among,omitempty"`     // the models that alone vote; empty means all, and the people
	People    bool      `json:"people,omitempty"`    // only people vote: no model is asked
	For       PersonID  `json:"for,omitempty"`       // who led to it, in the end
	Seal      string    `json:"seal,omitempty"`      // of an anonymous poll: tells a server whether it has the poll's secret
}

// PollEnding says why a poll closed.
type PollEnding string

// The endings.
const (
	PollEnded    PollEnding = "closed"   // by who opened it, or an admin
	PollExpired  PollEnding = "deadline" // its time was over
	PollComplete PollEnding = "complete" // of a poll among models: none of them is awaited any more
)

// PollClosed says how a poll came out. Ballots that are open then end with it.
type PollClosed struct {
	Poll     Offset     `json:"poll"`
	Name     string     `json:"name,omitempty"` // who closed it; empty if nobody did
	Ending   PollEnding `json:"ending"`
	Question string     `json:"question"`
	Result   PollResult `json:"result"`
}

func (v PollOpened) apply(s *State, e *Entry) {
	s.applyPollOpened(e, v)
	s.applyMessage(e)
}

// Opener is who the poll is of, where by wrote its entry: a vote that an autopilot opens is the server's, whoever it was
// that led to it.
func (v PollOpened) Opener(by Identity) Identity {
	if v.Autopilot != 0 {
		return System
	}
	return by
}

func (v PollClosed) apply(s *State, e *Entry) { s.applyPoll(v.Poll, e) }

// OpenPoll asks the room to decide. Every model of the room is asked for its ballot, or those of Among, or with People
// none. Models may issue it where the room's Policy lets them.
type OpenPoll struct {
	Question  string
	Options   []Option
	Multiple  bool
	Anonymous bool
	Mandatory bool
	Deadline  time.Time
	Quorum    int
	Tie       TieRule
	Among     []ModelID // the models that alone vote; empty means everybody
	People    bool      // only people vote
}

// ClosePoll ends a poll. Who opened it may, and admins.
type ClosePoll struct{ Poll Offset }

func (c OpenPoll) decide(s *State, m Meta) ([]Event, error) { return s.openPoll(m, c) }

func (c ClosePoll) decide(s *State, m Meta) ([]Event, error) { return s.closePoll(m, c) }

const (
	fewestOptions   = 2
	mostOptions     = 20
	maxOptionRunes  = 200
	maxOptionBytes  = 4 << 10 // of a description
	maxQuorum       = 10_000
	maxPollDuration = 366 * 24 * time.Hour

	modelPollDuration = 24 * time.Hour // of a poll that a model opens without a deadline
)

// A Poll is a poll as one viewer sees it. Of an anonymous poll nobody learns who voted; a model whose ballot is open
// sees no votes at all, nor does the server, which asks for models, while any ballot is open.
type Poll struct {
	ID     Offset
	By     Identity
	Opened PollOpened
	At     time.Time
	Votes  []Vote      // in the order they were first cast
	Open   []BallotRef // ballots that are awaited
	Each   Allowance   // what each of them may take; to a model that is asked, what its own may
	Until  time.Time   // when the room stops waiting for the first of them; zero if none is awaited
	Missed []BallotMissed
	Closed *PollClosed // nil while it is open
	Ended  time.Time

	ClosedBy Identity // empty while it is open, and if nobody closed it
}

// A Vote is what one voter votes.
type Vote struct {
	By      Identity // empty in an anonymous poll, as Name
	Name    string
	Options []int
	Reason  string
	At      time.Time // when it was cast, or last changed
}

func (s *State) openPoll(m Meta, c OpenPoll) ([]Event, error) {
	name, err := s.opener(m.By)
	if err != nil {
		return nil, err
	}
	return s.pollEvents(m, name, c, 0)
}

// opener returns the name of who may open polls, or the refusal.
func (s *State) opener(by Identity) (string, error) {
	if _, model := by.Model(); model && !s.policy.ModelPolls {
		return "", refuse(CodeForbidden, "models may not open polls in this room: an admin can allow it")
	}
	return s.seated(by)
}

// seated returns the name of a person who may write, or of a model that sits in the room.
func (s *State) seated(by Identity) (string, error) {
	if id, ok := by.Model(); ok {
		model := findModel(s.info.Models, id)
		if model == nil {
			return "", refuse(CodeForbidden, "the model %q does not sit in this room", clip(string(id)))
		}
		return model.Name, nil
	}
	p, err := s.writer(by)
	if err != nil {
		return "", err
	}
	return p.Name, nil
}

// pollEvents opens a poll under the name of who opens it: the poll, at the offset at, and a ballot for each model that
// votes. Where only models vote and none can be asked, it closes at once. With an autopilot, only models vote. Before are
// the events that the same command has led to already; the poll follows them.
func (s *State) pollEvents(m Meta, name string, c OpenPoll, autopilot Offset, before ...Event) ([]Event, error) {
	at := s.head + 1 + Offset(len(before))
	opened, err := s.checkPoll(m, c, autopilot)
	if err != nil {
		return nil, err
	}
	opened.Name, opened.For = name, s.principal(m.By, autopilot)
	if opened.Anonymous {
		opened.Seal = s.seal(at)
	}
	asked := s.requestBallots(m, opened, at, before)
	p := newPoll(&Entry{Offset: at, At: m.At, By: m.By, Event: opened}, opened)
	return append([]Event{opened}, s.conclude(m, p, asked)...), nil
}

// principal is the person who led to a poll: who opens it, who started the autopilot, or who a model that opens it is
// answering.
func (s *State) principal(by Identity, autopilot Offset) PersonID {
	if autopilot != 0 && s.autopilot != nil && s.autopilot.ID == autopilot {
		by = s.autopilot.By
	}
	if id, ok := by.Person(); ok {
		return id
	}
	for _, r := range slices.Backward(s.running()) {
		if ModelIdentity(r.ref.Model) == by {
			return r.asker
		}
	}
	return ""
}

// checkPoll checks what somebody asks, or what an autopilot does. Texts are trimmed. What models ask by themselves has an
// end, so that polls nobody minds do not keep people from opening theirs.
func (s *State) checkPoll(m Meta, c OpenPoll, autopilot Offset) (PollOpened, error) {
	v := PollOpened{
		Question: strings.TrimSpace(c.Question), Multiple: c.Multiple, Anonymous: c.Anonymous, Mandatory: c.Mandatory,
		Quorum: c.Quorum, Tie: c.Tie, Among: append([]ModelID(nil), c.Among...), Autopilot: autopilot,
		People: c.People,
	}
	if _, model := m.By.Model(); model && autopilot == 0 && c.Deadline.IsZero() {
		c.Deadline = m.At.Add(modelPollDuration)
	}
	if !c.Deadline.IsZero() {
		v.Deadline = c.Deadline.Round(0).UTC() // as the log will say it
	}
	for _, o := range c.Options {
		v.Options = append(v.Options, Option{strings.TrimSpace(o.Text), strings.TrimSpace(o.Description)})
	}
	for _, check := range []func(*Meta, *PollOpened) *Error{
		s.checkPollRoom, s.checkQuestion, checkOptions, checkDeadline, s.checkAmong, checkCount,
	} {
		if err := check(&m, &v); err != nil {
			return v, err.because(firstReason(err.Reason, ReasonInvalidPoll))
		}
	}
	return v, nil
}

func firstReason(a, b Reason) Reason {
	if a != "" {
		return a
	}
	return b
}

func (s *State) checkPollRoom(_ *Meta, v *PollOpened) *Error {
	if open := s.polls.open(); v.Autopilot == 0 && open >= s.rules.Polls { // an autopilot has one, and a room one autopilot
		return refuse(CodeConflict, "%d polls are open, and at most %d may be: close one first", open, s.rules.Polls)
	}
	if v.Anonymous && s.rules.Secret == "" {
		return invalid("anonymous polls are switched off here: open one that is not, or ask the server's operator to set its secret")
	}
	return nil
}

func (s *State) checkQuestion(_ *Meta, v *PollOpened) *Error {
	switch {
	case len(v.Question) > s.rules.MessageBytes:
		return invalid("the question has %d bytes, at most %d are allowed", len(v.Question), s.rules.MessageBytes)
	case !utf8.ValidString(v.Question):
		return invalid("the question is not valid UTF-8")
	case v.Question == "":
		return invalid("a poll needs a question")
	}
	return nil
}

func checkOptions(_ *Meta, v *PollOpened) *Error {
	if n := len(v.Options); n < fewestOptions || n > mostOptions {
		return invalid("the poll has %d options: use %d to %d", n, fewestOptions, mostOptions)
	}
	for i, o := range v.Options {
		if o.Text == "" || !validLine(o.Text, maxOptionRunes) {
			return invalid("option %d: use one line of 1 to %d characters", i+1, maxOptionRunes)
		}
		if !utf8.ValidString(o.Description) || len(o.Description) > maxOptionBytes {
			return invalid("description of option %d: use text of at most %d bytes", i+1, maxOptionBytes)
		}
		same := func(other Option) bool { return strings.EqualFold(other.Text, o.Text) }
		if first := slices.IndexFunc(v.Options[:i], same); first >= 0 {
			return invalid("options %d and %d are the same: each has to be another one", first+1, i+1)
		}
	}
	return nil
}

func checkDeadline(m *Meta, v *PollOpened) *Error {
	if v.Deadline.IsZero() {
		return nil
	}
	if wait := v.Deadline.Sub(m.At); wait <= 0 || wait > maxPollDuration {
		return invalid("deadline: use a time from now to a year ahead, or none")
	}
	return nil
}

// checkAmong wants models of the room, each once.
func (s *State) checkAmong(_ *Meta, v *PollOpened) *Error {
	if v.People && len(v.Among) > 0 {
		return invalid("a poll is for people only, or for models only: choose one")
	}
	for i, id := range v.Among {
		if findModel(s.info.Models, id) == nil {
			return invalid("the room has no model %q that could vote", clip(valid(string(id))))
		}
		if slices.Contains(v.Among[:i], id) {
			return invalid("the model %q is to vote twice: name it once", id)
		}
	}
	return nil
}

// checkCount checks what the counting of the votes rests on.
func checkCount(_ *Meta, v *PollOpened) *Error {
	most := maxQuorum
	if len(v.Among) > 0 {
		most = len(v.Among)
	}
	switch {
	case v.Quorum < 0 || v.Quorum > most:
		return invalid("quorum %d: use 0 to %d", v.Quorum, most)
	case v.Tie != TieOpen && v.Tie != TieCreator && v.Tie != TieFirst:
		return invalid("tie rule: use none, creator or first")
	case v.Tie == TieCreator && v.Anonymous:
		return invalid("tie rule creator: in an anonymous poll nobody knows the creator's vote; use none or first")
	}
	return nil
}

func (s *State) closePoll(m Meta, c ClosePoll) ([]Event, error) {
	name, err := s.seated(m.By)
	if err != nil {
		return nil, err
	}
	p, err := s.votable(m, c.Poll)
	if err != nil {
		return nil, err
	}
	if m.By != p.by && s.admin(m.By) != nil {
		return nil, refuse(CodeForbidden, "only who opened the poll or an admin of the room may close it")
	}
	return s.closeEvents(m, p, PollEnded, name), nil
}

// votable returns a poll that is open and that the one who acts may see, or the refusal.
func (s *State) votable(m Meta, id Offset) (*poll, error) {
	p := s.polls.find(id)
	if p == nil || !visible(p.to, m.By) {
		return nil, refuse(CodeNotFound, "there is no poll %d in this room, or it closed long ago", id).because(ReasonPollNotFound)
	}
	if p.over(m.At) {
		return nil, refuse(CodeGone, "the poll %q is closed: it takes no votes any more", clip(p.opened.Question)).because(ReasonPollClosed)
	}
	return p, nil
}

// closeEvents closes a poll that is as p says, which may be ahead of the State.
func (s *State) closeEvents(_ Meta, p *poll, ending PollEnding, name string) []Event {
	closed := PollClosed{Poll: p.id, Name: name, Ending: ending, Question: p.opened.Question, Result: p.result()}
	return []Event{closed}
}

// modelsOnly reports whether people do not vote.
func (v *PollOpened) modelsOnly() bool { return v.Autopilot != 0 || len(v.Among) > 0 }

// conclude returns events, which are about the poll p and are to be written next. If they leave nobody who could still
// vote, it closes.
func (s *State) conclude(m Meta, p *poll, events []Event) []Event {
	if !p.opened.modelsOnly() {
		return events
	}
	after := p.after(m, events)
	if after.awaited() > 0 {
		return events
	}
	return append(events, s.closeEvents(m, after, PollComplete, "")...)
}

// expirePolls closes the polls whose deadline has come, and ends the ballots whose time is over.
func (s *State) expirePolls(m Meta) []Event {
	var events []Event
	for p := range s.polls.opened() {
		if p.over(m.At) {
			events = append(events, s.closeEvents(m, p, PollExpired, "")...)
			continue
		}
		late := p.stoppedBy(func(b *ballot) bool { return !m.At.Before(b.until) }, func(b *ballot) string {
			return b.ref.Name + " did not vote within " + b.until.Sub(b.asked).String()
		})
		if len(late) > 0 {
			events = append(events, s.conclude(m, p, late)...)
		}
	}
	return events
}
