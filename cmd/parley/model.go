package main

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"parley/config"
	"parley/llm"
	"parley/llm/anthropic"
	"parley/llm/google"
	"parley/llm/openai"
	"parley/llm/price"
	"parley/llm/remote"
	"parley/llm/route"
	"parley/llm/scripted"
	"parley/llm/upstream"
	"parley/seam"
)

// openModel is the Chat service, if there is one, or the models in this process. Close it at the end.
func openModel(cfg config.Config, log *slog.Logger) (llm.Model, io.Closer, error) {
	if addr := cfg.ChatService.Address; addr != "" {
		m, err := remote.New(remote.Config{Address: addr})
		return m, m, err
	}
	return newModel(cfg, log)
}

// newModel makes the models of every provider, behind one route. Close it at the end.
func newModel(cfg config.Config, log *slog.Logger) (llm.Model, io.Closer, error) {
	m := newMaker(cfg, log)
	providers := m.providers()
	for _, p := range providers {
		if p.Name == string(cfg.LLM.Provider) && p.Why != nil {
			return nil, nil, fmt.Errorf("llm.provider %s cannot be used: %w", p.Name, p.Why)
		}
	}
	model, err := route.New(route.Config{
		Default:   string(cfg.LLM.Provider),
		Providers: providers,
		Retry:     route.Retry{Times: cfg.LLM.Retries, First: cfg.LLM.RetryFirst, Most: cfg.LLM.RetryMost},
		Clock:     seam.Real(),
		Random:    rand.NewPCG(rand.Uint64(), rand.Uint64()),
		Log:       log,
	})
	return model, idle{m.http}, err
}

// patience is how long a reply may hear nothing before it fails: longer than the route takes, at most, to learn that a
// model does not answer and then that its fallback does not either. So it is the drivers who tell of a silence, after
// llm.timeout, and the next model has its turn; this limit is for what no driver notices. Waits are as in route.Retry:
// what takes longer than the longest is not tried again, and one that the provider asks for is spread by half.
func patience(c config.LLM) time.Duration {
	again := min(c.Timeout, c.RetryMost) + c.RetryMost + c.RetryMost/2
	one := c.Timeout + time.Duration(c.Retries)*again
	return 2*one + time.Second
}

// A maker makes the drivers of providers. They share one HTTP client.
type maker struct {
	cfg  config.Config
	http *http.Client
	log  *slog.Logger
}

func newMaker(cfg config.Config, log *slog.Logger) maker {
	return maker{cfg: cfg, http: upstream.NewHTTPClient(), log: log}
}

// providers makes every provider there is, those that cannot be used with the reason.
func (m maker) providers() []route.Provider {
	var list []route.Provider
	for _, name := range m.cfg.LLM.Provider.Allowed() {
		list = append(list, m.provider(config.LLMProvider(name)))
	}
	return list
}

func (m maker) provider(name config.LLMProvider) route.Provider {
	p := route.Provider{Name: string(name), Calls: m.cfg.LLM.MaxCalls}
	if name == config.LLMScripted {
		p.Calls = 0 // it waits for nobody
	}
	model, err := m.driver(name)
	if err != nil {
		p.Why = err
		return p
	}
	p.Model = model
	return p
}

// driver makes one provider's model, or says what is missing.
func (m maker) driver(name config.LLMProvider) (llm.Model, error) {
	if how := m.cfg.MissingKey(name); how != "" {
		return nil, fmt.Errorf("it has no key: %s, or name the model of a provider that has one", how)
	}
	switch name {
	case config.LLMScripted:
		return newScripted(m.cfg)
	case config.LLMOpenAI, config.LLMOpenRouter, config.LLMOllama:
		return m.openAI(name)
	case config.LLMAnthropic:
		return m.anthropic()
	case config.LLMGoogle:
		return m.google()
	}
	return nil, fmt.Errorf("this program has no driver for %s", name)
}

// openAI makes a model that speaks OpenAI's protocol, whoever is at its other end.
func (m maker) openAI(name config.LLMProvider) (llm.Model, error) {
	p := m.cfg.Provider(name)
	return openai.New(openai.Config{
		BaseURL: p.BaseURL, APIKey: p.APIKey.Reveal(), Model: m.model(name), Provider: string(name),
		Silence: m.cfg.LLM.Timeout, HTTP: m.http, Clock: seam.Real(), Log: m.log,
	})
}

// anthropic makes a model that speaks the Messages API.
func (m maker) anthropic() (llm.Model, error) {
	p := m.cfg.Provider(config.LLMAnthropic)
	return anthropic.New(anthropic.Config{
		BaseURL: p.BaseURL, APIKey: p.APIKey.Reveal(), Model: m.model(config.LLMAnthropic), Provider: string(config.LLMAnthropic),
		Silence: m.cfg.LLM.Timeout, HTTP: m.http, Clock: seam.Real(), Log: m.log,
	})
}

// google makes a model that speaks the Gemini API. Its driver wants a key at every address.
func (m maker) google() (llm.Model, error) {
	p := m.cfg.Provider(config.LLMGoogle)
	model, err := google.New(google.Config{
		BaseURL: p.BaseURL, APIKey: p.APIKey.Reveal(), Model: m.model(config.LLMGoogle), Provider: string(config.LLMGoogle),
		Silence: m.cfg.LLM.Timeout, HTTP: m.http, Clock: seam.Real(), Log: m.log,
	})
	if err != nil && !p.APIKey.IsSet() {
		variable := "PROVIDERS_GOOGLE_API_KEY"
		if m.cfg.LLM.Provider == config.LLMGoogle {
			variable = "LLM_API_KEY"
		}
		return nil, fmt.Errorf("%w: set %s, to any word where %s asks for none", err, variable, p.BaseURL)
	}
	return model, err
}

// model is the name for requests that have none; only the default provider gets such requests.
func (m maker) model(name config.LLMProvider) string {
	if name != m.cfg.LLM.Provider {
		return ""
	}
	return m.cfg.LLM.Model
}

func newScripted(cfg config.Config) (llm.Model, error) {
	script := scripted.Demo()
	if cfg.LLM.Script != "" {
		var err error
		if script, err = scripted.Load(cfg.LLM.Script); err != nil {
			return nil, fmt.Errorf("llm.script cannot be used: %w", err)
		}
	}
	return scripted.New(scripted.Config{Script: script, Clock: seam.Real()})
}

// providerOf tells who is asked for a model.
func providerOf(cfg config.Config, model string) config.LLMProvider {
	if first, _ := route.Split(model); slices.Contains(cfg.LLM.Provider.Allowed(), first) {
		return config.LLMProvider(first)
	}
	return cfg.LLM.Provider
}

// newPrices makes the table of what models cost. What runs on this machine is free unless the table says otherwise.
func newPrices(cfg config.Config) (*price.Table, error) {
	table := make(map[string]price.Price, len(cfg.Prices.Models))
	for _, p := range cfg.Prices.Models {
		table[p.Pattern] = price.Price{Input: price.Nanos(p.Input), Output: price.Nanos(p.Output), Cached: price.Nanos(p.Cached)}
	}
	return price.New(table, string(config.LLMScripted), string(config.LLMOllama))
}

// idle closes what an HTTP client keeps open between calls.
type idle struct{ client *http.Client }

func (i idle) Close() error {
	i.client.CloseIdleConnections()
	return nil
}
