package route_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/llm"
	"parley/llm/llmtest"
	"parley/llm/openai"
	"parley/llm/route"
	"parley/seam"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, cfg route.Config) *route.Model {
	t.Helper()
	if cfg.Clock == nil {
		cfg.Clock = seam.Real()
	}
	if cfg.Random == nil {
		cfg.Random = rand.NewPCG(1, 2)
	}
	m, err := route.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What stands between a caller and a provider passes the suite like the provider alone.
func TestSuite(t *testing.T) {
	driver := func(t *testing.T, cfg openai.Config) *openai.Model {
		t.Helper()
		cfg.Clock = seam.Real()
		m, err := openai.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		return m
	}
	start := func(t *testing.T, play func(llm.Request) llmtest.Act, silence time.Duration) (llm.Model, llmtest.Upstream) {
		t.Helper()
		up := llmtest.NewOpenAI(t, llmtest.OpenAIConfig{}, play)
		return open(t, route.Config{Default: "a", Providers: []route.Provider{
			{Name: "a", Model: driver(t, openai.Config{BaseURL: up.URL, Silence: silence}), Calls: 100},
		}}), up
	}
	llmtest.Run(t, llmtest.Harness{
		Start: func(t *testing.T, play func(llm.Request) llmtest.Act) (llm.Model, llmtest.Upstream) {
			return start(t, play, 0)
		},
		Impatient: start,
		Unreachable: func(t *testing.T) llm.Model {
			return open(t, route.Config{Default: "a", Providers: []route.Provider{
				{Name: "a", Model: driver(t, openai.Config{BaseURL: "http://127.0.0.1:1/v1"})},
			}})
		},
		Lacks: map[string]string{
			"a tool call cut inside a character": "a piece is a JSON string, which holds whole characters",
		},
	})
}
