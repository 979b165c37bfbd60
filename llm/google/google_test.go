package google_test

import (
	"testing"
	"time"

	"parley/llm"
	"parley/llm/google"
	"parley/llm/llmtest"
	"parley/seam"
)

const key = "AIza-secret-of-the-test"

func open(t testing.TB, cfg google.Config) *google.Model {
	t.Helper()
	if cfg.Clock == nil {
		cfg.Clock = seam.Real()
	}
	if cfg.APIKey == "" {
		cfg.APIKey = key
	}
	m, err := google.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func start(t testing.TB, cfg llmtest.GoogleConfig, play func(llm.Request) llmtest.Act) (*google.Model, *llmtest.Google) {
	t.Helper()
	cfg.Key = key
	up := llmtest.NewGoogle(t, cfg, play)
	return open(t, google.Config{BaseURL: up.URL}), up
}

// Every way in which the protocol is spoken passes the whole suite.
func TestSuite(t *testing.T) {
	for name, cfg := range map[string]llmtest.GoogleConfig{
		"gemini":     {Continuously: true, RetryInfo: true},
		"one by one": {Drip: 1},
		"older":      {NoThoughts: true, NoIDs: true, Drip: 7, Page: 2},
		"signed":     {Signed: true, Continuously: true},
	} {
		t.Run(name, func(t *testing.T) {
			llmtest.Run(t, llmtest.Harness{
				Start: func(t *testing.T, play func(llm.Request) llmtest.Act) (llm.Model, llmtest.Upstream) {
					return start(t, cfg, play)
				},
				Impatient: func(t *testing.T, play func(llm.Request) llmtest.Act, silence time.Duration) (llm.Model, llmtest.Upstream) {
					_, up := start(t, cfg, play)
					return open(t, google.Config{BaseURL: up.URL, Silence: silence}), up
				},
				Unreachable: func(t *testing.T) llm.Model { return open(t, google.Config{BaseURL: "http://127.0.0.1:1"}) },
				Lacks: map[string]string{
					"declines": "the API has no word for it: a model declines in plain text, and what a filter stops is an error",
				},
			})
		})
	}
}
