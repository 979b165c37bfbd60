package anthropic

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"parley/llm"
	"parley/llm/upstream"
)

// maxRefusal is as much of an error's body as is read, in bytes.
const maxRefusal = 64 << 10

// limitRefusals keeps the SDK, which reads an error's body to its end, from reading for ever.
func limitRefusals(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	res, err := next(req)
	if err == nil && res.StatusCode >= http.StatusBadRequest {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxRefusal), res.Body}
	}
	return res, err
}

func isJSON(res *http.Response) bool {
	return strings.HasPrefix(res.Header.Get("Content-Type"), "application/json")
}

// refusal turns an HTTP answer that is no stream into an error, and closes it.
func (m *Model) refusal(name string, res *http.Response) *llm.Error {
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxRefusal)) // what arrived is enough to explain
	text := messageIn(body)
	if res.StatusCode < http.StatusBadRequest {
		if text == "" {
			text = "it answered with one JSON document instead of a stream"
		}
		e := m.by.Refusal(name, res.StatusCode, res.Header, text)
		e.Kind = llm.Unavailable
		return e
	}
	return m.by.Refusal(name, res.StatusCode, res.Header, text)
}

// failed turns the failure of a call that is no stream into the error to return.
func (m *Model) failed(ctx context.Context, w *upstream.Watch, name string, err error) error {
	var refused *sdk.Error
	if ctx.Err() == nil && errors.As(err, &refused) && refused.Response != nil {
		return m.by.Refusal(name, refused.StatusCode, refused.Response.Header, messageIn([]byte(refused.RawJSON())))
	}
	return m.by.Unreached(ctx, w, name, err)
}

// statusOf is the HTTP status that stands for a type of error when it comes in place of a stream
// (https://platform.claude.com/docs/en/api/errors); 0 for one that we do not know.
func statusOf(kind string) int {
	switch kind {
	case "invalid_request_error":
		return http.StatusBadRequest
	case "authentication_error":
		return http.StatusUnauthorized
	case "billing_error":
		return http.StatusPaymentRequired
	case "permission_error":
		return http.StatusForbidden
	case "not_found_error":
		return http.StatusNotFound
	case "request_too_large":
		return http.StatusRequestEntityTooLarge
	case "rate_limit_error":
		return http.StatusTooManyRequests
	case "api_error":
		return http.StatusInternalServerError
	case "timeout_error":
		return http.StatusGatewayTimeout
	case "overloaded_error":
		return 529
	}
	return 0
}

// eventError turns an error that came as an event of the stream into the error to yield.
func (m *Model) eventError(a *answer, kind, text string) error {
	out := m.by.Fault(llm.Broken, a.name, errors.New(m.by.Clean(text)))
	if out.Status = statusOf(kind); out.Status == http.StatusUnauthorized {
		out.Err = errors.New("the key is missing or was refused") // the provider's own words may quote parts of the key
	}
	switch known := upstream.KindOf(out.Status); {
	case out.Status != 0 && known != llm.Unavailable:
		out.Kind = known
	case !a.said:
		out.Kind = llm.Unavailable
	}
	return out
}

// messageIn finds the words in {"type":"error","error":{"type":T,"message":M}}, or in the {"message":M} and
// {"detail":M} of proxies. Without any, a short plain text is taken as it is.
func messageIn(body []byte) string {
	var e struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
		Message string `json:"message"`
		Detail  string `json:"detail"`
	}
	if err := json.Unmarshal(body, &e); err != nil && !json.Valid(body) {
		if utf8.Valid(body) && !strings.HasPrefix(strings.TrimSpace(string(body)), "<") {
			return string(body)
		}
		return ""
	}
	for _, text := range []string{e.Error.Message, e.Message, e.Detail} {
		if text != "" {
			return text
		}
	}
	return ""
}
