package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"parley/llm"
)

const maxErrorText = 400 // bytes of a provider's words that we repeat

// explain turns the failure of a call that never streamed into the error to yield.
func (m *Model) explain(ctx context.Context, w *watch, name string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var known *llm.Error
	if errors.As(err, &known) {
		return known
	}
	if w.silent() {
		return m.fault(llm.Unavailable, name, errSilent)
	}
	// The text of a *url.Error is the whole address; its cause is enough.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return m.fault(llm.Unavailable, name, fmt.Errorf("reach the provider: %w", err))
}

// refusal turns an HTTP answer that is no stream into an error, and closes it.
func (m *Model) refusal(name string, res *http.Response) *llm.Error {
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxRefusal)) // what arrived is enough to explain
	kind, text := kindOf(res.StatusCode), messageIn(body)
	switch {
	case res.StatusCode < http.StatusBadRequest && text == "":
		kind, text = llm.Unavailable, "it answered with one JSON document instead of a stream"
	case res.StatusCode < http.StatusBadRequest:
		kind = llm.Unavailable
	case res.StatusCode == http.StatusUnauthorized:
		text = "the key is missing or was refused" // the provider's own words may quote parts of the key
	case text == "":
		text = http.StatusText(res.StatusCode)
	}
	e := m.fault(kind, name, fmt.Errorf("HTTP %d: %s", res.StatusCode, m.clean(text)))
	e.Status, e.RetryAfter = res.StatusCode, retryAfter(res.Header, m.cfg.Clock.Now())
	return e
}

// eventError turns an error that came as an event of the stream into the error to yield.
func (m *Model) eventError(a *answer, data []byte) error {
	var e struct {
		Error any `json:"error"`
		Code  any `json:"code"`
	}
	_ = json.Unmarshal(data, &e) // it was read before
	code := e.Code
	if inner, ok := e.Error.(map[string]any); ok {
		code = inner["code"]
	}
	status := 0
	if n, err := strconv.Atoi(fmt.Sprint(code)); err == nil && n >= http.StatusBadRequest && n < 600 {
		status = n
	}
	out := m.fault(llm.Broken, a.name, errors.New(m.clean(messageIn(data))))
	out.Status = status
	switch {
	case status != 0:
		out.Kind = kindOf(status)
	case strings.Contains(fmt.Sprint(code), "rate_limit") || strings.Contains(fmt.Sprint(code), "overloaded"):
		out.Kind = llm.Overloaded
	case !a.said:
		out.Kind = llm.Unavailable
	}
	return out
}

// kindOf sorts HTTP statuses: https://platform.openai.com/docs/guides/error-codes, https://openrouter.ai/docs/errors.
func kindOf(status int) llm.Kind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return llm.Denied
	case status == http.StatusTooManyRequests, status == http.StatusPaymentRequired, status == 529:
		return llm.Overloaded
	case status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		return llm.Unavailable
	}
	return llm.Invalid
}

// messageIn finds the words in the errors of all endpoints: {"error":{"message":M}} (OpenAI, OpenRouter, llama.cpp),
// {"error":M} (Ollama), {"message":M} (vLLM), {"detail":M} (proxies). Without any, a short plain text is taken as it is.
func messageIn(body []byte) string {
	var e struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(body, &e) != nil {
		if utf8.Valid(body) && !strings.HasPrefix(strings.TrimSpace(string(body)), "<") {
			return string(body)
		}
		return ""
	}
	for _, raw := range []json.RawMessage{e.Error, e.Detail} {
		var inner struct {
			Message string `json:"message"`
		}
		var text string
		if json.Unmarshal(raw, &inner) == nil && inner.Message != "" {
			return inner.Message
		}
		if json.Unmarshal(raw, &text) == nil && text != "" {
			return text
		}
	}
	return e.Message
}

// clean makes a provider's words fit for the room: one short line without the key.
func (m *Model) clean(text string) string {
	if m.cfg.APIKey != "" {
		text = strings.ReplaceAll(text, m.cfg.APIKey, "***")
	}
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		text = "no reason given"
	}
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "..."
	}
	return text
}

// retryAfter reads Retry-After (RFC 9110, 10.2.3: seconds or a date) and OpenAI's retry-after-ms.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 && ms < 1e9 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	if s, err := strconv.ParseFloat(h.Get("Retry-After"), 64); err == nil && s > 0 && s < 1e9 {
		return time.Duration(s * float64(time.Second))
	}
	if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
