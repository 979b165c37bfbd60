// Package openai is a Model over the Chat Completions protocol of OpenAI, streaming over server-sent events.
//
// OpenAI, OpenRouter, Ollama, vLLM and llama.cpp all speak it; a base URL chooses among them. Where they differ the
// driver follows: it takes reasoning under either of its names, does without usage, and learns from a refusal which
// optional fields an endpoint does not know.
//
// Silence is the time in which nothing was said: comments, empty chunks and other bytes that keep a connection busy do
// not count as words, and the time that the caller takes to read does not count as silence.
//
// A piece is yielded the moment its event is complete. Nothing is buffered, nothing is retried after the first delta,
// and the SDK's own retries are off. An answer is complete when the provider gave a reason for its end; a stream that
// stops without one is Broken, however politely it stops.
package openai

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"parley/llm"
	"parley/llm/upstream"
	"parley/seam"
)

// Defaults of Config.
const (
	DefaultBaseURL  = "https://api.openai.com/v1"
	DefaultProvider = "openai"
)

// Config says which endpoint a Model speaks to.
type Config struct {
	BaseURL  string            // up to and with /v1; empty means DefaultBaseURL
	APIKey   string            // empty sends none; the environment is never looked at
	Model    string            // for requests that name none
	Provider string            // what errors call the endpoint; empty means DefaultProvider
	Headers  map[string]string // sent with every request, such as OpenRouter's X-Title
	Silence  time.Duration     // longest wait for the next words; 0 means upstream.DefaultSilence, negative no limit
	HTTP     *http.Client      // nil means an upstream.NewHTTPClient of its own
	Clock    seam.Clock
	Log      *slog.Logger // told of fallbacks; nil for none
}

// A Model speaks to one endpoint. It may be used from any goroutine at any time. Close it at the end.
type Model struct {
	by       upstream.Provider
	cfg      Config
	client   sdk.Client
	official bool // it is OpenAI itself

	// What the endpoint refused, so that it is not offered again.
	noUsage  atomic.Bool // stream_options
	newLimit atomic.Bool // max_tokens: it wants max_completion_tokens
}

var (
	_ llm.Model  = (*Model)(nil)
	_ llm.Lister = (*Model)(nil)
)

// New makes a Model; nothing is sent before the first request.
func New(cfg Config) (*Model, error) {
	if cfg.Clock == nil {
		return nil, errors.New("make an openai model: a Clock is missing")
	}
	cfg = withDefaults(cfg)
	base, err := upstream.BaseURL(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("make an openai model: %w", err)
	}
	cfg.BaseURL = base
	m := &Model{
		by:       upstream.Provider{Name: cfg.Provider, Key: cfg.APIKey, Clock: cfg.Clock},
		cfg:      cfg,
		client:   sdk.Client{Options: options(cfg)},
		official: strings.HasPrefix(base+"/", "https://api.openai.com/"),
	}
	m.newLimit.Store(m.official)
	return m, nil
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

// options builds the client by hand: sdk.NewClient would take keys from the environment and send them to any base URL.
func options(cfg Config) []option.RequestOption {
	opts := []option.RequestOption{
		option.WithBaseURL(cfg.BaseURL),
		option.WithHTTPClient(cfg.HTTP),
		option.WithMaxRetries(0),
		option.WithHeader("Accept", "text/event-stream"),
		option.WithMiddleware(limitRefusals),
	}
	if cfg.APIKey != "" {
		opts = append(opts, option.WithAPIKey(cfg.APIKey))
	}
	for key, value := range cfg.Headers {
		opts = append(opts, option.WithHeader(key, value))
	}
	return opts
}

// Close drops the idle connections. Streams under way go on.
func (m *Model) Close() error {
	m.cfg.HTTP.CloseIdleConnections()
	return nil
}

// Stream asks the first of req.Models, or the configured one, and falls over to the next while none has begun to
// answer. Tool calls come when the provider has finished them all; usage comes last, where the provider tells it.
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

// ask streams the answer of one model.
func (m *Model) ask(ctx context.Context, name string, req llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		if name == "" {
			yield(llm.Delta{}, m.by.Fault(llm.Invalid, name, errors.New("no model is named; set llm.model")))
			return
		}
		call, w := upstream.NewWatch(ctx, m.cfg.Clock, m.cfg.Silence)
		defer w.Stop()
		res, err := m.open(call, name, req)
		if err != nil {
			yield(llm.Delta{}, m.by.Unreached(ctx, w, name, err))
			return
		}
		defer func() { _ = res.Body.Close() }()
		a := answer{model: m, name: name, watch: w, yield: yield}
		a.read(ctx, res)
	}
}
