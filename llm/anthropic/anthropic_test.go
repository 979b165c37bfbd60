package anthropic_test

import (
	"testing"
	"time"

	"parley/llm"
	"parley/llm/anthropic"
	"parley/llm/llmtest"
	"parley/seam"
)

const key = "sk-ant-secret-of-the-test"

func open(t testing.TB, cfg anthropic.Config) *anthropic.Model {
	t.Helper()
	if cfg.Clock == nil {
		cfg.Clock = seam.Real()
	}
	m, err := anthropic.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func start(t testing.TB, cfg llmtest.AnthropicConfig, play func(llm.Request) llmtest.Act) (*anthropic.Model, *llmtest.Anthropic) {
	t.Helper()
	cfg.Key = key
	up := llmtest.NewAnthropic(t, cfg, play)
	return open(t, anthropic.Config{BaseURL: up.URL, APIKey: key}), up
}

// Every way in which the protocol is spoken passes the whole suite.
func TestSuite(t *testing.T) {
	for name, cfg := range map[string]llmtest.AnthropicConfig{
		"anthropic":  {},
		"one by one": {Drip: 1},
		"pings":      {Pings: true, Drip: 7},
		"cached":     {Cached: true, Page: 1},
	} {
		t.Run(name, func(t *testing.T) {
			llmtest.Run(t, llmtest.Harness{
				Start: func(t *testing.T, play func(llm.Request) llmtest.Act) (llm.Model, llmtest.Upstream) {
					return start(t, cfg, play)
				},
				Impatient: func(t *testing.T, play func(llm.Request) llmtest.Act, silence time.Duration) (llm.Model, llmtest.Upstream) {
					_, up := start(t, cfg, play)
					return open(t, anthropic.Config{BaseURL: up.URL, APIKey: key, Silence: silence}), up
				},
				Unreachable: func(t *testing.T) llm.Model { return open(t, anthropic.Config{BaseURL: "http://127.0.0.1:1"}) },
			})
		})
	}
}
