package llmtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"parley/llm"
)

// OpenAI is a server of the Chat Completions protocol, written from its documentation
// (https://platform.openai.com/docs/api-reference/chat): it checks what it is asked as strictly as the real one and
// answers over server-sent events. It speaks HTTP/1.1 on a loopback socket.
type OpenAI struct {
	*Stage
	URL    string // the base URL, with /v1
	server *httptest.Server
	cfg    OpenAIConfig
}

var _ Upstream = (*OpenAI)(nil)

// OpenAIConfig says which of the endpoints that speak the protocol to be.
type OpenAIConfig struct {
	Key          string // the only key that is let in; empty lets everybody in
	Drip         int    // bytes of a TCP segment; 0 sends each event whole
	Reasoning    string // the field for reasoning, reasoning_content if empty
	NoUsage      bool   // refuses stream_options
	NewLimit     bool   // refuses max_tokens in favour of max_completion_tokens
	PlainErrors  bool   // errors as Ollama writes them
	NoDone       bool   // ends without [DONE]
	NoFinish     bool   // never gives a finish_reason
	Comments     bool   // sends a comment before each event, as OpenRouter does
	Continuously bool   // tells usage with every chunk
	Models       string // the body of GET /models, OpenAI's own if empty
}

// NewOpenAI starts a server that stops with the test.
func NewOpenAI(t testing.TB, cfg OpenAIConfig, play func(llm.Request) Act) *OpenAI {
	o := &OpenAI{Stage: NewStage(play), cfg: cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", o.serve)
	mux.HandleFunc("GET /v1/models", o.list)
	o.server = httptest.NewServer(mux)
	t.Cleanup(o.server.Close)
	o.URL = o.server.URL + "/v1"
	return o
}

// models is how OpenAI lists them (https://platform.openai.com/docs/api-reference/models/list).
const models = `{"object":"list","data":[` +
	`{"id":"gpt-old","object":"model","created":1686935002,"owned_by":"openai"},` +
	`{"id":"gpt-new","object":"model","created":1763000000,"owned_by":"system"}]}`

func (o *OpenAI) list(w http.ResponseWriter, r *http.Request) {
	if !o.known(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, cmp.Or(o.cfg.Models, models))
}

// known lets a caller in who has the key.
func (o *OpenAI) known(w http.ResponseWriter, r *http.Request) bool {
	got := r.Header.Get("Authorization")
	if o.cfg.Key == "" || got == "Bearer "+o.cfg.Key {
		return true
	}
	o.refuse(w, Refusal{Status: http.StatusUnauthorized, Text: "Incorrect API key provided: " + got})
	return false
}

func (o *OpenAI) serve(w http.ResponseWriter, r *http.Request) {
	if !o.known(w, r) {
		return
	}
	req, options, err := readCompletion(r.Body, o.cfg)
	if err != nil {
		o.refuse(w, Refusal{Status: http.StatusBadRequest, Text: err.Error()})
		return
	}
	act, leave := o.Enter(req)
	defer leave()
	if act.Late && !o.Wait(r.Context()) {
		return
	}
	if act.Refuse != nil {
		o.refuse(w, *act.Refuse)
		return
	}
	s := &sse{w: w, cfg: o.cfg, model: req.Models[0], usage: act.Usage, wanted: options.usage}
	s.begin()
	o.act(s, r, act)
}

func (o *OpenAI) act(s *sse, r *http.Request, act Act) {
	for _, b := range act.Beats {
		if b.Hold && !o.Wait(r.Context()) {
			return
		}
		if s.beat(b, act.OptOut); s.gone {
			return
		}
	}
	switch act.End {
	case Cut:
		panic(http.ErrAbortHandler)
	case Hang:
		<-r.Context().Done()
	case Trickle:
		s.trickle(r.Context())
	case Finish:
		s.finish(act)
	}
}

func (o *OpenAI) refuse(w http.ResponseWriter, r Refusal) {
	w.Header().Set("Content-Type", "application/json")
	if r.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(r.RetryAfter/time.Second)))
	}
	w.WriteHeader(r.Status)
	var body any = map[string]any{"error": map[string]any{"message": r.Text, "type": "error", "param": nil, "code": nil}}
	if o.cfg.PlainErrors {
		body = map[string]any{"error": r.Text}
	}
	_ = json.NewEncoder(w).Encode(body)
}
