package room

import (
	"fmt"
	"time"
)

// SummaryRequested says that the messages up to Upto are to be put in a few words, since the room has outgrown what a
// model can read at once. Its offset is the summary's id.
type SummaryRequested struct {
	Upto  Offset    `json:"upto"` // the id of the newest message to be summarised
	Model string    `json:"model,omitempty"`
	Until time.Time `json:"until"`
}

// SummaryResumed says that a summary was asked for again, after a crash or a lost worker.
type SummaryResumed struct {
	Summary Offset `json:"summary"`
	Attempt int    `json:"attempt"`
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
	Usage   Usage  `json:"usage,omitzero"`
}

func (SummaryRequested) event() {}
func (SummaryResumed) event()   {}
func (SummaryWritten) event()   {}
func (SummaryFailed) event()    {}

// RequestSummary wants the messages up to Upto summarised. Workers issue it when a prompt did not hold the room. It leads
// to nothing while a summary is under way, when one covers Upto, or soon after one failed.
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
	Usage   Usage
}

// ResumeSummary counts another attempt, or gives up when there were enough.
type ResumeSummary struct{ Summary Offset }

func (RequestSummary) command()  {}
func (CompleteSummary) command() {}
func (FailSummary) command()     {}
func (ResumeSummary) command()   {}

// A SummaryJob is a summary that is wanted.
type SummaryJob struct {
	Summary Offset
	Upto    Offset
}

// ID implements Job.
func (j SummaryJob) ID() string { return fmt.Sprintf("summary/%d", j.Summary) }

// By implements Job.
func (j SummaryJob) By() Identity { return System }

// Retry implements Job.
func (j SummaryJob) Retry() Command { return ResumeSummary{j.Summary} }

// A Summary is what was said up to Upto, in a few words.
type Summary struct {
	Upto Offset
	Text string
	At   time.Time
}

// summaries is the newest summary, and the one under way.
type summaries struct{}

func (u *summaries) job() (Job, bool) { return nil, false }

func (u *summaries) due() time.Time { return time.Time{} }

func (u *summaries) view() *Summary { return nil }

func (s *State) requestSummary(m Meta, c RequestSummary) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) completeSummary(m Meta, c CompleteSummary) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) failSummary(m Meta, c FailSummary) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) resumeSummary(m Meta, c ResumeSummary) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) expireSummary(m Meta) []Event { return nil }

func (s *State) applySummaryRequested(e *Entry, v SummaryRequested) {}

func (s *State) applySummaryResumed(v SummaryResumed) {}

func (s *State) applySummaryWritten(e *Entry, v SummaryWritten) {}

func (s *State) applySummaryFailed(e *Entry, v SummaryFailed) {}
