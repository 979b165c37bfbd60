package room

import (
	"errors"
	"fmt"
)

// Code is the kind of a refusal, from a small closed list. Each transport maps it once.
type Code string

// The codes. Everything refused or gone wrong is one of these.
const (
	CodeInvalid      Code = "invalid"
	CodeUnauthorized Code = "unauthorized"
	CodeForbidden    Code = "forbidden"
	CodeNotFound     Code = "not_found"
	CodeConflict     Code = "conflict"
	CodeBusy         Code = "busy"
	CodeGone         Code = "gone"
	CodeSlow         Code = "slow"
	CodeDraining     Code = "draining"
	CodeUnavailable  Code = "unavailable"
	CodeInternal     Code = "internal"
)

// Reason narrows a Code for a client that wants to react to one case. It may be empty.
type Reason string

// The reasons.
const (
	ReasonRoomNotFound    Reason = "room_not_found"
	ReasonNotJoined       Reason = "not_joined"
	ReasonMessageTooLarge Reason = "message_too_large"
	ReasonEmptyMessage    Reason = "empty_message"
	ReasonInvalidUTF8     Reason = "invalid_utf8"
	ReasonInvalidPoll     Reason = "invalid_poll"
	ReasonPollNotFound    Reason = "poll_not_found"
	ReasonPollClosed      Reason = "poll_closed"
	ReasonInvalidOption   Reason = "invalid_option"
	ReasonBudget          Reason = "budget_exceeded"
)

// An Error is a refusal. Text is for the person who gets it and says what to do.
type Error struct {
	Code   Code
	Reason Reason
	Text   string
}

func (e *Error) Error() string { return e.Text }

// CodeOf tells the code of err: CodeInternal if it is no *Error.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *Error { return refuse(CodeInvalid, format, args...) }

func (e *Error) because(r Reason) *Error {
	e.Reason = r
	return e
}
