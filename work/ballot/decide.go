package ballot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/llm"
	"parley/room"
	"parley/work/talk"
)

// A decision is what became of a ballot: a vote, or why there is none.
type decision struct {
	ref    room.BallotRef
	vote   vote
	missed string
	cause  error // what is behind missed, for the log
	calls  int
	served string
	usage  room.Usage
}

func (d *decision) command() room.Command {
	if d.missed != "" {
		return room.MissBallot{Ballot: d.ref.ID, Reason: d.missed, Served: d.served, Usage: d.usage}
	}
	return room.CastBallot{Ballot: d.ref.ID, Options: d.vote.options, Reason: d.vote.reason, Served: d.served, Usage: d.usage}
}

// decide asks a model for its vote, and once again if what it says is none.
func (w *Worker) decide(ctx context.Context, v room.View, p room.Poll, ref room.BallotRef) decision {
	d := decision{ref: ref}
	self, ok := seat(v, ref.Model)
	if !ok {
		d.missed = ref.Name + " has no seat in the room any more"
		return d
	}
	req := w.request(v, p, self)
	for again := false; ; again = true {
		most, some := talk.Left(p.Each, d.usage)
		if !some {
			d.missed = talk.First(d.missed, ref.Name+" was not asked: its allowance is used up")
			return d
		}
		call := req
		if err := w.asker.Afford(&call, ref.Name, most); err != nil {
			d.missed, d.cause = talk.First(d.missed, err.Error()), err
			return d
		}
		a := w.ask(ctx, call, p.Until)
		d.calls++
		d.usage = talk.Add(d.usage, a.Usage)
		d.served = talk.First(a.Served, d.served)
		if errors.Is(a.Err, errLate) {
			d.missed, d.cause = ref.Name+" did not vote in time", a.Err
			return d
		}
		if a.Err != nil {
			d.missed, d.cause = w.asker.Why(ref.Name, a.Err), a.Err
			return d
		}
		heard := hear(p.Opened, a)
		d.vote = heard.vote
		switch {
		case heard.optedOut:
			d.missed = talk.First(talk.Clip(heard.vote.reason, talk.MaxReason), ref.Name+" chose not to vote")
			return d
		case heard.wrong == "":
			d.missed = ""
			return d
		case again:
			d.missed = fmt.Sprintf("%s did not vote: %s", ref.Name, heard.wrong)
			return d
		}
		d.missed = fmt.Sprintf("%s did not vote: %s", ref.Name, heard.wrong)
		req.Messages = reproach(req.Messages, a, heard.wrong)
	}
}

// errLate ends a call that takes longer than the room waits.
var errLate = errors.New("the ballot took too long")

// ask has the model answer, early enough for the outcome to be written until the room stops waiting. A zero until is
// never.
func (w *Worker) ask(ctx context.Context, req llm.Request, until time.Time) talk.Answer {
	if until.IsZero() {
		return w.asker.Ask(ctx, req, nil)
	}
	left := until.Sub(w.cfg.Clock.Now())
	if left -= margin(left); left <= 0 {
		return talk.Answer{Err: errLate}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := w.cfg.Clock.AfterFunc(left, func() { cancel(errLate) })
	defer alarm.Stop()
	return w.asker.Ask(ctx, req, nil)
}

const mostMargin = 10 * time.Second

// margin is how much of the time that is left is kept for writing the outcome.
func margin(left time.Duration) time.Duration { return min(left/8, mostMargin) }

func seat(v room.View, id room.ModelID) (room.Model, bool) {
	for _, m := range v.Info.Models {
		if m.ID == id {
			return m, true
		}
	}
	return room.Model{}, false
}

// reproach tells the model what was wrong with its answer: as the result of its calls, or as the next turn.
func reproach(said []llm.Message, a talk.Answer, wrong string) []llm.Message {
	said = said[:len(said):len(said)]
	wrong = "That is no vote: " + wrong + ". Vote once more, with the tool " + voteTool + " and the numbers of the options. This is the last time you are asked."
	if len(a.Calls) == 0 {
		text := a.Text
		if text == "" {
			text = "(no answer)"
		}
		return append(said, llm.Message{Role: llm.Assistant, Text: text}, llm.Message{Role: llm.User, Text: "[" + wrong + "]"})
	}
	calls := make([]llm.ToolCall, len(a.Calls))
	for i, c := range a.Calls {
		c.ID = talk.First(c.ID, fmt.Sprintf("call_%d", i+1))
		if !object(c.Arguments) {
			c.Arguments = "{}" // a provider refuses a turn in which the JSON is broken
		}
		calls[i] = c
	}
	said = append(said, llm.Message{Role: llm.Assistant, Text: a.Text, ToolCalls: calls})
	for _, c := range calls {
		said = append(said, llm.Message{Role: llm.ToolResult, ToolCallID: c.ID, Text: wrong})
	}
	return said
}
