package reliability

import (
	"bytes"
	"context"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"

	"parley/llm"
	"parley/llm/price"
	"parley/llm/scripted"
	"parley/room"
	"parley/seam"
	"parley/work"
	"parley/work/ballot"
	"parley/work/reply"
	"parley/work/summary"

	roompb "parley/proto/gen/api/room"
)

const (
	// turnWords is how many words each turn of the council's script has, and the most that an answer may have.
	turnWords = 10
	// wordPrice is what a word costs; nothing else does.
	wordPrice = room.Dollar / 1000
	turnPrice = turnWords * wordPrice // one cent
	// reasonMark begins the reason of each vote, and nothing else.
	reasonMark = "Reason of "
)

// councilScript has three models vote, at different times and for different options, and debate until turn 6.
const councilScript = `
name: council
facts:
  me: '(?m)^You are ([^\n]{1,100}?)\.$'
  turn: '(?m)^This is turn (\d+) of'
rules:
  - match: '(?s)\[Vote now.*\[The question:\]\n(?P<question>[^\n]+)\n'
    system: '^You are ada\.'
    pace: {first: 5ms}
    replies: [{tool_calls: [{name: vote_on_poll, arguments: {options: ['4'], reason: 'Reason of {me} for {question}'}}]}]
  - match: '(?s)\[Vote now.*\[The question:\]\n(?P<question>[^\n]+)\n'
    system: '^You are bob\.'
    pace: {first: 30ms}
    replies: [{tool_calls: [{name: vote_on_poll, arguments: {options: ['2'], reason: 'Reason of {me} for {question}'}}]}]
  - match: '(?s)\[Vote now.*\[The question:\]\n(?P<question>[^\n]+)\n'
    pace: {first: 60ms}
    replies: [{tool_calls: [{name: vote_on_poll, arguments: {options: ['4'], reason: 'Reason of {me} for {question}'}}]}]
  - system: '(?s)This is turn (?:[6-9]|\d\d) of.*use the tool finish'
    replies:
      - text: 'The judge ends it in turn {turn}: three four five'
        tool_calls: [{name: finish, arguments: {summary: 'Settled in turn {turn}.'}}]
  - system: 'This is turn '
    pace: {first: 5ms, word: 2ms}
    replies: ['{me} says in turn {turn} that one two three four']
`

// A councilConfig says how the models of a council differ from those that nobody configured.
type councilConfig struct {
	script    string
	maxTokens int
	told      io.Writer                     // what the models are told, beside the witness; may be nil
	bend      func(llm.Request, *llm.Delta) // what a model says; may be nil
}

// newCouncil makes the workers of a server whose models are scripted, and the witness of what these are told.
func newCouncil(cfg councilConfig) (work.Worker, *witness, error) {
	script, err := scripted.Parse("council.yaml", []byte(cfg.script))
	if err != nil {
		return nil, nil, err
	}
	model, err := scripted.New(scripted.Config{Script: script, Clock: seam.Real()})
	if err != nil {
		return nil, nil, err
	}
	table, err := price.New(map[string]price.Price{"*": {Output: price.Nanos(wordPrice * 1_000_000)}})
	if err != nil {
		return nil, nil, err
	}
	w := &witness{Model: model, file: cfg.told, bend: cfg.bend}
	log := slog.New(slog.DiscardHandler)
	var mux work.Mux
	if mux.Reply, err = reply.New(reply.Config{
		Model: w, Clock: seam.Real(), Log: log, Prices: prices{table}, MaxTokens: cfg.maxTokens, MaxDepth: room.DefaultRules().MaxDepth,
	}); err != nil {
		return nil, nil, err
	}
	if mux.Ballot, err = ballot.New(ballot.Config{
		Model: w, Clock: seam.Real(), Log: log, Prices: prices{table}, Random: rand.NewPCG(1, 2),
	}); err != nil {
		return nil, nil, err
	}
	mux.Summary, err = summary.New(summary.Config{Model: w, Clock: seam.Real(), Log: log, Prices: prices{table}})
	return mux, w, err
}

// prices reads a table for the workers.
type prices struct{ *price.Table }

func (p prices) Cost(model string, u llm.Usage) (int64, bool) {
	price, ok := p.Lookup(model)
	return int64(price.Of(u)), ok
}

// A witness stands between the workers and a model and keeps what the model is told.
type witness struct {
	llm.Model
	file io.Writer
	bend func(llm.Request, *llm.Delta)

	mu   sync.Mutex
	told []string
}

// Stream implements llm.Model.
func (w *witness) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		w.note(req)
		for d, err := range w.Model.Stream(ctx, req) {
			if w.bend != nil {
				w.bend(req, &d)
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// promptEnd ends each prompt in a file of them.
const promptEnd = "\x00"

func (w *witness) note(req llm.Request) {
	var b bytes.Buffer
	for _, m := range req.Messages {
		b.WriteString(m.Text + "\n")
		for _, c := range m.ToolCalls {
			b.WriteString(c.Arguments + "\n")
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, b.String())
	if w.file != nil {
		b.WriteString(promptEnd)
		_, _ = w.file.Write(b.Bytes()) // a process that is killed has written whole prompts: each is one write
	}
}

// prompts lists what models were told so far: one for each call.
func (w *witness) prompts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.told...)
}

// isBallot reports whether a prompt asks for a vote.
func isBallot(prompt string) bool { return strings.Contains(prompt, "[Vote now") }

func createPoll(key string, p *roompb.CreatePoll) *roompb.ClientMessage {
	return &roompb.ClientMessage{ClientId: key, Payload: &roompb.ClientMessage_CreatePoll{CreatePoll: p}}
}

func closePoll(key, poll string) *roompb.ClientMessage {
	return &roompb.ClientMessage{ClientId: key, Payload: &roompb.ClientMessage_ClosePoll{ClosePoll: &roompb.ClosePoll{PollId: poll}}}
}

func castVote(key, poll, reason string, options ...string) *roompb.ClientMessage {
	v := &roompb.CastVote{PollId: poll, Reason: reason}
	for _, o := range options {
		v.OptionIds = append(v.OptionIds, poll+"."+o)
	}
	return &roompb.ClientMessage{ClientId: key, Payload: &roompb.ClientMessage_CastVote{CastVote: v}}
}

func fourOptions(question string) *roompb.CreatePoll {
	p := &roompb.CreatePoll{Question: question}
	for _, text := range []string{"apples", "pears", "plums", "cherries"} {
		p.Options = append(p.Options, &roompb.PollOptionInput{Text: text})
	}
	return p
}
