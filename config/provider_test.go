package config_test

import (
	"reflect"
	"testing"

	"parley/config"
)

func TestKeysAndAddressesOfProviders(t *testing.T) {
	for name, c := range map[string]struct {
		yaml    string
		environ []string
		of      config.LLMProvider
		key     string
		url     string
		missing string
	}{
		"llm is the default provider's": {
			"llm: {provider: openai, api_key: a}\nproviders: {openai: {api_key: b}}", nil,
			config.LLMOpenAI, "a", "https://api.openai.com/v1", "",
		},
		"providers fill what llm leaves out": {
			"llm: {provider: openai}\nproviders: {openai: {api_key: b, base_url: \"http://proxy/v1\"}}", nil,
			config.LLMOpenAI, "b", "http://proxy/v1", "",
		},
		"the vendors' own variables": {
			"llm: {provider: anthropic}", []string{"ANTHROPIC_API_KEY=a"},
			config.LLMAnthropic, "a", "https://api.anthropic.com", "",
		},
		"the first of several": {"", []string{"GEMINI_API_KEY=a", "GOOGLE_API_KEY=b"}, config.LLMGoogle, "a", "https://generativelanguage.googleapis.com", ""},
		"the other of several": {"", []string{"GOOGLE_API_KEY=b"}, config.LLMGoogle, "b", "https://generativelanguage.googleapis.com", ""},
		"ours first":           {"providers: {openai: {api_key: a}}", []string{"OPENAI_API_KEY=b"}, config.LLMOpenAI, "a", "https://api.openai.com/v1", ""},
		"a vendor's key stays with the vendor": {
			"llm: {provider: openai, base_url: \"http://127.0.0.1:8000/v1\"}", []string{"OPENAI_API_KEY=a"},
			config.LLMOpenAI, "", "http://127.0.0.1:8000/v1", "",
		},
		"at whatever address of its own": {
			"providers: {openai: {base_url: \"http://127.0.0.1:8000/v1\"}}", []string{"OPENAI_API_KEY=a"},
			config.LLMOpenAI, "", "http://127.0.0.1:8000/v1", "",
		},
		"a key of providers stays at its address": {
			"llm: {provider: openai, base_url: \"http://127.0.0.1:8000/v1\"}\nproviders: {openai: {api_key: a}}", nil,
			config.LLMOpenAI, "", "http://127.0.0.1:8000/v1", "",
		},
		"the address with a slash":   {"llm: {provider: openai, base_url: \"https://api.openai.com/v1/\"}", []string{"OPENAI_API_KEY=a"}, config.LLMOpenAI, "a", "https://api.openai.com/v1/", ""},
		"an empty address":           {"providers: {openai: {base_url: \"\"}}", []string{"OPENAI_API_KEY=a"}, config.LLMOpenAI, "a", "https://api.openai.com/v1", ""},
		"none":                       {"", nil, config.LLMOpenAI, "", "https://api.openai.com/v1", "set OPENAI_API_KEY or PROVIDERS_OPENAI_API_KEY"},
		"none of several":            {"", nil, config.LLMGoogle, "", "https://generativelanguage.googleapis.com", "set GEMINI_API_KEY, GOOGLE_API_KEY or PROVIDERS_GOOGLE_API_KEY"},
		"none is needed":             {"", nil, config.LLMOllama, "", "http://127.0.0.1:11434/v1", ""},
		"nothing is there to set up": {"", nil, config.LLMScripted, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := mustLoad(t, write(t, c.yaml, c.environ...))
			got := cfg.Provider(c.of)
			if got.APIKey.Reveal() != c.key || got.BaseURL != c.url || cfg.MissingKey(c.of) != c.missing {
				t.Errorf("got key %q, address %s, missing %q, want %q, %s, %q", got.APIKey.Reveal(), got.BaseURL, cfg.MissingKey(c.of), c.key, c.url, c.missing)
			}
		})
	}
}

func TestPrices(t *testing.T) {
	want := config.ModelPrices{
		{Pattern: "openai/gpt-x*", Input: 150_000_000, Output: 600_000_000, Cached: 37_500_000},
		{Pattern: "b:free", Input: 0, Output: 3_000_000_000, Cached: 0},
		{Pattern: "c", Input: 1_000_000_000_000_000, Output: 1, Cached: 1_000_000_000_000_000},
	}
	const text = "openai/gpt-x* 0.15 0.6 0.0375; b:free 0 3; c 1000000 0.000000001"
	for name, src := range map[string]config.Source{
		"a table": write(t, "prices:\n  models:\n    openai/gpt-x*: {input: 0.15, output: \"0.60\", cached: 0.0375}\n    b:free: {output: 3, input: 0}\n"+
			"    c: {input: 1000000, output: 0.000000001}\n"),
		"a text":   write(t, "prices: {models: "+text+"}"),
		"lines":    write(t, "prices:\n  models: |\n    openai/gpt-x*  0.15 0.60 0.0375\n    b:free 0.0 3.00;\n\n    c 1000000 0.000000001\n"),
		"variable": write(t, "prices: {models: {z: {input: 1, output: 1}}}", "PRICES_MODELS="+text),
	} {
		if got := mustLoad(t, src).Prices.Models; !reflect.DeepEqual(got, want) || got.String() != text {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
