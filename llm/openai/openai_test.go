package openai_test

import (
	"testing"
	"time"

	"parley/llm"
	"parley/llm/llmtest"
	"parley/llm/openai"
	"parley/seam"
)

const key = "sk-secret-of-the-test"

func start(t testing.TB, cfg llmtest.OpenAIConfig, play func(llm.Request) llmtest.Act) (*openai.Model, *llmtest.OpenAI) {
	t.Helper()
	cfg.Key = key
	up := llmtest.NewOpenAI(t, cfg, play)
	return open(t, openai.Config{BaseURL: up.URL, APIKey: key}), up
}

func startImpatient(t testing.TB, cfg llmtest.OpenAIConfig, play func(llm.Request) llmtest.Act, silence time.Duration) (*openai.Model, *llmtest.OpenAI) {
	t.Helper()
	cfg.Key = key
	up := llmtest.NewOpenAI(t, cfg, play)
	return open(t, openai.Config{BaseURL: up.URL, APIKey: key, Silence: silence}), up
}

func open(t testing.TB, cfg openai.Config) *openai.Model {
	t.Helper()
	if cfg.Clock == nil {
		cfg.Clock = seam.Real()
	}
	m, err := openai.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func unreachable(t *testing.T) llm.Model {
	return open(t, openai.Config{BaseURL: "http://127.0.0.1:1/v1"})
}

// Every way in which endpoints speak the protocol passes the whole suite.
func TestSuite(t *testing.T) {
	for name, cfg := range map[string]llmtest.OpenAIConfig{
		"openai":     {},
		"one by one": {Drip: 1},
		"openrouter": {Comments: true, Reasoning: "reasoning", Drip: 7},
		"ollama":     {PlainErrors: true, Reasoning: "reasoning", NoDone: true},
		"vllm":       {Continuously: true, NewLimit: true},
		"no finish":  {NoFinish: true},
	} {
		t.Run(name, func(t *testing.T) {
			llmtest.Run(t, llmtest.Harness{
				Start: func(t *testing.T, play func(llm.Request) llmtest.Act) (llm.Model, llmtest.Upstream) {
					return start(t, cfg, play)
				},
				Impatient: func(t *testing.T, play func(llm.Request) llmtest.Act, silence time.Duration) (llm.Model, llmtest.Upstream) {
					return startImpatient(t, cfg, play, silence)
				},
				Unreachable: unreachable,
				Lacks: map[string]string{
					"a tool call cut inside a character": "a piece is a JSON string, which holds whole characters; the harness that drips cuts the bytes below",
				},
			})
		})
	}
}
