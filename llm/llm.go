// Package llm is the contract with language models: one method that streams an answer.
//
// A Model is a driver for one provider or protocol; llmtest is the suite every driver passes. What a model says is
// data: a driver executes nothing and decides nothing, it turns a provider's wire format into Deltas.
package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"
)

// A Model answers requests. Its methods may be called from any goroutine at any time.
type Model interface {
	// Stream asks for one answer and yields it piece by piece, in order, as it arrives. It ends after the last delta
	// of the answer or after the first error, which is an *Error wherever the provider gave a reason. Cancelling ctx,
	// or leaving the loop, ends the call upstream before Stream returns; an ended ctx makes the error context.Cause(ctx),
	// never an *Error. Nothing is sent before the first iteration, and each iteration asks anew.
	Stream(ctx context.Context, req Request) iter.Seq2[Delta, error]
}

// A Lister is a Model that can tell which models there are to choose from.
type Lister interface {
	// List names the models that a Request may ask for, best known first. A vendor without a list of its own gives the
	// ones its driver was written for. An error is as in Stream.
	List(ctx context.Context) ([]Info, error)
}

// Info describes a model to choose.
type Info struct {
	Name    string // as a Request's Models names it
	Title   string // for people; empty means Name
	Tools   bool   // it can call tools
	Context int    // tokens it can read; 0 if unknown
}

// A Request is everything a model is told for one answer.
type Request struct {
	Models    []string  // names, first choice first; the rest are fallbacks, empty means the driver's default
	Messages  []Message // oldest first; a system message, if any, comes first
	Tools     []Tool
	MaxTokens int     // most tokens to answer with; 0 leaves it to the provider
	Format    *Format // nil for free text
}

// Role says who speaks in a message.
type Role int

// The roles of a conversation with a model.
const (
	System Role = iota + 1
	User
	Assistant
	ToolResult
)

// A Message is one turn of a conversation.
type Message struct {
	Role       Role
	Text       string
	ToolCalls  []ToolCall // of an Assistant turn
	ToolCallID string     // of a ToolResult turn: the call it answers
}

// A ToolCall is a model's wish to have a tool run.
type ToolCall struct {
	ID        string // the provider's, to be named by the result
	Name      string
	Arguments string // JSON, as the model wrote it: not yet validated
}

// A Tool is something a model may ask for.
type Tool struct {
	Name        string
	Description string
	Schema      json.RawMessage // JSON Schema of the arguments
}

// A Format asks for an answer in JSON.
type Format struct {
	Name   string          // of the schema, for providers that want one
	Schema json.RawMessage // nil asks for any JSON object
}

// A Delta is one piece of an answer. Tool calls come whole, however the provider cuts them.
type Delta struct {
	Text      string     // to append to the answer
	Reasoning string     // what the model thought before it spoke; never part of the answer
	ToolCalls []ToolCall // complete calls
	OptedOut  bool       // the model declines to answer; Text, if any, is the reason
	Model     string     // the model that answers, where known
	Usage     *Usage     // on the last delta, where the provider tells
}

// Usage is what an answer cost, in tokens.
type Usage struct {
	Input  int // all that the model read, Cached included
	Output int // all that it wrote, reasoning included
	Cached int // of Input: what the provider had kept from earlier calls, which is cheaper; 0 where it does not tell
}

// Kind says what to do about an error.
type Kind string

// The kinds of errors.
const (
	Invalid     Kind = "invalid"     // the request is wrong; asking again will not help
	Denied      Kind = "denied"      // the key is missing, wrong or not allowed to do this
	Overloaded  Kind = "overloaded"  // too many requests or no quota; RetryAfter may say when to come back
	Unavailable Kind = "unavailable" // the provider failed or cannot be reached
	Broken      Kind = "broken"      // the stream ended before the answer did
)

// An Error is a provider's failure. Its text is for the people in the room and holds no secret.
type Error struct {
	Kind       Kind
	Provider   string // "openai", "remote", "scripted"
	Model      string
	Status     int           // HTTP status, 0 if there is none
	RetryAfter time.Duration // 0 if the provider does not say
	Err        error         // the cause
}

func (e *Error) Error() string {
	text := string(e.Kind)
	if e.Err != nil {
		text = e.Err.Error()
	}
	if e.Model == "" {
		return fmt.Sprintf("%s: %s", e.Provider, text)
	}
	return fmt.Sprintf("%s %s: %s", e.Provider, e.Model, text)
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf tells the kind of an error from a Model; what is no *Error is Unavailable.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Unavailable
}
