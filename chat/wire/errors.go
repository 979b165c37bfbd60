package wire

import (
	"errors"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"parley/llm"
)

// domain marks the error details that are ours.
const domain = "parley.llm"

// Keys of the details' metadata.
const (
	keyKind     = "kind"
	keyProvider = "provider"
	keyModel    = "model"
	keyStatus   = "http_status"
	keyCause    = "cause"
)

// Kinds and codes. Several codes lead to one kind, a kind leads to one code.
func codeOf(k llm.Kind) codes.Code {
	switch k {
	case llm.Invalid:
		return codes.InvalidArgument
	case llm.Denied:
		return codes.PermissionDenied
	case llm.Overloaded:
		return codes.ResourceExhausted
	case llm.Broken:
		return codes.Aborted
	case llm.Unavailable:
		return codes.Unavailable
	}
	return codes.Unavailable
}

func kindOf(c codes.Code, started bool) llm.Kind {
	switch c {
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented:
		return llm.Invalid
	case codes.Unauthenticated, codes.PermissionDenied:
		return llm.Denied
	case codes.ResourceExhausted:
		return llm.Overloaded
	case codes.Aborted, codes.DataLoss:
		return llm.Broken
	}
	if started {
		return llm.Broken
	}
	return llm.Unavailable
}

// EncodeError writes a Model's error as a status: the code by its kind, the whole text as the message, an ErrorInfo
// with all the rest and, where the provider says when to come back, a RetryInfo.
func EncodeError(e *llm.Error) error {
	st := status.New(codeOf(e.Kind), valid(e.Error()))
	info := &errdetails.ErrorInfo{Reason: "MODEL_FAILED", Domain: domain, Metadata: map[string]string{
		keyKind:     string(e.Kind),
		keyProvider: valid(e.Provider),
		keyModel:    valid(e.Model),
	}}
	if e.Status != 0 {
		info.Metadata[keyStatus] = strconv.Itoa(e.Status)
	}
	if e.Err != nil {
		info.Metadata[keyCause] = valid(e.Err.Error())
	}
	with, err := st.WithDetails(info)
	if err == nil && e.RetryAfter > 0 {
		with, err = with.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	if err != nil {
		return st.Err() // without details it is still an error
	}
	return with.Err()
}

// DecodeError reads a status as a Model's error, whoever sent it. started says that a part of the answer had arrived:
// then a connection that breaks is Broken and not Unavailable.
func DecodeError(err error, provider string, started bool) *llm.Error {
	st := status.Convert(err)
	out := &llm.Error{Kind: kindOf(st.Code(), started), Provider: provider, Err: errors.New(st.Message())}
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.RetryInfo:
			out.RetryAfter = d.GetRetryDelay().AsDuration()
		case *errdetails.ErrorInfo:
			if d.GetDomain() == domain {
				restore(out, d.GetMetadata())
			}
		}
	}
	return out
}

func restore(e *llm.Error, from map[string]string) {
	e.Kind = llm.Kind(from[keyKind])
	e.Provider, e.Model = from[keyProvider], from[keyModel]
	e.Status, _ = strconv.Atoi(from[keyStatus]) // none is 0
	if cause := from[keyCause]; cause != "" {
		e.Err = errors.New(cause)
	}
}
