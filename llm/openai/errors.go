package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"parley/llm"
	"parley/llm/upstream"
)

// refusal turns an HTTP answer that is no stream into an error, and closes it.
func (m *Model) refusal(name string, res *http.Response) *llm.Error {
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxRefusal)) // what arrived is enough to explain
	text, failed := messageIn(body), res.StatusCode >= http.StatusBadRequest
	if text == "" && !failed {
		text = "it answered with one JSON document instead of a stream"
	}
	e := m.by.Refusal(name, res.StatusCode, res.Header, text)
	if !failed {
		e.Kind = llm.Unavailable
	}
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
	out := m.by.Fault(llm.Broken, a.name, errors.New(m.by.Clean(messageIn(data))))
	out.Status = status
	switch {
	case status != 0:
		out.Kind = upstream.KindOf(status)
	case strings.Contains(fmt.Sprint(code), "rate_limit") || strings.Contains(fmt.Sprint(code), "overloaded"):
		out.Kind = llm.Overloaded
	case !a.said:
		out.Kind = llm.Unavailable
	}
	return out
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
