package config

import (
	"bytes"
	"reflect"
	"testing"
)

// Whatever a file and a variable hold, Load ends, says the same twice, and what it returns can be printed.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "grpc:\n  port: 1\n", "grpc: [1]", "a: &a [*a]", "grpc: &a {port: *a}", "? {a: b}\n: c", "---\n---\n", "<<: {grpc: {port: 1}}",
		"llm: {api_key: x, timeout: 1h, provider: ollama, base_url: 'http://u:p@h'}", "\xff", "grpc: !!binary aGk=", "%YAML 9.9\n---\n", "&a : *a",
		"prices: {models: {a*: {input: 0.15, output: 1}}}", "prices: {models: [a]}", "providers: {openai: {api_key: k}, google: [x]}",
	} {
		f.Add([]byte(seed), "50052")
	}
	f.Fuzz(func(t *testing.T, data []byte, value string) {
		environ := []string{"GRPC_PORT=" + value, "LLM_BASE_URL=" + value, "CHAT_SERVICE_ADDRESS=" + value, "PRICES_MODELS=" + value}
		c, warnings, err := load("config.yaml", data, environ)
		again, warned, err2 := load("config.yaml", data, environ)
		if !reflect.DeepEqual(c, again) || !reflect.DeepEqual(warnings, warned) || (err == nil) != (err2 == nil) ||
			(err != nil && err.Error() != err2.Error()) {
			t.Errorf("not the same twice: %v, %v", err, err2)
		}
		if err == nil && c.Validate() != nil {
			t.Errorf("loaded, but not valid: %v", c.Validate())
		}
		if err := c.Print(&bytes.Buffer{}); err != nil {
			t.Error(err)
		}
	})
}

// Misspelt keys are found however they were misspelt.
func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"a", "", 1},
		{"", "abc", 3},
		{"port", "prot", 1},
		{"port", "ports", 1},
		{"port", "pot", 1},
		{"port", "pört", 1},
		{"modle", "model", 1},
		{"abcdef", "fedcba", 5},
		{"kitten", "sitting", 3},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
