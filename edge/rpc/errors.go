package rpc

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"parley/room"

	roompb "parley/proto/gen/api/room"
)

var (
	errDraining = &room.Error{Code: room.CodeDraining, Text: "the server is shutting down: reconnect with your cursor"}
	errSlow     = &room.Error{Code: room.CodeSlow, Text: "your connection took nothing for too long: reconnect with your cursor"}
)

// grpcCodes maps what went wrong to a status. UNAVAILABLE and ABORTED invite the client to come back.
var grpcCodes = map[room.Code]codes.Code{
	room.CodeInvalid:      codes.InvalidArgument,
	room.CodeUnauthorized: codes.Unauthenticated,
	room.CodeForbidden:    codes.PermissionDenied,
	room.CodeNotFound:     codes.NotFound,
	room.CodeConflict:     codes.FailedPrecondition,
	room.CodeBusy:         codes.ResourceExhausted,
	room.CodeGone:         codes.FailedPrecondition,
	room.CodeSlow:         codes.Unavailable,
	room.CodeDraining:     codes.Unavailable,
	room.CodeUnavailable:  codes.Unavailable,
	room.CodeInternal:     codes.Internal,
}

// statusOf turns an error into what a unary call, or the end of a stream, answers.
func statusOf(err error) error {
	var e *room.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return status.Error(grpcCodes[e.Code], e.Text)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.Internal, "something went wrong on the server: try again, and tell its operator if it stays")
}

// eventCodes maps what went wrong to the code of an error event, unless there is a reason.
var eventCodes = map[room.Code]string{
	room.CodeInvalid:      "INVALID_ARGUMENT",
	room.CodeUnauthorized: "FORBIDDEN",
	room.CodeForbidden:    "FORBIDDEN",
	room.CodeNotFound:     "NOT_FOUND",
	room.CodeConflict:     "CONFLICT",
	room.CodeBusy:         "BUSY",
	room.CodeGone:         "NOT_FOUND",
	room.CodeSlow:         "UNAVAILABLE",
	room.CodeDraining:     "UNAVAILABLE",
	room.CodeUnavailable:  "UNAVAILABLE",
	room.CodeInternal:     "INTERNAL",
}

// refusal turns an error into the event that tells one stream of it.
func refusal(err error, clientID string) *roompb.ServerEvent {
	var e *room.Error
	if !errors.As(err, &e) {
		return errorEvent("INTERNAL", "something went wrong on the server: try again, and tell its operator if it stays", clientID)
	}
	code := eventCodes[e.Code]
	if e.Reason != "" {
		code = strings.ToUpper(string(e.Reason))
	}
	return errorEvent(code, e.Text, clientID)
}

func errorEvent(code, text, clientID string) *roompb.ServerEvent {
	return &roompb.ServerEvent{
		ClientId: clientID,
		Payload:  &roompb.ServerEvent_Error{Error: &roompb.Error{Code: code, Message: strings.ToValidUTF8(text, "\uFFFD")}},
	}
}

// malformed tells a stream that its bytes are no ClientMessage.
func malformed(err error) *roompb.ServerEvent {
	if strings.Contains(err.Error(), "invalid UTF-8") {
		return errorEvent("INVALID_UTF8", "the message has text that is not valid UTF-8: nothing of it was used", "")
	}
	return errorEvent("INVALID_ARGUMENT", "that is not a ClientMessage: check the client's api/room/room.proto", "")
}
