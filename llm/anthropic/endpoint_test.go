package anthropic_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/llm"
	"parley/llm/anthropic"
	"parley/llm/llmtest"
	"parley/seam"
)

func serve(t testing.TB, handle http.HandlerFunc) string {
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

// events answers with a stream of these events.
func events(data ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, d := range data {
			var e struct{ Type string }
			_ = json.Unmarshal([]byte(d), &e)
			_, _ = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.Type, d)
		}
	}
}

func answer(t *testing.T, handle http.HandlerFunc) llmtest.Answer {
	t.Helper()
	m := open(t, anthropic.Config{BaseURL: serve(t, handle), APIKey: key})
	return llmtest.Gather(m.Stream(t.Context(), llmtest.Ask("hello")))
}

func wantError(t *testing.T, got llmtest.Answer, kind llm.Kind, text string) *llm.Error {
	t.Helper()
	var e *llm.Error
	if !errors.As(got.Err, &e) || e.Kind != kind || !strings.Contains(e.Error(), text) {
		t.Fatalf("got %q and the error %v, want %s with %q", got.Text, got.Err, kind, text)
	}
	if strings.Contains(e.Error(), key) {
		t.Errorf("the error %q holds the key", e)
	}
	return e
}

const (
	begin = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude-x","usage":{"input_tokens":3,"cache_read_input_tokens":20,"cache_creation_input_tokens":100,"output_tokens":1}}}`
	text  = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	word  = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"half "}}`
	stop  = `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}`
	last  = `{"type":"message_stop"}`
)

func failure(kind, message string) string {
	return `{"type":"error","error":{"type":"` + kind + `","message":"` + message + `"}}`
}

func TestErrorsInTheStream(t *testing.T) {
	for name, c := range map[string]struct {
		data   []string
		kind   llm.Kind
		text   string
		status int
	}{
		"overloaded at once": {[]string{failure("overloaded_error", "Overloaded")}, llm.Overloaded, "Overloaded", 529},
		"overloaded later":   {[]string{begin, text, word, failure("overloaded_error", "Overloaded")}, llm.Overloaded, "Overloaded", 529},
		"rate limit":         {[]string{begin, failure("rate_limit_error", "slow down")}, llm.Overloaded, "slow down", 429},
		"broken inside":      {[]string{begin, text, word, failure("api_error", "Internal server error")}, llm.Broken, "Internal server error", 500},
		"broken at once":     {[]string{begin, failure("api_error", "Internal server error")}, llm.Unavailable, "Internal server error", 500},
		"too long":           {[]string{begin, failure("invalid_request_error", "prompt is too long")}, llm.Invalid, "too long", 400},
		"key":                {[]string{failure("authentication_error", "bad "+key)}, llm.Denied, "the key is missing or was refused", 401},
		"unknown":            {[]string{begin, text, word, failure("new_error", "with "+key)}, llm.Broken, "with ***", 0},
		"no JSON":            {[]string{begin, text, word, `{"type":`}, llm.Broken, "read an event", 0},
		"polite, no end":     {[]string{begin, text, word}, llm.Broken, "ended before", 0},
		"stop, no reason":    {[]string{begin, text, word, last}, llm.Broken, "ended before", 0},
		"nothing at all":     {nil, llm.Broken, "ended before", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if e := wantError(t, answer(t, events(c.data...)), c.kind, c.text); e.Status != c.status {
				t.Errorf("status %d, want %d", e.Status, c.status)
			}
		})
	}
}

func TestStreams(t *testing.T) {
	call := func(i int, id, input string) string {
		return fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":{"type":"tool_use","id":%q,"name":"f","input":%s}}`, i, id, input)
	}
	piece := func(i int, json string) string {
		return fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":{"type":"input_json_delta","partial_json":%q}}`, i, json)
	}
	for name, c := range map[string]struct {
		data []string
		want llmtest.Answer
	}{
		"usage of three parts": {
			[]string{begin, text, word, stop, last},
			llmtest.Answer{Text: "half ", Usage: &llm.Usage{Input: 123, Output: 7, Cached: 20}},
		},
		"usage told late": {
			[]string{`{"type":"message_start","message":{"model":"m","usage":{"input_tokens":0,"output_tokens":0}}}`, word, `{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"input_tokens":5,"output_tokens":6}}`},
			llmtest.Answer{Text: "half ", Usage: &llm.Usage{Input: 5, Output: 6}},
		},
		"what is unknown is ignored": {
			[]string{begin, `{"type":"new_event","x":1}`, `{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}`, piece(0, `{"query":"x"}`), word, stop, last},
			llmtest.Answer{Text: "half ", Usage: &llm.Usage{Input: 123, Output: 7, Cached: 20}},
		},
		"thinking": {
			[]string{begin, `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}`, stop, last},
			llmtest.Answer{Reasoning: "hm", Usage: &llm.Usage{Input: 123, Output: 7, Cached: 20}},
		},
		"refused": {
			[]string{`{"type":"message_delta","delta":{"stop_reason":"refusal"}}`, last},
			llmtest.Answer{OptedOut: true},
		},
		"a call without arguments and a whole one": {
			[]string{call(0, "a", "{}"), piece(0, ""), call(1, "b", `{"x":1}`), `{"type":"message_delta","delta":{"stop_reason":"tool_use"}}`, last},
			llmtest.Answer{Calls: []llm.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}, {ID: "b", Name: "f", Arguments: `{"x":1}`}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := answer(t, events(c.data...))
			if got.Err != nil || got.Text != c.want.Text || got.Reasoning != c.want.Reasoning || got.OptedOut != c.want.OptedOut {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if !slices.Equal(got.Calls, c.want.Calls) {
				t.Errorf("calls %v, want %v", got.Calls, c.want.Calls)
			}
			if fmt.Sprint(got.Usage) != fmt.Sprint(c.want.Usage) {
				t.Errorf("usage %v, want %v", got.Usage, c.want.Usage)
			}
		})
	}
}

func TestAnswersThatAreNoStream(t *testing.T) {
	plain := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	wantError(t, answer(t, plain(200, "application/json", `{"type":"message"}`)), llm.Unavailable, "instead of a stream")
	wantError(t, answer(t, plain(200, "text/html", `<html>`)), llm.Broken, "ended before")
	wantError(t, answer(t, plain(502, "text/html", `<html>nginx</html>`)), llm.Unavailable, "HTTP 502: Bad Gateway")
	wantError(t, answer(t, plain(500, "text/plain", "out of\nmemory")), llm.Unavailable, "HTTP 500: out of memory")
	wantError(t, answer(t, plain(413, "application/json", failure("request_too_large", "Request exceeds the maximum size"))), llm.Invalid, "maximum size")
	wantError(t, answer(t, plain(401, "application/json", failure("authentication_error", key))), llm.Denied, "the key is missing or was refused")
}

func TestEndlessRefusalIsCut(t *testing.T) {
	got := answer(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	wantError(t, got, llm.Unavailable, "HTTP 500")
}

// sent returns the body of the request that a driver makes of req, as JSON of one line.
func sent(t *testing.T, cfg anthropic.Config, req llm.Request) string {
	t.Helper()
	body := ""
	cfg.BaseURL = serve(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		body = string(data)
		events(begin, stop, last)(w, r)
	})
	if got := llmtest.Gather(open(t, cfg).Stream(t.Context(), req)); got.Err != nil {
		t.Fatal(got.Err)
	}
	return body
}

// same compares JSON without regard to the order of keys.
func same(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got), &a); err != nil || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestRequests(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  anthropic.Config
		req  llm.Request
		want string
	}{
		"a word": {
			req:  llmtest.Ask("hi"),
			want: `{"model":"test-model","max_tokens":8192,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`,
		},
		"turns are merged, begun and ended by the user": {
			cfg: anthropic.Config{MaxTokens: 50, Thinking: true},
			req: llm.Request{Models: []string{"m"}, Messages: []llm.Message{
				{Role: llm.System, Text: "Be Ada."},
				{Role: llm.Assistant, Text: "Welcome."},
				{Role: llm.User, Text: "one"},
				{Role: llm.User, Text: " \n"},
				{Role: llm.User, Text: "two"},
				{Role: llm.Assistant, Text: "Three."},
			}},
			want: `{"model":"m","max_tokens":50,"stream":true,"thinking":{"type":"adaptive","display":"summarized"},
				"system":[{"type":"text","text":"Be Ada."}],"messages":[
				{"role":"user","content":[{"type":"text","text":"(The conversation begins here.)"}]},
				{"role":"assistant","content":[{"type":"text","text":"Welcome."}]},
				{"role":"user","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]},
				{"role":"assistant","content":[{"type":"text","text":"Three."}]},
				{"role":"user","content":[{"type":"text","text":"(Go on.)"}]}]}`,
		},
		"results come before words": {
			req: llm.Request{Models: []string{"m"}, MaxTokens: 9, Tools: []llm.Tool{{Name: "f"}}, Messages: []llm.Message{
				{Role: llm.User, Text: "go"},
				{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: "a", Name: "f", Arguments: `{"x":12345678901234567890}`}, {ID: "b", Name: "f", Arguments: "{oops"}, {ID: "c", Name: "f"}}},
				{Role: llm.User, Text: "wait"},
				{Role: llm.ToolResult, ToolCallID: "a", Text: "1"},
				{Role: llm.ToolResult, ToolCallID: "b"},
				{Role: llm.User, Text: "now"},
				{Role: llm.ToolResult, ToolCallID: "c", Text: "3"},
			}},
			want: `{"model":"m","max_tokens":9,"stream":true,"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"messages":[
				{"role":"user","content":[{"type":"text","text":"go"}]},
				{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{"x":12345678901234567890}},{"type":"tool_use","id":"b","name":"f","input":{"invalid":"{oops"}},{"type":"tool_use","id":"c","name":"f","input":{}}]},
				{"role":"user","content":[
					{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"1"}]},{"type":"tool_result","tool_use_id":"b"},
					{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"3"}]},
					{"type":"text","text":"wait"},{"type":"text","text":"now"}]}]}`,
		},
		"a schema": {
			req: func() llm.Request {
				r := llmtest.Ask("hi")
				r.Format = &llm.Format{Name: "n", Schema: []byte(`{"type":"object"}`)}
				return r
			}(),
			want: `{"model":"test-model","max_tokens":8192,"stream":true,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`,
		},
		"any object": {
			req:  func() llm.Request { r := llmtest.Ask("hi"); r.Format = &llm.Format{}; return r }(),
			want: `{"model":"test-model","max_tokens":8192,"stream":true,"system":[{"type":"text","text":"Answer with one JSON object and nothing else."}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) { same(t, sent(t, c.cfg, c.req), c.want) })
	}
}

// A model that knows no structured outputs is asked once more, in words.
func TestFormatInWords(t *testing.T) {
	m, up := start(t, llmtest.AnthropicConfig{NoFormat: true}, llmtest.Always(llmtest.Say("{}")))
	req := llmtest.Ask("hello")
	req.Format = &llm.Format{Schema: json.RawMessage(`{"type":"object"}`)}
	if got := llmtest.Gather(m.Stream(t.Context(), req)); got.Err != nil || got.Text != "{}" {
		t.Fatalf("got %q, %v", got.Text, got.Err)
	}
	arrived := up.Requests()
	if len(arrived) != 1 || !strings.Contains(arrived[0].Messages[0].Text, `{"type":"object"}`) || arrived[0].Messages[0].Role != llm.System {
		t.Errorf("arrived %+v", arrived)
	}
}

func TestList(t *testing.T) {
	for _, page := range []int{0, 1} {
		m, _ := start(t, llmtest.AnthropicConfig{Page: page}, nil)
		got, err := m.List(t.Context())
		want := []llm.Info{
			{Name: "claude-opus-4-6", Title: "Claude Opus 4.6", Tools: true, Context: 200000},
			{Name: "claude-haiku-4-5-20251001", Title: "Claude Haiku 4.5", Tools: true, Context: 200000},
			{Name: "claude-of-a-proxy", Tools: true},
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("pages of %d: got %+v, %v", page, got, err)
		}
	}
}

func TestListRefused(t *testing.T) {
	_, up := start(t, llmtest.AnthropicConfig{}, nil)
	_, err := open(t, anthropic.Config{BaseURL: up.URL, APIKey: "another"}).List(t.Context())
	if e := wantError(t, llmtest.Answer{Err: err}, llm.Denied, "the key"); e.Status != 401 {
		t.Errorf("status %d", e.Status)
	}
	_, err = open(t, anthropic.Config{BaseURL: serve(t, http.NotFound)}).List(t.Context())
	wantError(t, llmtest.Answer{Err: err}, llm.Invalid, "404 page not found")
	_, err = open(t, anthropic.Config{BaseURL: "http://127.0.0.1:1"}).List(t.Context())
	wantError(t, llmtest.Answer{Err: err}, llm.Unavailable, "reach the provider")
	silent := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	_, err = open(t, anthropic.Config{BaseURL: silent, Silence: 50 * time.Millisecond}).List(t.Context())
	wantError(t, llmtest.Answer{Err: err}, llm.Unavailable, "silent")
}

// An upstream that has finished its answer but keeps the response open does not keep the reply open.
func TestUpstreamThatNeverHangsUp(t *testing.T) {
	from := time.Now()
	got := answer(t, func(w http.ResponseWriter, r *http.Request) {
		events(begin, text, word, stop, last)(w, r)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	if took := time.Since(from); got.Err != nil || got.Text != "half " || took > 2*time.Second {
		t.Errorf("got %q, %v after %s", got.Text, got.Err, took)
	}
}

// The SDK reads keys and addresses from the environment; a key meant for Anthropic must not reach another endpoint.
func TestEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "sk-of-the-environment")
	t.Setenv("ANTHROPIC_AUTH_TOKEN", "token-of-the-environment")
	t.Setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
	t.Setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Own: no")
	var seen http.Header
	m := open(t, anthropic.Config{Headers: map[string]string{"Anthropic-Beta": "some-beta"}, BaseURL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		events(begin, text, word, stop, last)(w, r)
	}) + "/"})
	if got := llmtest.Gather(m.Stream(t.Context(), llmtest.Ask("hello"))); got.Err != nil {
		t.Fatal(got.Err)
	}
	for _, name := range []string{"Authorization", "X-Api-Key", "X-Own", "Accept-Encoding"} {
		if seen.Get(name) != "" {
			t.Errorf("%s: %q was sent", name, seen.Get(name))
		}
	}
	if seen.Get("Anthropic-Beta") != "some-beta" || seen.Get("Accept") != "text/event-stream" {
		t.Errorf("headers %v", seen)
	}
}

func TestFallsOverToTheNextModel(t *testing.T) {
	m, up := start(t, llmtest.AnthropicConfig{}, func(req llm.Request) llmtest.Act {
		if req.Models[0] == "busy" {
			return llmtest.Act{Refuse: &llmtest.Refusal{Status: 529, Text: "Overloaded"}}
		}
		return llmtest.Say("I am ", req.Models[0])
	})
	req := llmtest.Ask("hello")
	req.Models = []string{"busy", "free", "unused"}
	got := llmtest.Gather(m.Stream(t.Context(), req))
	if got.Err != nil || got.Text != "I am free" || got.Model != "free" || len(up.Requests()) != 2 {
		t.Errorf("got %q of %q, %v, after %d requests", got.Text, got.Model, got.Err, len(up.Requests()))
	}
}

func TestBadRequestsStayHere(t *testing.T) {
	m := open(t, anthropic.Config{BaseURL: "http://127.0.0.1:1"})
	for name, change := range map[string]func(*llm.Request){
		"model":  func(r *llm.Request) { r.Models = nil },
		"role":   func(r *llm.Request) { r.Messages[0].Role = 0 },
		"tool":   func(r *llm.Request) { r.Tools = []llm.Tool{{Name: "f", Schema: []byte("{")}} },
		"schema": func(r *llm.Request) { r.Format = &llm.Format{Schema: []byte("{")} },
	} {
		t.Run(name, func(t *testing.T) {
			req := llmtest.Ask("hello")
			change(&req)
			wantError(t, llmtest.Gather(m.Stream(t.Context(), req)), llm.Invalid, "")
		})
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := anthropic.New(anthropic.Config{}); err == nil {
		t.Error("no Clock, no error")
	}
	for _, url := range []string{"localhost:11434", "ftp://x", "http://", "http://a b"} {
		if _, err := anthropic.New(anthropic.Config{BaseURL: url, Clock: seam.Real()}); err == nil {
			t.Errorf("%q is taken as an address", url)
		}
	}
}

func TestCancelWhileFallingOver(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	want := errors.New("enough")
	cancel(want)
	req := llmtest.Ask("hello")
	req.Models = []string{"a", "b"}
	if got := llmtest.Gather(open(t, anthropic.Config{BaseURL: "http://127.0.0.1:1"}).Stream(ctx, req)); !errors.Is(got.Err, want) {
		t.Errorf("got %v", got.Err)
	}
}
