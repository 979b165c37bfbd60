package client

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Code says what kind of thing went wrong. It is the wire's own word.
type Code string

// The codes a server sends.
const (
	RoomNotFound    Code = "ROOM_NOT_FOUND"
	NotJoined       Code = "NOT_JOINED"
	AlreadyJoined   Code = "ALREADY_JOINED"
	InvalidArgument Code = "INVALID_ARGUMENT"
	MessageTooLarge Code = "MESSAGE_TOO_LARGE"
	EmptyMessage    Code = "EMPTY_MESSAGE"
	InvalidUTF8     Code = "INVALID_UTF8"
	UnknownPayload  Code = "UNKNOWN_PAYLOAD"
	Forbidden       Code = "FORBIDDEN"
	NotFound        Code = "NOT_FOUND"
	Conflict        Code = "CONFLICT"
	Busy            Code = "BUSY"
	InvalidPoll     Code = "INVALID_POLL"
	PollNotFound    Code = "POLL_NOT_FOUND"
	PollIsClosed    Code = "POLL_CLOSED"
	InvalidOption   Code = "INVALID_OPTION"
	BudgetExceeded  Code = "BUDGET_EXCEEDED"
	LLMError        Code = "LLM_ERROR"
	Unavailable     Code = "UNAVAILABLE"
	Internal        Code = "INTERNAL"
)

// An Error is what a server refused, or why it cannot be reached. Message is for a person to read.
type Error struct {
	Code    Code
	Message string
	cause   error
}

func (e *Error) Error() string {
	if e.Message == "" {
		return string(e.Code)
	}
	return e.Message
}

// Unwrap returns the transport's own error, if it was one.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf tells the code of err, and Internal for what is no *Error.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

var (
	// ErrBusy is returned when as many commands wait for the server as the outbox holds.
	ErrBusy = errors.New("too many commands wait for the server: try again when some are through")
	// ErrOffline is returned for what cannot wait until the connection is back.
	ErrOffline = errors.New("there is no connection to the server now: try again in a moment")
	// ErrClosed is returned after Close, or once the context that Join was given has ended.
	ErrClosed = errors.New("the session was closed")
	// ErrLeft is returned once the membership was given up, by Leave or from another seat of the same person.
	ErrLeft = errors.New("you have left the room")
)

var errSilent = errors.New("the server did not answer in time")

// fromStatus turns what gRPC says into an *Error. Errors that are no status pass.
func fromStatus(err error) error {
	s, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	code := Internal
	switch s.Code() {
	case codes.InvalidArgument:
		code = InvalidArgument
	case codes.NotFound:
		code = NotFound
	case codes.AlreadyExists:
		code = AlreadyJoined
	case codes.PermissionDenied, codes.Unauthenticated:
		code = Forbidden
	case codes.ResourceExhausted:
		code = Busy
	case codes.FailedPrecondition, codes.Aborted:
		code = Conflict
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		code = Unavailable
	case codes.Unimplemented:
		return &Error{Code: Internal, Message: "this server does not know the call: is it a Parley server?", cause: err}
	}
	return &Error{Code: code, Message: plainly(s.Message()), cause: err}
}

// plainly takes the wrapping off what gRPC says when it cannot connect.
func plainly(message string) string {
	quoted, ok := strings.CutPrefix(message, "connection error: desc = ")
	if !ok {
		return message
	}
	inner, err := strconv.Unquote(quoted)
	if err != nil {
		return message
	}
	inner = strings.TrimPrefix(inner, "transport: ")
	return strings.TrimPrefix(inner, "Error while dialing: ")
}

// lasting reports whether a stream that ended with err would end so again.
func lasting(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.Unimplemented, codes.OutOfRange:
		return true
	}
	return false
}

// lastingCode reports whether a join refused with code would be refused again. A server may hold a broken stream for
// alive for a while, so somebody who was in the room already has to be patient with AlreadyJoined.
func lastingCode(code Code, resuming bool) bool {
	if code == AlreadyJoined {
		return !resuming
	}
	return code != Busy && code != Unavailable && code != Internal && code != Conflict
}

func withdrawn(err error) error {
	return fmt.Errorf("no answer yet, the command may still have taken effect: %w", err)
}
