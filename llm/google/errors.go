package google

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"google.golang.org/genai"

	"parley/llm"
	"parley/llm/upstream"
)

// fault turns the failure of a stream into the error to yield.
func (m *Model) fault(ctx context.Context, a *answer, err error) error {
	var known *llm.Error
	var refused genai.APIError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &known):
		return known
	case a.x.status == 0:
		return m.by.Unreached(ctx, a.watch, a.name, err)
	case errors.As(err, &refused) && a.x.status >= http.StatusMultipleChoices:
		return m.refusal(a.name, a.x.status, a.x.header, refused)
	case errors.As(err, &refused):
		return m.eventError(a, refused)
	case a.watch.Silent(), a.x.err != nil:
		return m.by.Cut(ctx, a.watch, a.name, a.said, a.x.err)
	}
	// The SDK's words are the event itself, which is nobody's business.
	return m.by.Fault(llm.Broken, a.name, errors.New("read an event: it is not what the protocol says"))
}

// failed turns the failure of a call that is no stream into the error to return.
func (m *Model) failed(ctx context.Context, w *upstream.Watch, name string, x *exchange, err error) error {
	var refused genai.APIError
	switch {
	case ctx.Err() == nil && errors.As(err, &refused):
		return m.refusal(name, x.status, x.header, refused)
	case ctx.Err() == nil && !w.Silent() && x.status != 0:
		return m.by.Fault(llm.Unavailable, name, errors.New("read the list: it is not what the protocol says"))
	}
	return m.by.Unreached(ctx, w, name, err)
}

// refusal turns an answer with an error's status into an error (https://ai.google.dev/gemini-api/docs/troubleshooting).
func (m *Model) refusal(name string, status int, h http.Header, e genai.APIError) *llm.Error {
	e = unpacked(e)
	out := m.by.Refusal(name, status, h, e.Message)
	if keyRefused(e) { // comes as 400
		out.Kind, out.Err = llm.Denied, errors.New("the key is missing or was refused")
	}
	if out.RetryAfter == 0 {
		out.RetryAfter = retryDelay(e)
	}
	return out
}

// eventError turns an error that came as an event of the stream into the error to yield.
func (m *Model) eventError(a *answer, e genai.APIError) error {
	out := m.by.Fault(llm.Broken, a.name, errors.New(m.by.Clean(e.Message)))
	if e.Code >= http.StatusBadRequest && e.Code < 600 {
		out.Status = e.Code
	}
	out.RetryAfter = retryDelay(e)
	switch known := upstream.KindOf(out.Status); {
	case out.Status != 0 && known != llm.Unavailable:
		out.Kind = known
	case !a.said:
		out.Kind = llm.Unavailable
	}
	if keyRefused(e) {
		out.Kind, out.Err = llm.Denied, errors.New("the key is missing or was refused")
	}
	return out
}

// unpacked is the error of a body that the SDK could not read: without alt=sse errors come in an array, and those of
// proxies are pages, which nobody wants to read.
func unpacked(e genai.APIError) genai.APIError {
	text := strings.TrimSpace(e.Message)
	var list []struct {
		Error genai.APIError `json:"error"`
	}
	var flat struct {
		Message string `json:"message"`
		Detail  string `json:"detail"`
	}
	switch {
	case strings.HasPrefix(text, "["):
		if json.Unmarshal([]byte(text), &list) == nil && len(list) > 0 {
			return list[0].Error
		}
	case strings.HasPrefix(text, "{"):
		_ = json.Unmarshal([]byte(text), &flat) // an empty text says as much
		if e.Message = flat.Message; e.Message == "" {
			e.Message = flat.Detail
		}
	case strings.HasPrefix(text, "<"):
		e.Message = ""
	}
	return e
}

// keyRefused tells the reason of a google.rpc.ErrorInfo.
func keyRefused(e genai.APIError) bool {
	for _, d := range e.Details {
		if d["reason"] == "API_KEY_INVALID" || d["reason"] == "API_KEY_EXPIRED" {
			return true
		}
	}
	return false
}

// retryDelay reads a google.rpc.RetryInfo, whose delay is written as in "22s"; 0 if there is none.
func retryDelay(e genai.APIError) time.Duration {
	for _, detail := range e.Details {
		text, _ := detail["retryDelay"].(string)
		if d, err := time.ParseDuration(text); err == nil && d > 0 {
			return d
		}
	}
	return 0
}
