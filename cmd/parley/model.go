package main

import (
	"errors"
	"io"
	"log/slog"

	"parley/config"
	"parley/llm"
	"parley/llm/openai"
	"parley/llm/scripted"
	"parley/seam"
)

// newModel makes the model that the configuration names. Close it at the end.
func newModel(cfg config.Config, log *slog.Logger) (llm.Model, io.Closer, error) {
	if cfg.LLM.Provider == config.LLMScripted {
		m, err := newScripted(cfg)
		return m, nothing{}, err
	}
	m, err := openai.New(openai.Config{
		BaseURL: cfg.LLM.BaseURL, APIKey: cfg.LLM.APIKey.Reveal(), Model: cfg.LLM.Model,
		Provider: string(cfg.LLM.Provider), Silence: cfg.LLM.Timeout, Clock: seam.Real(), Log: log,
	})
	return m, m, err
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

// nothing is a Closer for what needs no closing.
type nothing struct{}

func (nothing) Close() error { return nil }
