package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"

	"parley/config"
	"parley/llm"
	"parley/llm/openai"
	"parley/llm/price"
	"parley/llm/route"
	"parley/llm/scripted"
	"parley/seam"
)

// newModel makes the models of every provider, behind one route. Close it at the end.
func newModel(cfg config.Config, log *slog.Logger) (llm.Model, io.Closer, error) {
	m := maker{cfg: cfg, http: openai.NewHTTPClient(), log: log}
	var providers []route.Provider
	for _, name := range cfg.LLM.Provider.Allowed() {
		p, err := m.provider(config.LLMProvider(name))
		if err != nil {
			return nil, nil, err
		}
		if name == string(cfg.LLM.Provider) && p.Why != nil {
			return nil, nil, fmt.Errorf("llm.provider %s cannot be used: %w", name, p.Why)
		}
		providers = append(providers, p)
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

// A maker makes the drivers of providers. They share one HTTP client.
type maker struct {
	cfg  config.Config
	http *http.Client
	log  *slog.Logger
}

// provider makes one provider's model, or says what is missing.
func (m maker) provider(name config.LLMProvider) (route.Provider, error) {
	p := route.Provider{Name: string(name), Calls: m.cfg.LLM.MaxCalls}
	if how := m.cfg.MissingKey(name); how != "" {
		p.Why = fmt.Errorf("it has no key: %s, or name the model of a provider that has one", how)
		return p, nil
	}
	var err error
	switch name {
	case config.LLMScripted:
		p.Model, err = newScripted(m.cfg)
		p.Calls = 0 // it waits for nobody
	case config.LLMOpenAI, config.LLMOpenRouter, config.LLMOllama:
		p.Model, err = m.openAI(name)
	case config.LLMAnthropic, config.LLMGoogle: // each gets a method like openAI, of its own driver
		p.Why = errors.New("this program was built without its driver")
	}
	return p, err
}

// openAI makes a model that speaks OpenAI's protocol, whoever is at its other end.
func (m maker) openAI(name config.LLMProvider) (llm.Model, error) {
	p := m.cfg.Provider(name)
	return openai.New(openai.Config{
		BaseURL: p.BaseURL, APIKey: p.APIKey.Reveal(), Model: m.model(name), Provider: string(name),
		Silence: m.cfg.LLM.Timeout, HTTP: m.http, Clock: seam.Real(), Log: m.log,
	})
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
			return nil, errors.Join(errors.New("llm.script cannot be used"), err)
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
