package llmtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/llm"
)

// Google is a server of the Gemini API, written from its documentation (https://ai.google.dev/api/generate-content): it
// checks what it is asked as strictly as the real one and answers over server-sent events. It speaks HTTP/1.1 on a
// loopback socket.
type Google struct {
	*Stage
	URL    string // the base URL, without /v1beta
	server *httptest.Server
	cfg    GoogleConfig
}

var _ Upstream = (*Google)(nil)

// GoogleConfig says how the server, and the model that it serves, differ from the plainest ones.
type GoogleConfig struct {
	Key          string // the only key that is let in; empty lets everybody in
	Drip         int    // bytes of a TCP segment; 0 sends each event whole
	Continuously bool   // tells usage with every chunk
	NoIDs        bool   // gives calls no id
	NoThoughts   bool   // does not think aloud
	Signed       bool   // signs the calls of its answers and wants a signature on every answer that calls
	NoFormat     bool   // takes no format beside tools
	RetryInfo    bool   // says when to come back in the error's details and not in a header
	Page         int    // most models on a page of the list; 0 means as many as the caller wants
}

// NewGoogle starts a server that stops with the test.
func NewGoogle(t testing.TB, cfg GoogleConfig, play func(llm.Request) Act) *Google {
	g := &Google{Stage: NewStage(play), cfg: cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1beta/models/{call}", g.serve)
	mux.HandleFunc("GET /v1beta/models", g.list)
	g.server = httptest.NewServer(mux)
	t.Cleanup(g.server.Close)
	g.URL = g.server.URL
	return g
}

// admit refuses whoever has no key; a wrong one is an invalid argument here.
func (g *Google) admit(w http.ResponseWriter, r *http.Request) bool {
	if g.cfg.Key == "" || r.Header.Get("X-Goog-Api-Key") == g.cfg.Key {
		return true
	}
	g.refuse(w, Refusal{Status: http.StatusBadRequest, Text: "API key not valid. Please pass a valid API key."},
		map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"})
	return false
}

func (g *Google) serve(w http.ResponseWriter, r *http.Request) {
	if !g.admit(w, r) {
		return
	}
	model, method, _ := strings.Cut(r.PathValue("call"), ":")
	if method != "streamGenerateContent" || r.URL.Query().Get("alt") != "sse" {
		g.refuse(w, Refusal{Status: http.StatusNotFound, Text: "this server only streams events"})
		return
	}
	req, err := readContents(r.Body, g.cfg)
	if err != nil {
		g.refuse(w, Refusal{Status: http.StatusBadRequest, Text: err.Error()})
		return
	}
	req.Models = []string{model}
	act, leave := g.Enter(req)
	defer leave()
	if act.Late && !g.Wait(r.Context()) {
		return
	}
	if act.Refuse != nil {
		g.refuse(w, *act.Refuse)
		return
	}
	s := &contentStream{sse: sse{w: w, cfg: OpenAIConfig{Drip: g.cfg.Drip}}, cfg: g.cfg, model: model, act: act}
	s.start()
	g.act(s, r)
}

func (g *Google) act(s *contentStream, r *http.Request) {
	for _, b := range s.act.Beats {
		if b.Hold && !g.Wait(r.Context()) {
			return
		}
		if s.say(b); s.gone {
			return
		}
	}
	s.call()
	switch s.act.End {
	case Cut:
		panic(http.ErrAbortHandler)
	case Hang:
		<-r.Context().Done()
	case Trickle:
		s.trickle(r.Context())
	case Finish:
		s.stop()
	}
}

// googleErrors are the names of the statuses (https://ai.google.dev/gemini-api/docs/troubleshooting).
var googleErrors = map[int]string{
	400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
	500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}

func (g *Google) refuse(w http.ResponseWriter, r Refusal, details ...map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if r.RetryAfter > 0 && g.cfg.RetryInfo {
		details = append(details,
			map[string]any{"@type": "type.googleapis.com/google.rpc.Help", "links": []any{}},
			map[string]any{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": r.RetryAfter.String()})
	} else if r.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(r.RetryAfter/time.Second)))
	}
	w.WriteHeader(r.Status)
	name, ok := googleErrors[r.Status]
	if !ok {
		name = "UNKNOWN"
	}
	body := map[string]any{"code": r.Status, "message": r.Text, "status": name}
	if details != nil {
		body["details"] = details
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"error": body})
}

// list gives the models as pages (https://ai.google.dev/api/models#method:-models.list).
func (g *Google) list(w http.ResponseWriter, r *http.Request) {
	if !g.admit(w, r) {
		return
	}
	models := []map[string]any{
		{"name": "models/embedding-001", "displayName": "Embedding 001", "inputTokenLimit": 2048, "supportedGenerationMethods": []string{"embedContent"}},
		{"name": "models/gemma-3-27b-it", "displayName": "Gemma 3 27B", "inputTokenLimit": 131072, "supportedGenerationMethods": []string{"generateContent", "countTokens"}},
		{"name": "models/gemini-2.5-flash", "displayName": "Gemini 2.5 Flash", "inputTokenLimit": 1048576, "supportedGenerationMethods": []string{"generateContent", "countTokens"}, "thinking": true},
		{"name": "models/gemini-2.5-flash-preview-tts", "displayName": "Gemini 2.5 Flash Preview TTS", "inputTokenLimit": 8192, "supportedGenerationMethods": []string{"generateContent"}},
		{"name": "models/gemini-3-pro-preview", "displayName": "Gemini 3 Pro Preview", "inputTokenLimit": 1048576, "supportedGenerationMethods": []string{"generateContent"}, "thinking": true},
	}
	from, limit := 0, 50
	if n, err := strconv.Atoi(r.URL.Query().Get("pageToken")); err == nil {
		from = n
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("pageSize")); err == nil {
		limit = n
	}
	if g.cfg.Page > 0 {
		limit = min(limit, g.cfg.Page)
	}
	to := min(len(models), from+limit)
	body := map[string]any{"models": models[from:to]}
	if to < len(models) {
		body["nextPageToken"] = fmt.Sprint(to)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(body)
}

// A contentStream writes the chunks of the Gemini API to one caller. Each is a whole response with what is new in it;
// the lines end as Google ends them.
type contentStream struct {
	sse
	cfg   GoogleConfig
	model string
	act   Act
}

func (s *contentStream) start() {
	s.w.Header().Set("Content-Type", "text/event-stream")
	s.w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(s.w).Flush()
}

// say plays what a beat says; its tools come later.
func (s *contentStream) say(b Beat) {
	var parts []any
	if b.Reasoning != "" {
		parts = append(parts, map[string]any{"text": b.Reasoning, "thought": true})
	}
	if b.Text != "" || b.Reasoning == "" {
		parts = append(parts, map[string]any{"text": b.Text})
	}
	s.chunk(parts, "", s.cfg.Continuously)
}

// call plays the tool calls of an act: each is one part, whole, and the first is signed. Half a call is never sent.
func (s *contentStream) call() {
	for i, c := range s.act.Calls() {
		if !json.Valid([]byte(c.Arguments)) {
			continue
		}
		function := map[string]any{"name": c.Name, "args": json.RawMessage(c.Arguments)}
		if !s.cfg.NoIDs {
			function["id"] = c.ID
		}
		part := map[string]any{"functionCall": function}
		if s.cfg.Signed && i == 0 {
			part["thoughtSignature"] = signatureOf(c.ID)
		}
		s.chunk([]any{part}, "", s.cfg.Continuously)
	}
}

func (s *contentStream) stop() {
	s.chunk([]any{map[string]any{"text": ""}}, "STOP", true)
}

// trickle sends what keeps a connection busy and says nothing: comments, and chunks without words.
func (s *contentStream) trickle(ctx context.Context) {
	tick := time.NewTicker(trickle)
	defer tick.Stop()
	for n := 0; !s.gone; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n%2 == 0 {
			s.write([]byte(": still here\r\n\r\n"))
		} else {
			s.say(Beat{})
		}
	}
}

func (s *contentStream) chunk(parts []any, finish string, usage bool) {
	candidate := map[string]any{"content": map[string]any{"parts": parts, "role": "model"}, "index": 0}
	if finish != "" {
		candidate["finishReason"] = finish
	}
	body := map[string]any{"candidates": []any{candidate}, "modelVersion": s.model, "responseId": "tTCwacuEBMvnitYP06qsgQY"}
	if u := s.act.Usage; usage && u != nil {
		thoughts := u.Output / 2
		body["usageMetadata"] = map[string]any{
			"promptTokenCount": u.Input, "candidatesTokenCount": u.Output - thoughts, "thoughtsTokenCount": thoughts, "cachedContentTokenCount": u.Cached,
			"totalTokenCount": u.Input + u.Output, "promptTokensDetails": []any{map[string]any{"modality": "TEXT", "tokenCount": u.Input}},
		}
	}
	// As it is, so that the arguments of a call arrive as the act has them.
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(err)
	}
	s.write([]byte("data: " + strings.TrimRight(text.String(), "\n") + "\r\n\r\n"))
}

// signatureOf is how the server signs a call.
func signatureOf(id string) []byte { return slices.Concat([]byte("signed "), []byte(id)) }
