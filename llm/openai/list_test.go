package openai_test

import (
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"parley/llm"
	"parley/llm/llmtest"
	"parley/llm/openai"
)

func TestList(t *testing.T) {
	for name, c := range map[string]struct {
		body string // empty is OpenAI's
		want []llm.Info
	}{
		"openai, newest first": {"", []llm.Info{{Name: "gpt-new", Tools: true}, {Name: "gpt-old", Tools: true}}},
		"openrouter": {
			`{"data":[{"id":"a/b:free","name":"B","created":2,"context_length":4096,"supported_parameters":["tools","seed"]},
			{"id":"a/c","created":1,"supported_parameters":["seed"]},{"id":"a/painter","created":3,"architecture":{"output_modalities":["image"]}}]}`,
			[]llm.Info{{Name: "a/b:free", Title: "B", Tools: true, Context: 4096}, {Name: "a/c"}},
		},
		"vllm, twice": {
			`{"object":"list","data":[{"id":"m","max_model_len":8192},{"id":"m"},{"id":""}]}`,
			[]llm.Info{{Name: "m", Tools: true, Context: 8192}},
		},
		"nothing pulled yet": {`{"object":"list","data":[]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := start(t, llmtest.OpenAIConfig{Models: c.body}, llmtest.Always(llmtest.Say("ok")))
			got, err := m.List(t.Context())
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestListThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		kind   llm.Kind
	}{
		"no key":  {401, `{"error":{"message":"no"}}`, llm.Denied},
		"no list": {404, `not found`, llm.Invalid},
		"a page":  {200, `<html>`, llm.Unavailable},
		"nothing": {200, `{}`, llm.Unavailable},
		"busy":    {429, `{"error":{"message":"slow down"}}`, llm.Overloaded},
	} {
		t.Run(name, func(t *testing.T) {
			m := open(t, openai.Config{BaseURL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})})
			got, err := m.List(t.Context())
			wantError(t, llmtest.Answer{Err: err}, c.kind, "")
			if got != nil {
				t.Errorf("got %+v with the error", got)
			}
		})
	}
	_, err := unreachable(t).(llm.Lister).List(t.Context())
	wantError(t, llmtest.Answer{Err: err}, llm.Unavailable, "reach the provider")
}

func TestUsageOfACache(t *testing.T) {
	for name, usage := range map[string]string{
		"openai":   `{"prompt_tokens":100,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":80}}`,
		"deepseek": `{"prompt_tokens":100,"completion_tokens":5,"prompt_cache_hit_tokens":80}`,
	} {
		t.Run(name, func(t *testing.T) {
			got := answer(t, events(word, `{"choices":[{"delta":{},"finish_reason":"stop"}]}`, `{"choices":[],"usage":`+usage+`}`, "[DONE]"))
			if want := (llm.Usage{Input: 100, Output: 5, Cached: 80}); got.Err != nil || got.Usage == nil || *got.Usage != want {
				t.Errorf("got %+v, %v, want %+v", got.Usage, got.Err, want)
			}
		})
	}
}

// The order of a schema's properties means something to a model, and so do the characters that HTML would escape.
func TestRequestBody(t *testing.T) {
	var body string
	m := open(t, openai.Config{BaseURL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		body = string(data)
		events(word, "[DONE]")(w, r)
	})})
	req := llm.Request{
		Models: []string{"m"}, Messages: []llm.Message{{Role: llm.User, Text: "a < b & c \xff"}}, MaxTokens: 9,
		Tools:  []llm.Tool{{Name: "f", Schema: []byte(`{"type":"object", "properties":{"z":{},"a":{}}}`)}},
		Format: &llm.Format{},
	}
	if got := llmtest.Gather(m.Stream(t.Context(), req)); got.Err != nil {
		t.Fatal(got.Err)
	}
	const want = `{"model":"m","messages":[{"role":"user","content":"a < b & c \ufffd"}],"stream":true,` +
		`"stream_options":{"include_usage":true},"max_tokens":9,` +
		`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"z":{},"a":{}}}}}],` +
		`"response_format":{"type":"json_object"}}`
	if strings.TrimSpace(body) != want {
		t.Errorf("sent\n%s\nwant\n%s", body, want)
	}
}
