package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/config"
	"parley/llm"
	"parley/llm/llmtest"
	"parley/llm/price"
)

// loaded is a configuration as the environment makes it.
func loaded(t *testing.T, environ ...string) config.Config {
	t.Helper()
	cfg, _, err := config.Load(config.Source{Dir: t.TempDir(), Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log.Level = config.LogError
	return cfg
}

func model(t *testing.T, cfg config.Config) llm.Model {
	t.Helper()
	m, closer, err := newModel(cfg, newLogger(cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closer.Close() })
	return m
}

func askFor(t *testing.T, m llm.Model, models ...string) llmtest.Answer {
	t.Helper()
	req := llmtest.Ask("hello")
	req.Models = models
	return llmtest.Gather(m.Stream(t.Context(), req))
}

func TestNamesChooseTheProvider(t *testing.T) {
	hosted := llmtest.NewOpenAI(t, llmtest.OpenAIConfig{Key: "k1"}, llmtest.Always(llmtest.Say("hosted")))
	local := llmtest.NewOpenAI(t, llmtest.OpenAIConfig{}, llmtest.Always(llmtest.Say("local")))
	m := model(t, loaded(t, "LLM_PROVIDER=openrouter", "LLM_BASE_URL="+hosted.URL, "LLM_API_KEY=k1", "LLM_MODEL=meta/llama-x",
		"PROVIDERS_OLLAMA_BASE_URL="+local.URL))
	for name, want := range map[string][3]string{ // said, asked for, served
		"":                        {"hosted", "meta/llama-x", "openrouter/meta/llama-x"},
		"gpt-x":                   {"hosted", "gpt-x", "openrouter/gpt-x"},
		"meta/llama-y":            {"hosted", "meta/llama-y", "openrouter/meta/llama-y"},
		"openrouter/openai/gpt-x": {"hosted", "openai/gpt-x", "openrouter/openai/gpt-x"},
		"ollama/llama:8b":         {"local", "llama:8b", "ollama/llama:8b"},
	} {
		got := askFor(t, m, name)
		up := map[string]*llmtest.OpenAI{"hosted": hosted, "local": local}[want[0]].Requests()
		if got.Err != nil || got.Text != want[0] || got.Model != want[2] || !slices.Equal(up[len(up)-1].Models, []string{want[1]}) {
			t.Errorf("%q: got %q of %q, %v, want %q", name, got.Text, got.Model, got.Err, want)
		}
	}
	if got := askFor(t, m, "openai/gpt-x"); llm.KindOf(got.Err) != llm.Denied || !strings.Contains(got.Err.Error(), "set OPENAI_API_KEY or PROVIDERS_OPENAI_API_KEY") {
		t.Errorf("without a key: got %v", got.Err)
	}
	if got := askFor(t, m, "scripted/demo"); got.Err != nil || got.Model != "scripted/demo" {
		t.Errorf("the demo: got %q, %v", got.Model, got.Err)
	}
	if got := askFor(t, m, "openai/gpt-x", "ollama/llama:8b"); got.Text != "local" {
		t.Errorf("a fallback: got %q, %v", got.Text, got.Err)
	}
	list, err := m.(llm.Lister).List(t.Context())
	if err != nil || list[0].Name != "openrouter/gpt-new" || !slices.ContainsFunc(list, func(i llm.Info) bool { return i.Name == "ollama/gpt-old" }) {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestVendors(t *testing.T) {
	claude := llmtest.NewAnthropic(t, llmtest.AnthropicConfig{Key: "k1"}, llmtest.Always(llmtest.Say("claude")))
	gemini := llmtest.NewGoogle(t, llmtest.GoogleConfig{Key: "k2"}, llmtest.Always(llmtest.Say("gemini")))
	for provider, own := range map[string][2]string{"anthropic": {claude.URL, "k1"}, "google": {gemini.URL, "k2"}} {
		m := model(t, loaded(t, "LLM_PROVIDER="+provider, "LLM_MODEL=default-x", "LLM_BASE_URL="+own[0], "LLM_API_KEY="+own[1],
			"PROVIDERS_ANTHROPIC_BASE_URL="+claude.URL, "PROVIDERS_ANTHROPIC_API_KEY=k1",
			"PROVIDERS_GOOGLE_BASE_URL="+gemini.URL, "PROVIDERS_GOOGLE_API_KEY=k2"))
		said := map[string]string{"anthropic": "claude", "google": "gemini"}
		for name, want := range map[string][2]string{ // said, served
			"":                   {said[provider], provider + "/default-x"},
			"bare-x":             {said[provider], provider + "/bare-x"},
			"anthropic/claude-x": {"claude", "anthropic/claude-x"},
			"google/gemini-x":    {"gemini", "google/gemini-x"},
		} {
			if got := askFor(t, m, name); got.Err != nil || got.Text != want[0] || got.Model != want[1] {
				t.Errorf("%s, %q: got %q of %q, %v, want %q", provider, name, got.Text, got.Model, got.Err, want)
			}
		}
	}
	for upstream, requests := range map[string][]llm.Request{"claude": claude.Requests(), "gemini": gemini.Requests()} {
		if !slices.ContainsFunc(requests, func(r llm.Request) bool { return slices.Equal(r.Models, []string{"default-x"}) }) ||
			!slices.ContainsFunc(requests, func(r llm.Request) bool { return slices.Equal(r.Models, []string{upstream + "-x"}) }) {
			t.Errorf("%s was asked for %+v", upstream, requests)
		}
	}
}

func TestVendorsWithoutAKey(t *testing.T) {
	m := model(t, loaded(t, "PROVIDERS_GOOGLE_BASE_URL=http://127.0.0.1:1", "GEMINI_API_KEY=k"))
	for name, want := range map[string]string{
		"anthropic/claude-x": "set ANTHROPIC_API_KEY or PROVIDERS_ANTHROPIC_API_KEY",
		"google/gemini-x":    "an API key is missing: set PROVIDERS_GOOGLE_API_KEY, to any word where http://127.0.0.1:1 asks for none",
	} {
		if got := askFor(t, m, name); llm.KindOf(got.Err) != llm.Denied || !strings.Contains(got.Err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, got.Err, want)
		}
	}
	for provider, want := range map[string]string{
		"anthropic": "set LLM_API_KEY, ANTHROPIC_API_KEY or PROVIDERS_ANTHROPIC_API_KEY",
		"google":    "set LLM_API_KEY, GEMINI_API_KEY, GOOGLE_API_KEY or PROVIDERS_GOOGLE_API_KEY",
	} {
		_, _, err := config.Load(config.Source{Dir: t.TempDir(), Environ: []string{"LLM_PROVIDER=" + provider}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", provider, err, want)
		}
	}
}

// What a driver refuses stops a start only where the driver is the default one.
func TestDriversThatFail(t *testing.T) {
	const script = "LLM_SCRIPT=/nowhere/script.yaml"
	m := model(t, loaded(t, "LLM_PROVIDER=ollama", script))
	if got := askFor(t, m, "scripted/demo"); llm.KindOf(got.Err) != llm.Denied || !strings.Contains(got.Err.Error(), "llm.script cannot be used") {
		t.Errorf("got %v", got.Err)
	}
	for _, c := range []struct {
		environ []string
		want    string
	}{
		{[]string{script}, "llm.provider scripted cannot be used: llm.script cannot be used"},
		{[]string{"LLM_PROVIDER=google", "LLM_BASE_URL=http://127.0.0.1:1"}, "llm.provider google cannot be used: make a google model: an API key is missing: set LLM_API_KEY"},
	} {
		cfg := loaded(t, c.environ...)
		if _, _, err := newModel(cfg, newLogger(cfg)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestSilenceFallsOverBeforeTheWorkerGivesUp(t *testing.T) {
	up := llmtest.NewOpenAI(t, llmtest.OpenAIConfig{}, func(req llm.Request) llmtest.Act {
		if req.Models[0] == "silent" {
			return llmtest.Act{Late: true}
		}
		return llmtest.Say("there")
	})
	cfg := loaded(t, "LLM_PROVIDER=openai", "LLM_BASE_URL="+up.URL, "LLM_TIMEOUT=50ms", "LLM_RETRIES=1", "LLM_RETRY_FIRST=1ms", "LLM_RETRY_MOST=100ms")
	from := time.Now()
	got := askFor(t, model(t, cfg), "silent", "other")
	if took := time.Since(from); got.Err != nil || got.Text != "there" || took > patience(cfg.LLM) {
		t.Errorf("got %q, %v after %s", got.Text, got.Err, took)
	}
}

func TestPatience(t *testing.T) {
	for _, c := range []struct {
		timeout, most time.Duration
		retries       int
		want          time.Duration
	}{
		{time.Minute, 20 * time.Second, 0, 2*time.Minute + time.Second},
		{time.Minute, 20 * time.Second, 2, 2*(time.Minute+2*50*time.Second) + time.Second},
		{10 * time.Second, 20 * time.Second, 2, 2*(10*time.Second+2*40*time.Second) + time.Second},
	} {
		if got := patience(config.LLM{Timeout: c.timeout, Retries: c.retries, RetryMost: c.most}); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestOverloadIsTriedAgain(t *testing.T) {
	acts := make(chan llmtest.Act, 2)
	acts <- llmtest.Act{Refuse: &llmtest.Refusal{Status: 529, Text: "overloaded"}}
	acts <- llmtest.Say("there")
	up := llmtest.NewOpenAI(t, llmtest.OpenAIConfig{}, func(llm.Request) llmtest.Act { return <-acts })
	m := model(t, loaded(t, "LLM_PROVIDER=openai", "LLM_BASE_URL="+up.URL, "LLM_RETRY_FIRST=1ms"))
	if got := askFor(t, m, "x"); got.Err != nil || got.Text != "there" {
		t.Errorf("got %q, %v", got.Text, got.Err)
	}
}

func TestDemoIsWhatIsScripted(t *testing.T) {
	for _, c := range []struct {
		provider, model string
		want            bool
	}{
		{"scripted", "", true},
		{"scripted", "gpt-x", true},
		{"scripted", "ollama/x", false},
		{"ollama", "", false},
		{"ollama", "scripted/demo", true},
		{"ollama", "meta/x", false},
	} {
		s := server{cfg: loaded(t, "LLM_PROVIDER="+c.provider)}
		if got := s.demo()(c.model); got != c.want {
			t.Errorf("%s of %s: demo is %t", c.model, c.provider, got)
		}
	}
	s := server{cfg: loaded(t, "CHAT_SERVICE_ADDRESS=127.0.0.1:1")}
	if s.demo()("scripted/demo") {
		t.Error("what a service serves is not known to be a demo")
	}
}

func TestModelsCommand(t *testing.T) {
	up := llmtest.NewOpenAI(t, llmtest.OpenAIConfig{Models: `{"data":[{"id":"llama:8b","name":"Llama\u001b[31m","context_length":4096},` +
		`{"id":"phi","supported_parameters":[]}]}`}, llmtest.Always(llmtest.Say("ok")))
	cfg := loaded(t, "PROVIDERS_OLLAMA_BASE_URL="+up.URL, "PROVIDERS_GOOGLE_BASE_URL=http://127.0.0.1:1")
	var out bytes.Buffer
	if err := listModels(t.Context(), cfg, newLogger(cfg), &out); err != nil {
		t.Fatal(err)
	}
	const want = `NAME             TOOLS  CONTEXT  TITLE
scripted/demo    yes             Script demo
ollama/llama:8b  yes    4096     Llama␛[31m
ollama/phi       no              phi

Not to be used:
openai      it has no key: set OPENAI_API_KEY or PROVIDERS_OPENAI_API_KEY
anthropic   it has no key: set ANTHROPIC_API_KEY or PROVIDERS_ANTHROPIC_API_KEY
google      make a google model: an API key is missing: set PROVIDERS_GOOGLE_API_KEY, to any word where http://127.0.0.1:1 asks for none
openrouter  it has no key: set OPENROUTER_API_KEY or PROVIDERS_OPENROUTER_API_KEY
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestModelsCommandWithoutAService(t *testing.T) {
	cfg := loaded(t, "CHAT_SERVICE_ADDRESS=127.0.0.1:1")
	var out bytes.Buffer
	if err := listModels(t.Context(), cfg, newLogger(cfg), &out); llm.KindOf(err) != llm.Unavailable || out.Len() > 0 {
		t.Errorf("got %v and\n%s", err, &out)
	}
}

func TestPricesOfTheConfig(t *testing.T) {
	table, err := newPrices(loaded(t, "PRICES_MODELS=openai/gpt-x* 0.15 0.6 0.0375; ollama/rented 1 2"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]price.Nanos{"openai/gpt-x-1": 156_000, "ollama/llama": 0, "ollama/rented": 1_020_000, "scripted/demo": 0} {
		p, ok := table.Lookup(name)
		if got := p.Of(llm.Usage{Input: 1000, Output: 10}); !ok || got != want {
			t.Errorf("%s costs %s, %t, want %s", name, got, ok, want)
		}
	}
	if _, ok := table.Lookup("openrouter/x"); ok {
		t.Error("a price is made up")
	}
}
