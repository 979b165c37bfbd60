package openai_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/llm"
	"parley/llm/llmtest"
	"parley/llm/openai"
	"parley/seam"
)

// serve runs an endpoint that says what a handler says.
func serve(t testing.TB, handle http.HandlerFunc) string {
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL + "/v1/"
}

// events answers with a stream of these lines of data.
func events(data ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, d := range data {
			_, _ = fmt.Fprintf(w, "data: %s\n\n", d)
		}
	}
}

func answer(t *testing.T, handle http.HandlerFunc) llmtest.Answer {
	t.Helper()
	m := open(t, openai.Config{BaseURL: serve(t, handle), APIKey: key})
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

const word = `{"choices":[{"index":0,"delta":{"content":"half "}}]}`

func TestErrorsInTheStream(t *testing.T) {
	for name, c := range map[string]struct {
		data   []string
		kind   llm.Kind
		text   string
		status int
	}{
		"openai, first":      {[]string{`{"error":{"message":"it failed","type":"server_error"}}`}, llm.Unavailable, "it failed", 0},
		"openai, later":      {[]string{word, `{"error":{"message":"it failed","code":null}}`}, llm.Broken, "it failed", 0},
		"openrouter":         {[]string{word, `{"error":{"code":502,"message":"provider down"},"choices":[{"delta":{},"finish_reason":"error"}]}`}, llm.Unavailable, "provider down", 502},
		"rate limit":         {[]string{word, `{"error":{"code":"rate_limit_exceeded","message":"slow"}}`}, llm.Overloaded, "slow", 0},
		"vllm":               {[]string{`{"object":"error","message":"too long","code":400}`}, llm.Invalid, "too long", 400},
		"ollama":             {[]string{`{"error":"model runner stopped"}`}, llm.Unavailable, "model runner stopped", 0},
		"with the key":       {[]string{`{"error":{"message":"bad ` + key + ` here"}}`}, llm.Unavailable, "bad *** here", 0},
		"no JSON":            {[]string{word, `{"choices":`}, llm.Broken, "read an event", 0},
		"polite, no end":     {[]string{word}, llm.Broken, "ended before", 0},
		"nothing at all":     {nil, llm.Broken, "ended before", 0},
		"filter, later":      {[]string{word, `{"choices":[{"delta":{},"finish_reason":"content_filter"}]}`}, llm.Broken, "content filter", 0},
		"an event too large": {[]string{strings.Repeat("x", 33<<20)}, llm.Broken, "token too long", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if e := wantError(t, answer(t, events(c.data...)), c.kind, c.text); e.Status != c.status {
				t.Errorf("status %d, want %d", e.Status, c.status)
			}
		})
	}
}

func TestStreamsAsEndpointsWriteThem(t *testing.T) {
	const stop, done = `{"choices":[{"delta":{},"finish_reason":"stop"}]}`, "[DONE]"
	for name, c := range map[string]struct {
		data []string
		want llmtest.Answer
	}{
		"nulls": {
			[]string{`{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":null,"refusal":null},"finish_reason":null}],"error":null,"usage":null}`, word, stop, done},
			llmtest.Answer{Text: "half "},
		},
		"reasoning under both names": {
			[]string{`{"choices":[{"delta":{"reasoning":"hm","reasoning_content":"hm"}}]}`, word, stop, done},
			llmtest.Answer{Text: "half ", Reasoning: "hm"},
		},
		"cut by its length": {
			[]string{word, `{"choices":[{"delta":{},"finish_reason":"length"}]}`, done},
			llmtest.Answer{Text: "half "},
		},
		"filtered at once": {
			[]string{`{"choices":[{"delta":{},"finish_reason":"content_filter"}]}`, done},
			llmtest.Answer{OptedOut: true},
		},
		"calls numbered 0": {
			[]string{
				`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}}]}`,
				`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}]}`, done,
			},
			llmtest.Answer{Calls: []llm.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}, {ID: "b", Name: "g", Arguments: `{"x":1}`}}},
		},
		"a call without arguments": {
			[]string{
				`{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f"}}]},"finish_reason":"stop"}]}`,
			},
			llmtest.Answer{Calls: []llm.ToolCall{{ID: "a", Name: "f", Arguments: "{}"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := answer(t, events(c.data...))
			if got.Err != nil || got.Text != c.want.Text || got.Reasoning != c.want.Reasoning || got.OptedOut != c.want.OptedOut {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if fmt.Sprint(got.Calls) != fmt.Sprint(c.want.Calls) {
				t.Errorf("calls %v, want %v", got.Calls, c.want.Calls)
			}
		})
	}
}

func TestCallWithoutAnIDGetsOne(t *testing.T) {
	got := answer(t, events(`{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f"}}]},"finish_reason":"stop"}]}`))
	if len(got.Calls) != 1 || got.Calls[0].ID == "" {
		t.Errorf("calls %+v", got.Calls)
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
	wantError(t, answer(t, plain(200, "application/json", `{"choices":[]}`)), llm.Unavailable, "instead of a stream")
	wantError(t, answer(t, plain(200, "application/json", `{"error":{"message":"no credit"}}`)), llm.Unavailable, "no credit")
	wantError(t, answer(t, plain(200, "text/html", `<html>`)), llm.Broken, "ended before")
	wantError(t, answer(t, plain(502, "text/html", `<html>nginx</html>`)), llm.Unavailable, "HTTP 502: Bad Gateway")
	wantError(t, answer(t, plain(500, "text/plain", "out of\nmemory")), llm.Unavailable, "HTTP 500: out of memory")
	wantError(t, answer(t, plain(422, "application/json", `{"detail":"no such field"}`)), llm.Invalid, "no such field")
	wantError(t, answer(t, plain(400, "application/json", `{"error":{"message":"`+strings.Repeat("é", 9000)+`"}}`)), llm.Invalid, "éé...")
	wantError(t, answer(t, plain(401, "application/json", `{"error":{"message":"Incorrect API key: `+key+`"}}`)), llm.Denied, "the key is missing or was refused")
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

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		key, value string
		least      time.Duration
		most       time.Duration
	}{
		{"Retry-After", "7", 7 * time.Second, 7 * time.Second},
		{"Retry-After", "1.5", 1500 * time.Millisecond, 1500 * time.Millisecond},
		{"Retry-After", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), 50 * time.Second, time.Minute},
		{"Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT", 0, 0},
		{"Retry-After", "soon", 0, 0},
		{"Retry-After", "-3", 0, 0},
		{"Retry-After-Ms", "250", 250 * time.Millisecond, 250 * time.Millisecond},
	} {
		got := answer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(c.key, c.value)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		if e := wantError(t, got, llm.Overloaded, "Too Many Requests"); e.RetryAfter < c.least || e.RetryAfter > c.most {
			t.Errorf("%s: %s gives %s", c.key, c.value, e.RetryAfter)
		}
	}
}

func TestLearnsWhatAnEndpointRefuses(t *testing.T) {
	for name, cfg := range map[string]llmtest.OpenAIConfig{
		"stream_options": {NoUsage: true},
		"max_tokens":     {NewLimit: true},
		"both":           {NoUsage: true, NewLimit: true},
	} {
		t.Run(name, func(t *testing.T) {
			m, up := start(t, cfg, llmtest.Always(llmtest.Say("fine")))
			req := llmtest.Ask("hello")
			req.MaxTokens = 50
			for range 2 {
				if got := llmtest.Gather(m.Stream(t.Context(), req)); got.Err != nil || got.Text != "fine" {
					t.Fatalf("got %q, %v", got.Text, got.Err)
				}
			}
			for _, arrived := range up.Requests() {
				if arrived.MaxTokens != 50 {
					t.Errorf("the limit arrived as %d", arrived.MaxTokens)
				}
			}
		})
	}
}

func TestSilenceBeforeTheAnswer(t *testing.T) {
	_, up := start(t, llmtest.OpenAIConfig{}, llmtest.Always(llmtest.Act{Late: true}))
	m := open(t, openai.Config{BaseURL: up.URL, APIKey: key, Silence: 50 * time.Millisecond})
	wantError(t, llmtest.Gather(m.Stream(t.Context(), llmtest.Ask("hello"))), llm.Unavailable, "silent")
	llmtest.AwaitOpen(t, up, 0)
}

// An upstream that has finished its answer but keeps the response open does not keep the reply open.
func TestUpstreamThatNeverHangsUp(t *testing.T) {
	m := open(t, openai.Config{BaseURL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		events(word, `{"choices":[{"delta":{},"finish_reason":"stop"}]}`, "[DONE]")(w, r)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})})
	from := time.Now()
	got := llmtest.Gather(m.Stream(t.Context(), llmtest.Ask("hello")))
	if took := time.Since(from); got.Err != nil || got.Text != "half " || took > 2*time.Second {
		t.Errorf("got %q, %v after %s", got.Text, got.Err, took)
	}
}

func TestConnectionIsUsedAgain(t *testing.T) {
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(events(word, "[DONE]"))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	m := open(t, openai.Config{BaseURL: server.URL + "/v1"})
	for range 10 {
		if got := llmtest.Gather(m.Stream(t.Context(), llmtest.Ask("hello"))); got.Err != nil {
			t.Fatal(got.Err)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for 10 calls in a row, want 1", n)
	}
}

func TestFallsOverToTheNextModel(t *testing.T) {
	var log strings.Builder
	up := llmtest.NewOpenAI(t, llmtest.OpenAIConfig{}, func(req llm.Request) llmtest.Act {
		if req.Models[0] == "busy" {
			return llmtest.Act{Refuse: &llmtest.Refusal{Status: 429, Text: "slow down"}}
		}
		return llmtest.Say("I am ", req.Models[0])
	})
	m := open(t, openai.Config{BaseURL: up.URL, Log: slog.New(slog.NewTextHandler(&log, nil))})
	req := llmtest.Ask("hello")
	req.Models = []string{"busy", "free", "unused"}
	got := llmtest.Gather(m.Stream(t.Context(), req))
	if got.Err != nil || got.Text != "I am free" || got.Model != "free" || len(up.Requests()) != 2 {
		t.Errorf("got %q of %q, %v, after %d requests", got.Text, got.Model, got.Err, len(up.Requests()))
	}
	if !strings.Contains(log.String(), "busy") || !strings.Contains(log.String(), "slow down") {
		t.Errorf("the log does not tell why: %s", log.String())
	}
}

func TestModelOfTheConfig(t *testing.T) {
	up := llmtest.NewOpenAI(t, llmtest.OpenAIConfig{}, llmtest.Always(llmtest.Say("ok")))
	req := llmtest.Ask("hello")
	req.Models = nil
	got := llmtest.Gather(open(t, openai.Config{BaseURL: up.URL, Model: "mine"}).Stream(t.Context(), req))
	if got.Err != nil || up.Requests()[0].Models[0] != "mine" {
		t.Errorf("got %v, asked %v", got.Err, up.Requests())
	}
	got = llmtest.Gather(open(t, openai.Config{BaseURL: up.URL}).Stream(t.Context(), req))
	wantError(t, got, llm.Invalid, "no model is named")
}

// The SDK reads keys and addresses from the environment; a key meant for OpenAI must not reach another endpoint.
func TestEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-of-the-environment")
	t.Setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
	t.Setenv("OPENAI_ORG_ID", "org")
	t.Setenv("OPENAI_CUSTOM_HEADERS", "X-Own: no")
	var seen http.Header
	m := open(t, openai.Config{Headers: map[string]string{"X-Title": "Parley"}, BaseURL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		if r.URL.Path != "/v1/chat/completions" {
			t.Errorf("path %s", r.URL.Path)
		}
		events(word, "[DONE]")(w, r)
	})})
	if got := llmtest.Gather(m.Stream(t.Context(), llmtest.Ask("hello"))); got.Err != nil {
		t.Fatal(got.Err)
	}
	for _, name := range []string{"Authorization", "Openai-Organization", "X-Own", "Accept-Encoding"} {
		if seen.Get(name) != "" {
			t.Errorf("%s: %q was sent", name, seen.Get(name))
		}
	}
	if seen.Get("X-Title") != "Parley" || seen.Get("Accept") != "text/event-stream" {
		t.Errorf("headers %v", seen)
	}
}

func TestBadRequestsStayHere(t *testing.T) {
	m := open(t, openai.Config{BaseURL: "http://127.0.0.1:1/v1"})
	for name, change := range map[string]func(*llm.Request){
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
	if _, err := openai.New(openai.Config{}); err == nil {
		t.Error("no Clock, no error")
	}
	for _, url := range []string{"localhost:11434/v1", "ftp://x/v1", "http://", "http://a b"} {
		if _, err := openai.New(openai.Config{BaseURL: url, Clock: seam.Real()}); err == nil {
			t.Errorf("%q is taken as an address", url)
		}
	}
}

func TestCancelWhileFallingOver(t *testing.T) {
	m := open(t, openai.Config{BaseURL: "http://127.0.0.1:1/v1"})
	ctx, cancel := context.WithCancelCause(t.Context())
	want := errors.New("enough")
	cancel(want)
	req := llmtest.Ask("hello")
	req.Models = []string{"a", "b"}
	if got := llmtest.Gather(m.Stream(ctx, req)); !errors.Is(got.Err, want) {
		t.Errorf("got %v", got.Err)
	}
}
