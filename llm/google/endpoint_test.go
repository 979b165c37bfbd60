package google_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/llm"
	"parley/llm/google"
	"parley/llm/llmtest"
	"parley/seam"
)

func serve(t testing.TB, handle http.HandlerFunc) string {
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

// chunks answers with a stream of these chunks.
func chunks(data ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, d := range data {
			_, _ = fmt.Fprintf(w, "data: %s\r\n\r\n", d)
		}
	}
}

func answer(t *testing.T, handle http.HandlerFunc) llmtest.Answer {
	t.Helper()
	m := open(t, google.Config{BaseURL: serve(t, handle)})
	return llmtest.Gather(m.Stream(t.Context(), llmtest.Ask("hello")))
}

func wantError(t *testing.T, got llmtest.Answer, kind llm.Kind, text string) *llm.Error {
	t.Helper()
	var e *llm.Error
	if !errors.As(got.Err, &e) || e.Kind != kind || !strings.Contains(e.Error(), text) {
		t.Fatalf("got %q and the error %v, want %s with %q", got.Text, got.Err, kind, text)
	}
	if strings.Contains(e.Error(), key) || strings.Contains(e.Error(), "half") {
		t.Errorf("the error %q holds the key or the words of the answer", e)
	}
	return e
}

const (
	word = `{"candidates":[{"content":{"role":"model","parts":[{"text":"half "}]}}],"usageMetadata":{"trafficType":"ON_DEMAND"}}`
	last = `{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":4,"thoughtsTokenCount":3,"cachedContentTokenCount":8,"toolUsePromptTokenCount":2,"totalTokenCount":19}}`
)

func ends(reason string) string {
	return `{"candidates":[{"finishReason":"` + reason + `","finishMessage":"so it is"}]}`
}

func TestErrorsInTheStream(t *testing.T) {
	for name, c := range map[string]struct {
		data   []string
		kind   llm.Kind
		text   string
		status int
	}{
		"overloaded":         {[]string{word, `{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}`}, llm.Overloaded, "slow down", 429},
		"broken inside":      {[]string{word, `{"error":{"code":500,"message":"An internal error has occurred","status":"INTERNAL"}}`}, llm.Broken, "internal error", 500},
		"broken at once":     {[]string{`{"error":{"code":503,"message":"The model is overloaded","status":"UNAVAILABLE"}}`}, llm.Unavailable, "overloaded", 503},
		"key":                {[]string{`{"error":{"code":400,"message":"bad ` + key + `","details":[{"reason":"API_KEY_INVALID"}]}}`}, llm.Denied, "the key is missing or was refused", 400},
		"blocked prompt":     {[]string{`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}`}, llm.Invalid, "blocked the prompt: PROHIBITED_CONTENT", 0},
		"filtered at once":   {[]string{ends("SAFETY")}, llm.Invalid, "filter stopped the answer: SAFETY: so it is", 0},
		"filtered later":     {[]string{word, ends("RECITATION")}, llm.Broken, "filter stopped the answer: RECITATION", 0},
		"malformed call":     {[]string{ends("MALFORMED_FUNCTION_CALL")}, llm.Broken, "MALFORMED_FUNCTION_CALL: so it is", 0},
		"unexpected call":    {[]string{word, ends("UNEXPECTED_TOOL_CALL")}, llm.Broken, "called a tool", 0},
		"other":              {[]string{ends("OTHER")}, llm.Broken, "OTHER", 0},
		"no JSON":            {[]string{word, `{"candidates":`}, llm.Broken, "read an event", 0},
		"polite, no end":     {[]string{word}, llm.Broken, "ended before", 0},
		"nothing at all":     {nil, llm.Broken, "ended before", 0},
		"an event too large": {[]string{word, strings.Repeat("x", 33<<20)}, llm.Broken, "too large", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if e := wantError(t, answer(t, chunks(c.data...)), c.kind, c.text); e.Status != c.status {
				t.Errorf("status %d, want %d", e.Status, c.status)
			}
		})
	}
}

func TestStreams(t *testing.T) {
	for name, c := range map[string]struct {
		data []string
		want llmtest.Answer
	}{
		"usage of all parts": {
			[]string{word, last},
			llmtest.Answer{Text: "half ", Usage: &llm.Usage{Input: 12, Output: 7, Cached: 8}},
		},
		"several parts": {
			[]string{`{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"a"},{"text":"b"},{"inlineData":{"mimeType":"image/png","data":"AA=="}}]},"finishReason":"MAX_TOKENS"}]}`},
			llmtest.Answer{Text: "ab", Reasoning: "hm"},
		},
		"a reason that is new": {
			[]string{word, ends("FUNCTION_CALL")},
			llmtest.Answer{Text: "half "},
		},
		"calls as they were written": {
			[]string{`{"candidates":[{"content":{"parts":[{"text":"so"},{"functionCall":{"id":"a","name":"f","args":{"z":12345678901234567890,"a":[1.0,"\u00e9"]}}},{"functionCall":{"id":"b","name":"g"}}]},"finishReason":"STOP"}]}`},
			llmtest.Answer{Text: "so", Calls: []llm.ToolCall{{ID: "a", Name: "f", Arguments: `{"z":12345678901234567890,"a":[1.0,"\u00e9"]}`}, {ID: "b", Name: "g", Arguments: "{}"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := answer(t, chunks(c.data...))
			if got.Err != nil || got.Text != c.want.Text || got.Reasoning != c.want.Reasoning {
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

// The lines of an event, comments and other fields, in every way that the standard allows.
func TestEventsAreRead(t *testing.T) {
	got := answer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, ": hello\n\nid: 7\nevent: message\nretry: 5\ndata:{\"candidates\":[{\"content\":\ndata:  {\"parts\":[{\"text\":\"half \"}]}}]}\n\n\r\n\n"+
			"data: "+strings.TrimSuffix(last, "}")+"}") // without an end of the line
	})
	if got.Err != nil || got.Text != "half " {
		t.Errorf("got %q, %v", got.Text, got.Err)
	}
	wantError(t, answer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"try later\"\n  }\n}\n")
	}), llm.Broken, "ended before")
	wantError(t, answer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"try later\"\n  }\n}\n\n")
	}), llm.Unavailable, "try later")
}

func TestAnswersThatAreNoStream(t *testing.T) {
	plain := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	wantError(t, answer(t, plain(502, "text/html", `<html>nginx</html>`)), llm.Unavailable, "HTTP 502: Bad Gateway")
	wantError(t, answer(t, plain(500, "text/plain", "out of\nmemory")), llm.Unavailable, "HTTP 500: out of memory")
	wantError(t, answer(t, plain(400, "application/json", `[{"error":{"code":400,"message":"in a list"}}]`)), llm.Invalid, "HTTP 400: in a list")
	wantError(t, answer(t, plain(422, "application/json", `{"detail":"no such field"}`)), llm.Invalid, "no such field")
	wantError(t, answer(t, plain(401, "application/json", `{"error":{"code":401,"message":"`+key+`"}}`)), llm.Denied, "the key is missing or was refused")
	wantError(t, answer(t, plain(404, "application/json", `{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}`)), llm.Invalid, "not found")
}

func TestKeyThatIsRefused(t *testing.T) {
	_, up := start(t, llmtest.GoogleConfig{}, nil)
	got := llmtest.Gather(open(t, google.Config{BaseURL: up.URL, APIKey: "another"}).Stream(t.Context(), llmtest.Ask("hello")))
	wantError(t, got, llm.Denied, "the key is missing or was refused")
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

// sent returns the bodies of the requests that a driver makes of req, of which refuse are refused with these words.
func sent(t *testing.T, req llm.Request, refuse ...string) []string {
	t.Helper()
	var bodies []string
	m := open(t, google.Config{BaseURL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(data))
		if len(bodies) <= len(refuse) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"error":{"code":400,"message":%q,"status":"INVALID_ARGUMENT"}}`, refuse[len(bodies)-1])
			return
		}
		chunks(word, last)(w, r)
	})})
	if got := llmtest.Gather(m.Stream(t.Context(), req)); got.Err != nil {
		t.Fatal(got.Err)
	}
	return bodies
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
	const thinking = `"thinkingConfig":{"includeThoughts":true}`
	for name, c := range map[string]struct {
		req  llm.Request
		want string
	}{
		"a word": {
			llmtest.Ask("hi"),
			`{"generationConfig":{` + thinking + `},"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		},
		"contents are merged, begun and ended by the user": {
			llm.Request{Models: []string{"m"}, MaxTokens: 50, Messages: []llm.Message{
				{Role: llm.System, Text: "Be Ada."},
				{Role: llm.Assistant, Text: "Welcome."},
				{Role: llm.User, Text: "one"},
				{Role: llm.User},
				{Role: llm.User, Text: "two"},
				{Role: llm.Assistant, Text: "Three."},
				{Role: llm.Assistant},
			}},
			`{"generationConfig":{"maxOutputTokens":50,` + thinking + `},"systemInstruction":{"role":"user","parts":[{"text":"Be Ada."}]},"contents":[
				{"role":"user","parts":[{"text":"(The conversation begins here.)"}]},
				{"role":"model","parts":[{"text":"Welcome."}]},
				{"role":"user","parts":[{"text":"one"},{"text":"two"}]},
				{"role":"model","parts":[{"text":"Three."}]},
				{"role":"user","parts":[{"text":"(Go on.)"}]}]}`,
		},
		"results follow their calls": {
			llm.Request{Models: []string{"m"}, Tools: []llm.Tool{{Name: "f"}}, Messages: []llm.Message{
				{Role: llm.User, Text: "go"},
				{Role: llm.Assistant, Text: "ok", ToolCalls: []llm.ToolCall{{ID: "a", Name: "f", Arguments: `{"x":1}`}, {ID: "b", Name: "g", Arguments: "{oops"}}},
				{Role: llm.User, Text: "wait"},
				{Role: llm.ToolResult, ToolCallID: "a", Text: "1"},
				{Role: llm.User, Text: "now"},
				{Role: llm.ToolResult, ToolCallID: "b"},
			}},
			`{"generationConfig":{` + thinking + `},"tools":[{"functionDeclarations":[{"name":"f"}]}],"contents":[
				{"role":"user","parts":[{"text":"go"}]},
				{"role":"model","parts":[{"text":"ok"},{"functionCall":{"id":"a","name":"f","args":{"x":1}}},{"functionCall":{"id":"b","name":"g","args":{"invalid":"{oops"}}}]},
				{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"output":"1"}}},{"functionResponse":{"id":"b","name":"g","response":{"output":""}}}]},
				{"role":"user","parts":[{"text":"wait"},{"text":"now"}]}]}`,
		},
		"any object": {
			func() llm.Request { r := llmtest.Ask("hi"); r.Format = &llm.Format{}; return r }(),
			`{"generationConfig":{"responseMimeType":"application/json",` + thinking + `},"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) { same(t, sent(t, c.req)[0], c.want) })
	}
}

func TestSchemasKeepTheirOrder(t *testing.T) {
	const schema = `{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}},"required":["z"]}`
	req := llmtest.Ask("hi")
	req.Tools = []llm.Tool{{Name: "f", Description: "does", Schema: []byte(schema)}}
	req.Format = &llm.Format{Schema: []byte(schema)}
	for _, want := range []string{`"parametersJsonSchema":` + schema, `"responseJsonSchema":` + schema} {
		if body := sent(t, req)[0]; !strings.Contains(body, want) {
			t.Errorf("%s does not hold %s", body, want)
		}
	}
}

func TestLearnsWhatAModelRefuses(t *testing.T) {
	req := llm.Request{Models: []string{"m"}, Format: &llm.Format{Schema: []byte(`{"type":"object"}`)}, Messages: []llm.Message{
		{Role: llm.User, Text: "go"},
		{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: "a", Name: "f"}, {ID: "b", Name: "f"}}},
		{Role: llm.ToolResult, ToolCallID: "a"},
		{Role: llm.ToolResult, ToolCallID: "b"},
	}}
	bodies := sent(t, req,
		"Thinking is not enabled for models/m",
		"Function call is missing a thought_signature in functionCall parts.",
		"Function calling with a response mime type: 'application/json' is unsupported")
	if len(bodies) != 4 {
		t.Fatalf("%d requests, want 4", len(bodies))
	}
	final := bodies[3]
	for _, gone := range []string{"thinkingConfig", "responseMimeType", "responseJsonSchema"} {
		if strings.Contains(final, gone) {
			t.Errorf("%s was offered again: %s", gone, final)
		}
	}
	if strings.Count(final, "thoughtSignature") != 1 || !strings.Contains(final, "fit this JSON Schema") {
		t.Errorf("sent %s", final)
	}
}

// A refusal teaches once: what is refused again is an error.
func TestRefusedAgain(t *testing.T) {
	asked := 0
	got := answer(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"code":400,"message":"Thinking is not enabled"}}`)
	})
	wantError(t, got, llm.Invalid, "Thinking is not enabled")
	if asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
}

// The signature of a call goes back with it, as long as it is remembered.
func TestSignaturesGoBack(t *testing.T) {
	acts := make(chan llmtest.Act, 2)
	acts <- llmtest.Act{Beats: []llmtest.Beat{{Tools: []llmtest.Fragment{{ID: "call_1", Name: "f", Arguments: "{}"}}}}}
	acts <- llmtest.Say("done")
	m, up := start(t, llmtest.GoogleConfig{Signed: true}, func(llm.Request) llmtest.Act { return <-acts })
	req := llmtest.Ask("go")
	calls := llmtest.Gather(m.Stream(t.Context(), req)).Calls
	if len(calls) != 1 {
		t.Fatalf("calls %v", calls)
	}
	req.Messages = append(req.Messages, llm.Message{Role: llm.Assistant, ToolCalls: calls}, llm.Message{Role: llm.ToolResult, ToolCallID: calls[0].ID})
	if got := llmtest.Gather(m.Stream(t.Context(), req)); got.Err != nil || got.Text != "done" || len(up.Requests()) != 2 {
		t.Errorf("got %q, %v after %d requests", got.Text, got.Err, len(up.Requests()))
	}
}

func TestList(t *testing.T) {
	for _, page := range []int{0, 1} {
		m, _ := start(t, llmtest.GoogleConfig{Page: page}, nil)
		got, err := m.List(t.Context())
		want := []llm.Info{
			{Name: "gemini-3-pro-preview", Title: "Gemini 3 Pro Preview", Tools: true, Context: 1048576},
			{Name: "gemini-2.5-flash", Title: "Gemini 2.5 Flash", Tools: true, Context: 1048576},
			{Name: "gemma-3-27b-it", Title: "Gemma 3 27B", Context: 131072},
			{Name: "gemini-2.5-flash-preview-tts", Title: "Gemini 2.5 Flash Preview TTS", Context: 8192},
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("pages of %d: got %+v, %v", page, got, err)
		}
	}
}

func TestListRefused(t *testing.T) {
	_, up := start(t, llmtest.GoogleConfig{}, nil)
	_, err := open(t, google.Config{BaseURL: up.URL, APIKey: "another"}).List(t.Context())
	wantError(t, llmtest.Answer{Err: err}, llm.Denied, "the key")
	_, err = open(t, google.Config{BaseURL: serve(t, http.NotFound)}).List(t.Context())
	wantError(t, llmtest.Answer{Err: err}, llm.Invalid, "404 page not found")
	_, err = open(t, google.Config{BaseURL: "http://127.0.0.1:1"}).List(t.Context())
	wantError(t, llmtest.Answer{Err: err}, llm.Unavailable, "reach the provider")
	silent := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	_, err = open(t, google.Config{BaseURL: silent, Silence: 50 * time.Millisecond}).List(t.Context())
	wantError(t, llmtest.Answer{Err: err}, llm.Unavailable, "silent")
}

// An upstream that has finished its answer but keeps the response open does not keep the reply open.
func TestUpstreamThatNeverHangsUp(t *testing.T) {
	from := time.Now()
	got := answer(t, func(w http.ResponseWriter, r *http.Request) {
		chunks(word, last)(w, r)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	if took := time.Since(from); got.Err != nil || got.Text != "half " || got.Usage == nil || took > 2*time.Second {
		t.Errorf("got %q, %v after %s", got.Text, got.Err, took)
	}
}

// The SDK writes what goes wrong into the log of the whole program, words of the answer included.
func TestLogIsLeftAlone(t *testing.T) {
	var out strings.Builder
	before := log.Writer()
	log.SetOutput(&out)
	defer log.SetOutput(before)
	m, _ := start(t, llmtest.GoogleConfig{}, llmtest.Always(llmtest.Act{Beats: []llmtest.Beat{{Text: "half "}}, End: llmtest.Cut}))
	wantError(t, llmtest.Gather(m.Stream(t.Context(), llmtest.Ask("hello"))), llm.Broken, "broke")
	ctx, cancel := context.WithCancel(t.Context())
	hang, _ := start(t, llmtest.GoogleConfig{}, llmtest.Always(llmtest.Act{Beats: []llmtest.Beat{{Text: "half "}}, End: llmtest.Hang}))
	for range hang.Stream(ctx, llmtest.Ask("hello")) {
		cancel()
	}
	cancel()
	if out.Len() > 0 {
		t.Errorf("logged %s", out.String())
	}
}

// The SDK reads keys and addresses from the environment; a key meant for Google must not reach another endpoint.
func TestEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("GOOGLE_API_KEY", "key-of-the-environment")
	t.Setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1")
	t.Setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
	t.Setenv("GOOGLE_CLOUD_PROJECT", "project")
	var seen *http.Request
	m := open(t, google.Config{Headers: map[string]string{"X-Title": "Parley"}, BaseURL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r
		chunks(word, last)(w, r)
	}) + "/"})
	if got := llmtest.Gather(m.Stream(t.Context(), llmtest.Ask("hello"))); got.Err != nil {
		t.Fatal(got.Err)
	}
	if seen.URL.String() != "/v1beta/models/test-model:streamGenerateContent?alt=sse" {
		t.Errorf("address %s", seen.URL)
	}
	if seen.Header.Get("X-Goog-Api-Key") != key || seen.Header.Get("X-Title") != "Parley" || seen.Header.Get("Accept-Encoding") != "" {
		t.Errorf("headers %v", seen.Header)
	}
	if _, err := google.New(google.Config{Clock: seam.Real()}); err == nil {
		t.Error("no key, no error")
	}
}

func TestFallsOverToTheNextModel(t *testing.T) {
	m, up := start(t, llmtest.GoogleConfig{}, func(req llm.Request) llmtest.Act {
		if req.Models[0] == "busy" {
			return llmtest.Act{Refuse: &llmtest.Refusal{Status: 503, Text: "The model is overloaded"}}
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
	m := open(t, google.Config{BaseURL: "http://127.0.0.1:1"})
	for name, change := range map[string]func(*llm.Request){
		"model":  func(r *llm.Request) { r.Models = nil },
		"role":   func(r *llm.Request) { r.Messages[0].Role = 0 },
		"tool":   func(r *llm.Request) { r.Tools = []llm.Tool{{Name: "f", Schema: []byte("{")}} },
		"schema": func(r *llm.Request) { r.Format = &llm.Format{Schema: []byte("{")} },
		"result": func(r *llm.Request) { r.Messages = []llm.Message{{Role: llm.ToolResult, ToolCallID: "x"}} },
	} {
		t.Run(name, func(t *testing.T) {
			req := llmtest.Ask("hello")
			change(&req)
			wantError(t, llmtest.Gather(m.Stream(t.Context(), req)), llm.Invalid, "")
		})
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := google.New(google.Config{APIKey: key}); err == nil {
		t.Error("no Clock, no error")
	}
	for _, url := range []string{"localhost:11434", "ftp://x", "http://", "http://a b"} {
		if _, err := google.New(google.Config{BaseURL: url, APIKey: key, Clock: seam.Real()}); err == nil {
			t.Errorf("%q is taken as an address", url)
		}
	}
}
