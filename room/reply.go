package room

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A ReplyRef names a reply, in every event about it.
type ReplyRef struct {
	ID      Offset  `json:"id"` // the offset of its ReplyRequested
	Model   ModelID `json:"model"`
	Name    string  `json:"name"`    // the model's, as it was when asked
	Trigger Offset  `json:"trigger"` // the id of the message it answers
}

// ReplyRequested says that a model is to answer a message. Its offset is the id of the reply. Reply.ID is 0 here.
type ReplyRequested struct {
	Reply ReplyRef  `json:"reply"`
	Depth int       `json:"depth,omitempty"` // how many models asked one another before
	Until time.Time `json:"until"`           // when the room stops waiting

	Path      []ModelID `json:"path,omitempty"` // the models that asked one another before, the first one first
	For       PersonID  `json:"for,omitempty"`  // who led to it, in the end
	Allowance Allowance `json:"allowance,omitzero"`
	Turn      *Turn     `json:"turn,omitempty"` // if it is one of an autopilot
}

// ReplyResumed says that a reply was started again, after a crash or a lost worker. Words said before are void. Where the
// attempt before had an allowance, a UsageRecorded has said that it took all of it.
type ReplyResumed struct {
	Reply     ReplyRef  `json:"reply"`
	Attempt   int       `json:"attempt"`            // 2 is the second
	Allowance Allowance `json:"allowance,omitzero"` // of this attempt
}

// ReplyCompleted says what a model answered.
type ReplyCompleted struct {
	Reply    ReplyRef  `json:"reply"`
	Text     string    `json:"text"`
	Mentions []ModelID `json:"mentions,omitempty"` // whom it names; who is not asked, a ReplyWithheld says
	Served   string    `json:"served,omitempty"`   // the provider's model that answered
	Usage
}

// ReplyInterrupted says that somebody stopped a model, and what it had said by then.
type ReplyInterrupted struct {
	Reply  ReplyRef `json:"reply"`
	Text   string   `json:"text,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

// ReplyFailed says that a model could not answer, why, and what it had said by then.
type ReplyFailed struct {
	Reply  ReplyRef `json:"reply"`
	Text   string   `json:"text,omitempty"`
	Reason string   `json:"reason"`
	Served string   `json:"served,omitempty"`
	Usage

	Unaffordable bool `json:"unaffordable,omitempty"` // it was not asked: its allowance does not pay for an answer
}

// ReplyDeclined says that a model chose not to answer.
type ReplyDeclined struct {
	Reply  ReplyRef `json:"reply"`
	Reason string   `json:"reason,omitempty"`
	Served string   `json:"served,omitempty"`
	Usage
}

// Withholding says why models were not asked.
type Withholding string

// The reasons not to ask a model.
const (
	TooDeep  Withholding = "depth"      // enough models have asked one another in a row
	Repeated Withholding = "repetition" // they go round in circles
	NoBudget Withholding = "budget"     // the room may not spend more
	TooMany  Withholding = "busy"       // enough replies are under way
)

// ReplyWithheld says that models were mentioned and are not asked, and why.
type ReplyWithheld struct {
	Trigger Offset      `json:"trigger"` // the message that mentions them
	Models  []ModelID   `json:"models"`
	Why     Withholding `json:"why"`
	Text    string      `json:"text"` // for people
}

func (v ReplyRequested) apply(s *State, e *Entry) { s.applyRequested(e, v) }

func (v ReplyResumed) apply(s *State, _ *Entry) { s.applyResumed(v) }

func (v ReplyCompleted) apply(s *State, e *Entry) {
	s.applyEnded(v.Reply)
	s.applyMessage(e)
}

func (v ReplyInterrupted) apply(s *State, e *Entry) {
	s.applyEnded(v.Reply)
	s.applyMessage(e)
}

func (v ReplyFailed) apply(s *State, e *Entry) {
	s.applyEnded(v.Reply)
	s.applyMessage(e)
}

func (v ReplyDeclined) apply(s *State, _ *Entry) { s.applyEnded(v.Reply) }

func (ReplyWithheld) apply(*State, *Entry) {}

// InterruptReply stops a running reply, or with a zero Reply all running replies of Model.
type InterruptReply struct {
	Model ModelID
	Reply Offset
}

// CompleteReply ends a reply with its text. Mentions adds models to those the text mentions.
type CompleteReply struct {
	Reply    Offset
	Text     string
	Mentions []ModelID
	Served   string
	Usage    Usage
	Finish   *Finish   // of an autopilot's turn
	Ask      *Ask      // of an autopilot's turn
	Poll     *OpenPoll // opened right after the reply, in the model's name; none if the room's Policy does not allow it
}

// FailReply ends a reply that could not be given. Text is what was said by then.
type FailReply struct {
	Reply  Offset
	Text   string
	Reason string
	Served string
	Usage  Usage

	Unaffordable bool // the model was not asked: its allowance does not pay for an answer
}

// DeclineReply ends a reply that the model does not want to give.
type DeclineReply struct {
	Reply  Offset
	Reason string
	Served string
	Usage  Usage
}

// ResumeReply counts another attempt at a reply, or gives it up when there were enough, or nothing is left to spend. Nobody
// knows what the attempt before took: where it had an allowance, all of that.
type ResumeReply struct{ Reply Offset }

func (c InterruptReply) decide(s *State, m Meta) ([]Event, error) { return s.interrupt(m, c) }

func (c CompleteReply) decide(s *State, m Meta) ([]Event, error) { return s.complete(m, c) }

func (c FailReply) decide(s *State, m Meta) ([]Event, error) { return s.fail(m, c) }

func (c DeclineReply) decide(s *State, m Meta) ([]Event, error) { return s.decline(m, c) }

func (c ResumeReply) decide(s *State, m Meta) ([]Event, error) { return s.resume(m, c) }

// A ReplyJob is a reply that is wanted.
type ReplyJob struct {
	Reply Offset
	Model ModelID
	Depth int
}

// ID implements Job.
func (j ReplyJob) ID() string { return fmt.Sprintf("reply/%d", j.Reply) }

// By implements Job.
func (j ReplyJob) By() Identity { return ModelIdentity(j.Model) }

// Retry implements Job.
func (j ReplyJob) Retry() Command { return ResumeReply{j.Reply} }

// A Said signal carries words of a running reply: Text belongs at Position of it, in bytes.
type Said struct {
	Reply    ReplyRef
	Attempt  int // as in ReplyResumed; the hub fills it in
	Position int
	Text     string
}

// Key implements Signal.
func (s Said) Key() string { return fmt.Sprintf("said/%d", s.Reply.ID) }

// A running reply was asked for and has not ended.
type running struct {
	ref       ReplyRef
	depth     int
	path      []ModelID
	asker     PersonID
	allowance Allowance
	turn      *Turn
	attempts  int
	asked     time.Time
	until     time.Time
	to        []Identity // who may see it; empty means everyone
}

// spare is how many more replies may run now.
func (s *State) spare() int { return max(0, s.rules.MaxReplies-len(s.replies)) }

func (s *State) interrupt(m Meta, c InterruptReply) ([]Event, error) {
	if _, err := s.writer(m.By); err != nil {
		return nil, err
	}
	if c.Reply == 0 {
		events := s.interruptAll(m, c.Model)
		if len(events) == 0 {
			return nil, refuse(CodeNotFound, "%q is not saying anything now", clip(string(c.Model)))
		}
		return s.pauseFor(m, events), nil
	}
	r, ok := s.replies[c.Reply]
	if !ok || c.Model != "" && r.ref.Model != c.Model {
		return nil, refuse(CodeNotFound, "reply %d is not running: it may have ended already", c.Reply)
	}
	return s.pauseFor(m, []Event{s.stop(m, r, "")}), nil
}

// interruptAll stops every running reply of a model, oldest first.
func (s *State) interruptAll(m Meta, id ModelID) []Event {
	var events []Event
	for _, r := range s.running() {
		if r.ref.Model == id {
			events = append(events, s.stop(m, r, ""))
		}
	}
	return events
}

func (s *State) stop(m Meta, r *running, reason string) Event {
	return ReplyInterrupted{Reply: r.ref, Text: m.said(r), Reason: reason}
}

func (s *State) complete(m Meta, c CompleteReply) ([]Event, error) {
	r, err := s.own(m.By, c.Reply)
	if err != nil {
		return nil, err
	}
	if err := s.checkEnding(r, c); err != nil {
		return nil, err
	}
	text := c.text()
	if !utf8.ValidString(text) || strings.TrimSpace(text) == "" {
		return nil, invalid("a completed reply needs text in UTF-8")
	}
	named := s.named(r, text, c.Mentions)
	done := ReplyCompleted{Reply: r.ref, Text: text, Mentions: named, Served: brief(c.Served), Usage: c.Usage}
	if r.turn != nil { // who speaks next is the autopilot's to say
		return s.endTurn(m, r, c, []Event{done})
	}
	events := append([]Event{done}, s.chain(m, r, done)...)
	return append(events, s.wishedPoll(m, r, c.Poll, events)...), nil
}

// wishedPoll opens the poll that a reply wishes for. What cannot be opened is left out: the reply is worth more.
func (s *State) wishedPoll(m Meta, r *running, c *OpenPoll, before []Event) []Event {
	if c == nil || !s.policy.ModelPolls {
		return nil
	}
	events, err := s.pollEvents(m, r.ref.Name, *c, 0, before...)
	if err != nil {
		return nil
	}
	return events
}

// text is what a reply says: a turn that only ends its autopilot says what that comes to.
func (c *CompleteReply) text() string {
	switch {
	case strings.TrimSpace(c.Text) != "":
		return c.Text
	case c.Finish != nil:
		return c.Finish.Summary
	case c.Ask != nil:
		return c.Ask.Question
	}
	return ""
}

// named lists the models that a model's reply names: by the tool or in its text, never itself, never everybody at once.
func (s *State) named(r *running, text string, mentions []ModelID) []ModelID {
	found := Mentions(text, s.info.Models, false)
	return s.pick(func(id ModelID) bool {
		return id != r.ref.Model && (slices.Contains(found, id) || slices.Contains(mentions, id))
	})
}

func (s *State) fail(m Meta, c FailReply) ([]Event, error) {
	r, err := s.own(m.By, c.Reply)
	if err != nil {
		return nil, err
	}
	return []Event{ReplyFailed{
		Reply: r.ref, Text: valid(c.Text), Reason: brief(c.Reason), Served: brief(c.Served), Usage: c.Usage, Unaffordable: c.Unaffordable,
	}}, nil
}

func (s *State) decline(m Meta, c DeclineReply) ([]Event, error) {
	r, err := s.own(m.By, c.Reply)
	if err != nil {
		return nil, err
	}
	return []Event{ReplyDeclined{Reply: r.ref, Reason: brief(c.Reason), Served: brief(c.Served), Usage: c.Usage}}, nil
}

func (s *State) resume(m Meta, c ResumeReply) ([]Event, error) {
	r, err := s.own(m.By, c.Reply)
	if err != nil {
		return nil, err
	}
	failed := ReplyFailed{Reply: r.ref, Text: m.said(r), Usage: r.allowance.most()}
	if r.attempts >= s.rules.ReplyAttempts {
		failed.Reason = fmt.Sprintf("%s was asked %d times and never finished", r.ref.Name, r.attempts)
		return []Event{failed}, nil
	}
	d := r.debt()
	events := d.lost()
	allowance, err := s.again(m, 1, d.autopilot, events)
	if err != nil {
		failed.Reason = fmt.Sprintf("%s did not finish, and was not asked again: %s", r.ref.Name, err)
		failed.Unaffordable = true
		return []Event{failed}, nil
	}
	return append(events, ReplyResumed{Reply: r.ref, Attempt: r.attempts + 1, Allowance: allowance}), nil
}

// own returns the running reply of the model that acts.
func (s *State) own(by Identity, id Offset) (*running, error) {
	r, ok := s.replies[id]
	if !ok {
		return nil, refuse(CodeGone, "reply %d has ended", id)
	}
	if by != ModelIdentity(r.ref.Model) {
		return nil, refuse(CodeForbidden, "reply %d is not yours", id)
	}
	return r, nil
}

func (s *State) tick(m Meta) ([]Event, error) {
	if m.By != System {
		return nil, refuse(CodeForbidden, "only the server tells a room what time it is")
	}
	events := s.expire(m)
	events = append(events, s.presume(m)...)
	events = append(events, s.expirePolls(m)...)
	return append(events, s.expireSummary(m)...), nil
}

// expire ends the replies whose time is over.
func (s *State) expire(m Meta) []Event {
	var events []Event
	for _, r := range s.running() {
		if !m.At.Before(r.until) {
			reason := fmt.Sprintf("%s did not finish within %s", r.ref.Name, r.until.Sub(r.asked))
			events = append(events, ReplyFailed{Reply: r.ref, Text: m.said(r), Reason: reason})
		}
	}
	return events
}

func (s *State) applyRequested(e *Entry, v ReplyRequested) {
	v.Reply.ID = e.Offset
	s.replies[e.Offset] = &running{
		ref: v.Reply, depth: v.Depth, path: v.Path, asker: v.For, allowance: v.Allowance, turn: v.Turn,
		attempts: 1, asked: e.At, until: v.Until, to: e.To,
	}
}

func (s *State) applyResumed(v ReplyResumed) {
	if r, ok := s.replies[v.Reply.ID]; ok {
		r.attempts = v.Attempt
		if v.Allowance != (Allowance{}) {
			r.allowance = v.Allowance
		}
	}
}

func (s *State) applyEnded(r ReplyRef) { delete(s.replies, r.ID) }

// said is what was heard of a running reply.
func (m *Meta) said(r *running) string { return valid(m.Said[r.ref.ID]) }

// valid makes text what it will be when it is read from the log again.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// brief is valid, for what a provider or a model says beside its answer.
func brief(text string) string {
	if len(text) > maxReasonBytes {
		return strings.ToValidUTF8(text[:maxReasonBytes], "") + "..."
	}
	return valid(text)
}

const maxReasonBytes = 2 << 10
