// Package llmtest is the suite that every driver of llm.Model passes, and the fakes that it plays against.
//
// A fake has behaviour: it is given an Act, plays it to each caller over the wire it stands for, and notices what the
// caller does. Player is a Model in process, OpenAI a server over HTTP. The suite runs over real sockets in real time;
// its waits are for events, and the few limits only bound how long a failure takes.
package llmtest

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"parley/llm"
)

// An Act is what an upstream does with one call.
type Act struct {
	Refuse *Refusal // instead of an answer
	Late   bool     // stays silent before everything else, until Release
	Beats  []Beat
	End    End
	Usage  *llm.Usage // told at the end
	OptOut bool       // the words decline to answer
}

// A Beat is one piece of an answer. The zero Beat is a piece that says nothing, as providers send them.
type Beat struct {
	Text      string
	Reasoning string
	Tools     []Fragment
	Hold      bool // waits for Release before it is sent
}

// A Fragment is a piece of a tool call: the first one of an Index has the ID and the Name.
type Fragment struct {
	Index     int
	ID        string
	Name      string
	Arguments string
}

// A Refusal is an answer that is an error.
type Refusal struct {
	Status     int // HTTP
	Text       string
	RetryAfter time.Duration
}

// End is how an Act ends after its beats.
type End int

// The ends.
const (
	Finish  End = iota // as a complete answer
	Cut                // the connection breaks
	Hang               // nothing more comes, until the caller is gone
	Trickle            // bytes keep coming that say nothing, until the caller is gone: a slow loris
)

// Say is an act that says words, one in each beat.
func Say(words ...string) Act {
	var a Act
	for _, w := range words {
		a.Beats = append(a.Beats, Beat{Text: w})
	}
	return a
}

// Text is all that the act says.
func (a Act) Text() string {
	var b strings.Builder
	for _, beat := range a.Beats {
		b.WriteString(beat.Text)
	}
	return b.String()
}

// Reasoning is all that the act thinks.
func (a Act) Reasoning() string {
	var b strings.Builder
	for _, beat := range a.Beats {
		b.WriteString(beat.Reasoning)
	}
	return b.String()
}

// Calls are the act's tool calls, put together.
func (a Act) Calls() []llm.ToolCall {
	var calls []llm.ToolCall
	at := map[int]int{}
	for _, beat := range a.Beats {
		for _, f := range beat.Tools {
			i, ok := at[f.Index]
			if !ok {
				i = len(calls)
				at[f.Index] = i
				calls = append(calls, llm.ToolCall{})
			}
			calls[i].ID = cmp.Or(calls[i].ID, f.ID)
			calls[i].Name = cmp.Or(calls[i].Name, f.Name)
			calls[i].Arguments += f.Arguments
		}
	}
	return calls
}

// Kind is what a driver must make of a refusal.
func (r Refusal) Kind() llm.Kind {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return llm.Denied
	case http.StatusTooManyRequests, http.StatusPaymentRequired, 529:
		return llm.Overloaded
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return llm.Unavailable
	}
	return llm.Invalid
}

func (r Refusal) String() string { return fmt.Sprintf("%d %s", r.Status, r.Text) }
