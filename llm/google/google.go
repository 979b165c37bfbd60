// Package google is a Model over the Gemini API with an API key, streaming over server-sent events
// (https://ai.google.dev/api/generate-content). Vertex AI is another API and not meant.
//
// A piece is yielded the moment its event is complete. Nothing is buffered except tool calls, nothing is retried after
// the first delta, and the SDK's own retries and continuations are off. An answer is complete when the provider gave
// its finishReason; a stream that stops without one is Broken, however politely it stops.
//
// What one model refuses and another wants the driver learns from the refusal: some do not think aloud, and some want
// the signature of the thoughts that led to a call beside the call (https://ai.google.dev/gemini-api/docs/thought-signatures).
// An llm.Message has no place for signatures: the driver remembers those of the last calls, and says that it has none
// where it forgot.
package google

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/genai"

	"parley/llm"
	"parley/llm/upstream"
	"parley/seam"
)

// Defaults of Config.
const (
	DefaultBaseURL  = "https://generativelanguage.googleapis.com"
	DefaultProvider = "google"
)

// Config says which endpoint a Model speaks to.
type Config struct {
	BaseURL  string            // without /v1beta; empty means DefaultBaseURL
	APIKey   string            // needed; the environment is never looked at
	Model    string            // for requests that name none
	Provider string            // what errors call the endpoint; empty means DefaultProvider
	Headers  map[string]string // sent with every request
	Silence  time.Duration     // longest wait for the next word; 0 means upstream.DefaultSilence, negative no limit
	HTTP     *http.Client      // nil means an upstream.NewHTTPClient of its own
	Clock    seam.Clock
	Log      *slog.Logger // told of fallbacks; nil for none
}

// A Model speaks to one endpoint. It may be used from any goroutine at any time. Close it at the end.
type Model struct {
	by         upstream.Provider
	cfg        Config
	models     *genai.Models
	signatures signatures
	quirks     sync.Map // quirk of a model by its name
}

var (
	_ llm.Model  = (*Model)(nil)
	_ llm.Lister = (*Model)(nil)
)

// New makes a Model; nothing is sent before the first request.
//
//nolint:contextcheck,nolintlint // the SDK takes a context for the credentials of Vertex; callers in other packages are told of it, hence "unused" here
func New(cfg Config) (*Model, error) {
	switch {
	case cfg.Clock == nil:
		return nil, errors.New("make a google model: a Clock is missing")
	case cfg.APIKey == "": // the SDK would look for one in the environment
		return nil, errors.New("make a google model: an API key is missing")
	}
	cfg = withDefaults(cfg)
	base, err := upstream.BaseURL(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("make a google model: %w", err)
	}
	cfg.BaseURL = base
	client, err := genai.NewClient(context.Background(), &genai.ClientConfig{
		APIKey:      cfg.APIKey,
		Backend:     genai.BackendGeminiAPI,
		HTTPClient:  tapped(cfg.HTTP),
		HTTPOptions: genai.HTTPOptions{BaseURL: base + "/", Headers: headers(cfg.Headers)},
	})
	if err != nil {
		return nil, errors.New("make a google model: the client refuses its settings") // its words hold the key
	}
	return &Model{
		by:     upstream.Provider{Name: cfg.Provider, Key: cfg.APIKey, Clock: cfg.Clock},
		cfg:    cfg,
		models: client.Models,
	}, nil
}

func withDefaults(cfg Config) Config {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.Provider == "" {
		cfg.Provider = DefaultProvider
	}
	if cfg.Silence == 0 {
		cfg.Silence = upstream.DefaultSilence
	}
	if cfg.HTTP == nil {
		cfg.HTTP = upstream.NewHTTPClient()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}

func headers(list map[string]string) http.Header {
	h := http.Header{}
	for key, value := range list {
		h.Set(key, value)
	}
	return h
}

// Close drops the idle connections. Streams under way go on.
func (m *Model) Close() error {
	m.cfg.HTTP.CloseIdleConnections()
	return nil
}

// Stream asks the first of req.Models, or the configured one, and falls over to the next while none has begun to
// answer. Tool calls come when the provider has finished them all; usage comes last.
func (m *Model) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Delta, error] {
	names := req.Models
	if len(names) == 0 {
		names = []string{m.cfg.Model}
	}
	ask := func(name string) iter.Seq2[llm.Delta, error] { return m.ask(ctx, name, req) }
	return llm.FirstOf(ctx, names, ask, func(name string, err error) {
		m.cfg.Log.Warn("model falls over to the next", "provider", m.cfg.Provider, "model", name, "err", err)
	})
}

// ask streams the answer of one model. What it refuses and need not have is left out, and it is asked again.
func (m *Model) ask(ctx context.Context, name string, req llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		if name == "" {
			yield(llm.Delta{}, m.by.Fault(llm.Invalid, name, errors.New("no model is named; set llm.model")))
			return
		}
		q := m.quirk(name)
		for {
			a := answer{model: m, name: name, yield: yield}
			refused := a.read(ctx, req, q)
			if refused == nil {
				return
			}
			next := q.learn(refused, req)
			if next == q {
				yield(llm.Delta{}, refused)
				return
			}
			q = next
			m.quirks.Store(name, q.lasting())
		}
	}
}

func (m *Model) quirk(name string) quirk {
	if q, ok := m.quirks.Load(name); ok {
		return q.(quirk)
	}
	return quirk{}
}

// List names the models that generate content, newest first (https://ai.google.dev/api/models#method:-models.list).
func (m *Model) List(ctx context.Context) ([]llm.Info, error) {
	call, w := upstream.NewWatch(ctx, m.cfg.Clock, m.cfg.Silence)
	defer w.Stop()
	call, x := exchanging(call)
	var out []llm.Info
	for model, err := range m.models.All(call) {
		if err != nil {
			return nil, m.failed(ctx, w, "", x, err)
		}
		w.Heard()
		if slices.Contains(model.SupportedActions, "generateContent") {
			name := strings.TrimPrefix(model.Name, "models/")
			out = append(out, llm.Info{Name: name, Title: model.DisplayName, Tools: callsTools(name), Context: int(model.InputTokenLimit)})
		}
	}
	slices.SortStableFunc(out, func(a, b llm.Info) int {
		if a.Tools != b.Tools {
			return cmp.Compare(b2i(b.Tools), b2i(a.Tools))
		}
		return cmp.Compare(b.Name, a.Name) // versions are in the names
	})
	return out, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// callsTools guesses, since the list does not tell: Gemini does (https://ai.google.dev/gemini-api/docs/function-calling),
// save its models for pictures and speech; Gemma and others beside it do not.
func callsTools(name string) bool {
	for _, other := range []string{"image", "tts", "audio", "embedding"} {
		if strings.Contains(name, other) {
			return false
		}
	}
	return strings.HasPrefix(name, "gemini-")
}
