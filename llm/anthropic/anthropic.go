// Package anthropic is a Model over the Messages API of Anthropic, streaming over server-sent events
// (https://platform.claude.com/docs/en/api/messages, .../build-with-claude/streaming).
//
// A piece is yielded the moment its event is complete. Nothing is buffered except tool calls, nothing is retried after
// the first delta, and the SDK's own retries are off. An answer is complete when the provider gave its stop_reason; a
// stream that stops without one is Broken, however politely it stops.
//
// The API wants what a Request need not have; the driver sees to it. max_tokens is always sent. Messages that follow
// each other in one role become one turn, in which the results of tools come first. The first turn and the last are
// the user's: one is put before an assistant's words that open the conversation, and one after such that close it,
// which the API would otherwise go on with instead of answering.
package anthropic

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"time"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"parley/llm"
	"parley/llm/upstream"
	"parley/seam"
)

// Defaults of Config.
const (
	DefaultBaseURL   = "https://api.anthropic.com"
	DefaultProvider  = "anthropic"
	DefaultMaxTokens = 8192 // every model that is served answers with that many
)

// Config says which endpoint a Model speaks to.
type Config struct {
	BaseURL   string            // without /v1; empty means DefaultBaseURL
	APIKey    string            // empty sends none; the environment is never looked at
	Model     string            // for requests that name none
	Provider  string            // what errors call the endpoint; empty means DefaultProvider
	Headers   map[string]string // sent with every request, such as anthropic-beta
	MaxTokens int               // for requests that set no limit; 0 means DefaultMaxTokens
	Thinking  bool              // asks for adaptive thinking, told in summary; models before Claude 4.6 refuse it
	Silence   time.Duration     // longest wait for the next word; 0 means upstream.DefaultSilence, negative no limit
	HTTP      *http.Client      // nil means an upstream.NewHTTPClient of its own
	Clock     seam.Clock
	Log       *slog.Logger // told of fallbacks; nil for none
}

// A Model speaks to one endpoint. It may be used from any goroutine at any time. Close it at the end.
type Model struct {
	by     upstream.Provider
	cfg    Config
	client sdk.Client
	models sdk.ModelService
}

var (
	_ llm.Model  = (*Model)(nil)
	_ llm.Lister = (*Model)(nil)
)

// New makes a Model; nothing is sent before the first request.
func New(cfg Config) (*Model, error) {
	if cfg.Clock == nil {
		return nil, errors.New("make an anthropic model: a Clock is missing")
	}
	cfg = withDefaults(cfg)
	base, err := upstream.BaseURL(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("make an anthropic model: %w", err)
	}
	cfg.BaseURL = base
	opts := options(cfg)
	return &Model{
		by:     upstream.Provider{Name: cfg.Provider, Key: cfg.APIKey, Clock: cfg.Clock},
		cfg:    cfg,
		client: sdk.Client{Options: opts},
		models: sdk.NewModelService(opts...),
	}, nil
}

func withDefaults(cfg Config) Config {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.Provider == "" {
		cfg.Provider = DefaultProvider
	}
	if cfg.MaxTokens == 0 {
		cfg.MaxTokens = DefaultMaxTokens
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

// options builds the client by hand: sdk.NewClient would take keys from the environment and from files of the machine
// and send them to any base URL.
func options(cfg Config) []option.RequestOption {
	opts := []option.RequestOption{
		option.WithBaseURL(cfg.BaseURL),
		option.WithHTTPClient(cfg.HTTP),
		option.WithMaxRetries(0),
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
		w.Heard()
		a := answer{model: m, name: name, watch: w, yield: yield}
		a.read(ctx, res)
	}
}

// listed is how many models a page of the list has at most: as many as the API gives.
const listed = 1000

// List names the models that the key may use, newest first (https://platform.claude.com/docs/en/api/models/list). All
// of them call tools. An endpoint without a list is an error.
func (m *Model) List(ctx context.Context) ([]llm.Info, error) {
	call, w := upstream.NewWatch(ctx, m.cfg.Clock, m.cfg.Silence)
	defer w.Stop()
	var out []llm.Info
	pages := m.models.ListAutoPaging(call, sdk.ModelListParams{Limit: sdk.Int(listed)})
	for pages.Next() {
		w.Heard()
		info := pages.Current()
		out = append(out, llm.Info{Name: info.ID, Title: info.DisplayName, Tools: true, Context: int(info.MaxInputTokens)})
	}
	if err := pages.Err(); err != nil {
		return nil, m.failed(ctx, w, "", err)
	}
	return out, nil
}
