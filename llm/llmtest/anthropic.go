package llmtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"parley/llm"
)

// Anthropic is a server of the Messages API, written from its documentation
// (https://platform.claude.com/docs/en/api/messages): it checks what it is asked as strictly as the real one, save that
// it takes any schema, and answers over server-sent events. It speaks HTTP/1.1 on a loopback socket.
type Anthropic struct {
	*Stage
	URL    string // the base URL, without /v1
	server *httptest.Server
	cfg    AnthropicConfig
}

var _ Upstream = (*Anthropic)(nil)

// AnthropicConfig says how the server differs from the plainest one.
type AnthropicConfig struct {
	Key      string // the only key that is let in; empty lets everybody in
	Drip     int    // bytes of a TCP segment; 0 sends each event whole
	Pings    bool   // sends a ping before each event
	Cached   bool   // counts part of the input as written to the cache
	NoFormat bool   // knows no structured outputs
	Page     int    // most models on a page of the list; 0 means as many as the caller wants
}

// NewAnthropic starts a server that stops with the test.
func NewAnthropic(t testing.TB, cfg AnthropicConfig, play func(llm.Request) Act) *Anthropic {
	a := &Anthropic{Stage: NewStage(play), cfg: cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/messages", a.serve)
	mux.HandleFunc("GET /v1/models", a.list)
	a.server = httptest.NewServer(mux)
	t.Cleanup(a.server.Close)
	a.URL = a.server.URL
	return a
}

// admit refuses whoever has no key, or names no version of the API.
func (a *Anthropic) admit(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case a.cfg.Key != "" && r.Header.Get("X-Api-Key") != a.cfg.Key:
		a.refuse(w, Refusal{Status: http.StatusUnauthorized, Text: "invalid x-api-key: " + r.Header.Get("X-Api-Key")})
	case r.Header.Get("Anthropic-Version") != "2023-06-01":
		a.refuse(w, Refusal{Status: http.StatusBadRequest, Text: "anthropic-version: header is required"})
	default:
		return true
	}
	return false
}

func (a *Anthropic) serve(w http.ResponseWriter, r *http.Request) {
	if !a.admit(w, r) {
		return
	}
	req, err := readMessages(r.Body, a.cfg)
	if err != nil {
		a.refuse(w, Refusal{Status: http.StatusBadRequest, Text: err.Error()})
		return
	}
	act, leave := a.Enter(req)
	defer leave()
	if act.Late && !a.Wait(r.Context()) {
		return
	}
	if act.Refuse != nil {
		a.refuse(w, *act.Refuse)
		return
	}
	s := &messageStream{sse: sse{w: w, cfg: OpenAIConfig{Drip: a.cfg.Drip}}, cfg: a.cfg, open: -1}
	s.start(req.Models[0], act)
	a.act(s, r, act)
}

func (a *Anthropic) act(s *messageStream, r *http.Request, act Act) {
	for _, b := range act.Beats {
		if b.Hold && !a.Wait(r.Context()) {
			return
		}
		if s.say(b); s.gone {
			return
		}
	}
	s.call(act)
	switch act.End {
	case Cut:
		panic(http.ErrAbortHandler)
	case Hang:
		<-r.Context().Done()
	case Trickle:
		s.trickle(r.Context())
	case Finish:
		s.stop(act)
	}
}

// anthropicErrors are the types of error by status (https://platform.claude.com/docs/en/api/errors).
var anthropicErrors = map[int]string{
	400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
	404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error",
}

func (a *Anthropic) refuse(w http.ResponseWriter, r Refusal) {
	w.Header().Set("Content-Type", "application/json")
	if r.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(r.RetryAfter/time.Second)))
	}
	w.WriteHeader(r.Status)
	kind, ok := anthropicErrors[r.Status]
	if !ok {
		kind = "api_error"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "error", "error": map[string]any{"type": kind, "message": r.Text}, "request_id": "req_1",
	})
}

// list gives the models, newest first, as pages (https://platform.claude.com/docs/en/api/models/list).
func (a *Anthropic) list(w http.ResponseWriter, r *http.Request) {
	if !a.admit(w, r) {
		return
	}
	models := []map[string]any{
		{"type": "model", "id": "claude-opus-4-6", "display_name": "Claude Opus 4.6", "created_at": "2026-02-04T00:00:00Z", "max_input_tokens": 200000, "max_tokens": 128000},
		{"type": "model", "id": "claude-haiku-4-5-20251001", "display_name": "Claude Haiku 4.5", "created_at": "2025-10-15T00:00:00Z", "max_input_tokens": 200000, "max_tokens": 64000},
		{"type": "model", "id": "claude-of-a-proxy", "display_name": "", "created_at": "1970-01-01T00:00:00Z"},
	}
	from := 0
	for i, m := range models {
		if m["id"] == r.URL.Query().Get("after_id") {
			from = i + 1
		}
	}
	limit := 20
	if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil {
		limit = n
	}
	if a.cfg.Page > 0 {
		limit = min(limit, a.cfg.Page)
	}
	page := models[from:min(len(models), from+limit)]
	body := map[string]any{"data": page, "has_more": from+len(page) < len(models), "first_id": nil, "last_id": nil}
	if len(page) > 0 {
		body["first_id"], body["last_id"] = page[0]["id"], page[len(page)-1]["id"]
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}
