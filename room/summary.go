package room

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// SummaryRequested says that the messages up to Upto are to be put in a few words, since the room has outgrown what a
// model can read at once. Its offset is the summary's id.
type SummaryRequested struct {
	Upto      Offset    `json:"upto"`  // the entry of the newest message to be summarised, as Message.Entry
	Until     time.Time `json:"until"` // when the room stops waiting
	Allowance Allowance `json:"allowance,omitzero"`
}

// SummaryResumed says that a summary was asked for again, after a crash or a lost worker.
// Where the attempt before had an allowance, a UsageRecorded has said that it took all of it.
type SummaryResumed struct {
	Summary   Offset    `json:"summary"`
	Attempt   int       `json:"attempt"`
	Allowance Allowance `json:"allowance,omitzero"` // of this attempt
}

// SummaryWritten says what was said up to Upto, in a few words. It takes the place of earlier summaries.
type SummaryWritten struct {
	Summary Offset `json:"summary"`
	Upto    Offset `json:"upto"`
	Text    string `json:"text"`
	Served  string `json:"served,omitempty"`
	Usage   Usage  `json:"usage,omitzero"`
}

// SummaryFailed says that there is no new summary, and why.
type SummaryFailed struct {
	Summary Offset `json:"summary"`
	Reason  string `json:"reason"`
	Served  string `json:"served,omitempty"`
	Usage   Usage  `json:"usage,omitzero"`
}

func (v SummaryRequested) apply(s *State, e *Entry) { s.applySummaryRequested(e, v) }

func (v SummaryResumed) apply(s *State, _ *Entry) { s.applySummaryResumed(v) }

func (v SummaryWritten) apply(s *State, e *Entry) { s.applySummaryWritten(e, v) }

func (v SummaryFailed) apply(s *State, e *Entry) { s.applySummaryFailed(e, v) }

// RequestSummary wants the messages up to the entry Upto summarised, but for the newest few. Workers issue it when a prompt
// did not hold the room. It leads to nothing while a summary is under way, when one covers Upto, soon after one failed, or
// when there is nothing to summarise. The models of the room may issue it, and the server.
type RequestSummary struct{ Upto Offset }

// CompleteSummary ends a summary's request with its text. Only the server may issue it.
type CompleteSummary struct {
	Summary Offset
	Text    string
	Served  string
	Usage   Usage
}

// FailSummary ends a summary's request without one. Only the server may issue it.
type FailSummary struct {
	Summary Offset
	Reason  string
	Served  string
	Usage   Usage
}

// ResumeSummary counts another attempt, or gives up when there were enough, or nothing is left to spend. Nobody knows what
// the attempt before took: where it had an allowance, all of that.
type ResumeSummary struct{ Summary Offset }

func (c RequestSummary) decide(s *State, m Meta) ([]Event, error) { return s.requestSummary(m, c) }

func (c CompleteSummary) decide(s *State, m Meta) ([]Event, error) { return s.completeSummary(m, c) }

func (c FailSummary) decide(s *State, m Meta) ([]Event, error) { return s.failSummary(m, c) }

func (c ResumeSummary) decide(s *State, m Meta) ([]Event, error) { return s.resumeSummary(m, c) }

// A SummaryJob is a summary that is wanted.
type SummaryJob struct {
	Summary   Offset
	Upto      Offset // the entry of the newest message to be summarised
	Allowance Allowance
}

// ID implements Job.
func (j SummaryJob) ID() string { return fmt.Sprintf("summary/%d", j.Summary) }

// By implements Job.
func (j SummaryJob) By() Identity { return System }

// Retry implements Job.
func (j SummaryJob) Retry() Command { return ResumeSummary{j.Summary} }

// A Summary is what was said up to Upto, in a few words. It tells of messages that everyone may see, and of no others.
type Summary struct {
	Upto Offset // the entry of the newest message in it
	Text string
	At   time.Time
}

// summaries is the newest summary, and the one under way.
type summaries struct {
	last   *Summary // nil if there is none
	open   *summary
	failed Offset // when the last one failed; 0 if it did not
}

// A summary is one under way.
type summary struct {
	id       Offset
	wanted   SummaryRequested
	asked    time.Time
	attempts int
}

const (
	freshMessages   = 4  // the newest, which are never summarised
	summaryPatience = 20 // messages that come after a failure before it is tried again
	maxSummaryBytes = 32 << 10
)

func (s *State) requestSummary(m Meta, c RequestSummary) ([]Event, error) {
	if err := s.mayWantSummary(m.By); err != nil {
		return nil, err
	}
	if s.summary.open != nil || s.summary.covers(c.Upto) || s.discouraged() {
		return nil, nil
	}
	upto := s.summarisable(c.Upto)
	if upto == 0 {
		return nil, nil
	}
	allowance, err := s.allow(m, 1, Allowance{})
	if err != nil {
		return nil, err
	}
	return []Event{SummaryRequested{Upto: upto, Until: m.At.Add(s.rules.BallotTime), Allowance: allowance}}, nil
}

func (s *State) mayWantSummary(by Identity) error {
	id, ok := by.Model()
	if by == System || ok && findModel(s.info.Models, id) != nil {
		return nil
	}
	return refuse(CodeForbidden, "only the models of the room ask for a summary")
}

func (u *summaries) covers(upto Offset) bool { return u.last != nil && upto <= u.last.Upto }

// discouraged reports whether a summary failed and little was said since then.
func (s *State) discouraged() bool {
	if s.summary.failed == 0 {
		return false
	}
	since := len(s.messages) - max(1, min(summaryPatience, s.rules.Window))
	return since < 0 || s.messages[since].Entry < s.summary.failed
}

// summarisable is the entry of the newest message to summarise if they are to be so up to wanted; 0 if there is none.
func (s *State) summarisable(wanted Offset) Offset {
	var entries []Offset
	for _, msg := range s.messages {
		if len(msg.to) == 0 {
			entries = append(entries, msg.Entry)
		}
	}
	covered := Offset(0)
	if s.summary.last != nil {
		covered = s.summary.last.Upto
	}
	for i := len(entries) - 1 - freshMessages; i >= 0 && entries[i] > covered; i-- {
		if entries[i] <= wanted {
			return entries[i]
		}
	}
	return 0
}

func (s *State) completeSummary(m Meta, c CompleteSummary) ([]Event, error) {
	open, err := s.ownSummary(m.By, c.Summary)
	if err != nil {
		return nil, err
	}
	if !utf8.ValidString(c.Text) || strings.TrimSpace(c.Text) == "" || len(c.Text) > maxSummaryBytes {
		return nil, invalid("a summary needs text in UTF-8, of at most %d bytes", maxSummaryBytes)
	}
	return []Event{SummaryWritten{
		Summary: open.id, Upto: open.wanted.Upto, Text: c.Text, Served: brief(c.Served), Usage: Usage{}.plus(c.Usage),
	}}, nil
}

func (s *State) failSummary(m Meta, c FailSummary) ([]Event, error) {
	open, err := s.ownSummary(m.By, c.Summary)
	if err != nil {
		return nil, err
	}
	return []Event{SummaryFailed{Summary: open.id, Reason: brief(c.Reason), Served: brief(c.Served), Usage: Usage{}.plus(c.Usage)}}, nil
}

func (s *State) resumeSummary(m Meta, c ResumeSummary) ([]Event, error) {
	open, err := s.ownSummary(m.By, c.Summary)
	if err != nil {
		return nil, err
	}
	if open.attempts >= s.rules.ReplyAttempts {
		return []Event{open.lost(fmt.Sprintf("the summary was begun %d times and never finished", open.attempts))}, nil
	}
	events := open.debt().lost()
	allowance, err := s.again(m, 1, 0, events)
	if err != nil {
		return []Event{open.lost(fmt.Sprintf("the summary was not finished, and not begun again: %s", err))}, nil
	}
	return append(events, SummaryResumed{Summary: open.id, Attempt: open.attempts + 1, Allowance: allowance}), nil
}

// ownSummary returns the summary under way, to the server.
func (s *State) ownSummary(by Identity, id Offset) (*summary, error) {
	if by != System {
		return nil, refuse(CodeForbidden, "only the server writes summaries")
	}
	if s.summary.open == nil || s.summary.open.id != id {
		return nil, refuse(CodeGone, "summary %d has ended", id)
	}
	return s.summary.open, nil
}

// expireSummary ends the summary whose time is over.
func (s *State) expireSummary(m Meta) []Event {
	open := s.summary.open
	if open == nil || m.At.Before(open.wanted.Until) {
		return nil
	}
	return []Event{open.lost(fmt.Sprintf("the summary was not written within %s", open.wanted.Until.Sub(open.asked)))}
}

// debt is the summary as one whose worker was lost.
func (u *summary) debt() debt {
	return debt{id: u.id, of: u.id, purpose: ForSummary, by: System, allowance: u.wanted.Allowance}
}

// lost ends a summary of which nobody knows what it took: all that it was allowed.
func (u *summary) lost(reason string) Event {
	return SummaryFailed{Summary: u.id, Reason: brief(reason), Usage: u.wanted.Allowance.most()}
}

func (s *State) applySummaryRequested(e *Entry, v SummaryRequested) {
	s.summary.open = &summary{id: e.Offset, wanted: v, asked: e.At, attempts: 1}
}

func (s *State) applySummaryResumed(v SummaryResumed) {
	if open := s.summary.open; open != nil && open.id == v.Summary {
		open.attempts = v.Attempt
		if v.Allowance != (Allowance{}) {
			open.wanted.Allowance = v.Allowance
		}
	}
}

func (s *State) applySummaryWritten(e *Entry, v SummaryWritten) {
	s.summary.end(v.Summary)
	s.summary.last = &Summary{Upto: v.Upto, Text: v.Text, At: e.At}
	s.summary.failed = 0
}

func (s *State) applySummaryFailed(e *Entry, v SummaryFailed) {
	s.summary.end(v.Summary)
	s.summary.failed = e.Offset
}

func (u *summaries) end(id Offset) {
	if u.open != nil && u.open.id == id {
		u.open = nil
	}
}

func (u *summaries) job() (Job, bool) {
	if u.open == nil {
		return nil, false
	}
	return SummaryJob{Summary: u.open.id, Upto: u.open.wanted.Upto, Allowance: u.open.wanted.Allowance}, true
}

func (u *summaries) due() time.Time {
	if u.open == nil {
		return time.Time{}
	}
	return u.open.wanted.Until
}

// wake is since when a summary is wanted; zero if none is.
func (u *summaries) wake() time.Time {
	if u.open == nil {
		return time.Time{}
	}
	return u.open.asked
}

// held is what the summary under way may still take.
func (u *summaries) held() Allowance {
	if u.open == nil {
		return Allowance{}
	}
	return u.open.wanted.Allowance
}

func (u *summaries) view() *Summary {
	if u.last == nil {
		return nil
	}
	return new(*u.last)
}
