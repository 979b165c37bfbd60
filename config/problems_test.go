package config_test

import (
	"reflect"
	"strings"
	"testing"

	"parley/config"
)

func TestProblems(t *testing.T) {
	for _, test := range []struct {
		name, yaml string
		environ    []string
		want       []string
	}{
		{"unknown keys, all of them", "grcp:\n  port: 1\ngrpc:\n  prot: 2\n  \"\": 3\nport: 3\nzzzzzzzzzzzz: 4\n", nil, []string{
			`config.yaml:1: unknown key "grcp": did you mean "grpc"?`,
			`config.yaml:4: unknown key "grpc.prot": did you mean "grpc.port"?`,
			`config.yaml:5: unknown key "grpc.": config.example.yaml lists the known ones`,
			`config.yaml:6: unknown key "port": did you mean "grpc.port"?`,
			`config.yaml:7: unknown key "zzzzzzzzzzzz": config.example.yaml lists the known ones`,
		}},
		{"a path in one word", "grpc.port: 1\n", nil, []string{
			`config.yaml:1: unknown key "grpc.port": write "grpc:" and, indented below it, "port:"`,
		}},
		{"set twice", "grpc:\n  port: 1\n  port: 2\nchat: {}\nchat: {}\n", nil, []string{
			`config.yaml:3: "grpc.port" is set twice: first in line 2`,
			`config.yaml:5: "chat" is set twice: first in line 4`,
		}},
		{"no mapping", "- grpc\n", nil, []string{`config.yaml:1: want sections such as "grpc:" with their keys indented below`}},
		{"no section", "llm: sk-1234567890\n", nil, []string{`config.yaml:1: "llm" is a section: write its keys indented below it`}},
		{"no word", "? [a]\n: 1\n", nil, []string{`config.yaml:1: a key has to be a word`}},
		{"no value", "grpc:\n  port: [1]\n", nil, []string{`config.yaml:2: grpc.port: want one value, not a list or a section`}},
		{"second document", "grpc: {}\n---\nllm: {}\n", nil, []string{`config.yaml:2: a second document starts here: leave one`}},
		{"kinds", "grpc:\n  port: abc\nllm:\n  timeout: 60\nroom: {max_depth: 1.5}\n", []string{"CHAT_PORT=99999999999999999999"}, []string{
			`config.yaml:2: grpc.port: "abc" is no whole number: want one such as 50052`,
			`config.yaml:4: llm.timeout: "60" is no duration: want one such as 500ms, 10s or 1m30s`,
			`config.yaml:5: room.max_depth: "1.5" is no whole number: want one such as 4`,
			`environment variable CHAT_PORT: "99999999999999999999" is no whole number: want one such as 50051`,
		}},
		{"choices", "store: {driver: dynamo}\n", []string{"LLM_PROVIDER=opneai", "FANOUT_DRIVER=x", "LOG_LEVEL=loud"}, []string{
			`config.yaml:1: store.driver: "dynamo" is not known: want embedded or memory`,
			`environment variable FANOUT_DRIVER: "x" is not known: want local`,
			`environment variable LLM_PROVIDER: "opneai" is not known: want scripted, openai, anthropic, google, openrouter or ollama`,
			`environment variable LOG_LEVEL: "loud" is not known: want info, debug, warn or error`,
		}},
		{"ranges", "grpc:\n  port: 70000\nlimits:\n  message_bytes: 0\n  slow_after: 2h\n", []string{"LLM_TIMEOUT=-1s", "ROOM_MAX_DEPTH=-1"}, []string{
			`config.yaml:2: grpc.port: 70000 is out of range: want 0 to 65535`,
			`config.yaml:4: limits.message_bytes: 0 is out of range: want 1 to 1048576`,
			`environment variable ROOM_MAX_DEPTH: -1 is out of range: want 0 to 100`,
			`environment variable LLM_TIMEOUT: -1s is out of range: want 1ms to 1h`,
			`config.yaml:5: limits.slow_after: 2h is out of range: want 1ms to 1h`,
		}},
		{"a long value is cut", "log: {level: " + strings.Repeat("é", 100) + "}\n", nil, []string{
			`config.yaml:1: log.level: "` + strings.Repeat("é", 60) + `..." is not known: want info, debug, warn or error`,
		}},
		{"no folder", "store: {path: \"\"}\n", nil, []string{
			`config.yaml:1: store.path: empty: name a folder, or set store.driver to memory`,
		}},
		{"address", "chat_service:\n  address: localhost\n", nil, []string{
			`config.yaml:2: chat_service.address: "localhost" is no address: want host:port, such as 127.0.0.1:50051`,
		}},
		{"no key", "llm: {provider: openai}\n", nil, []string{
			`llm.api_key: empty: llm.provider openai asks for a key; set LLM_API_KEY, OPENAI_API_KEY or PROVIDERS_OPENAI_API_KEY, or set llm.base_url to a server that needs none`,
		}},
		{"no key for the provider's own address", "llm: {provider: openai, base_url: https://api.openai.com/v1/}\n", nil, []string{
			`llm.api_key: empty: llm.provider openai asks for a key; set LLM_API_KEY, OPENAI_API_KEY or PROVIDERS_OPENAI_API_KEY, or set llm.base_url to a server that needs none`,
		}},
		{"no key of another vendor", "llm: {provider: google}\n", []string{"OPENAI_API_KEY=k"}, []string{
			`llm.api_key: empty: llm.provider google asks for a key; set LLM_API_KEY, GEMINI_API_KEY, GOOGLE_API_KEY or PROVIDERS_GOOGLE_API_KEY, or set llm.base_url to a server that needs none`,
		}},
		{"providers", "providers:\n  antropic: {api_key: k}\n  openai: k\n  google.api_key: k\n  ollama: {key: x}\n", []string{"PROVIDERS_OLLAMA_BASE_URL=http://u:p@h"}, []string{
			`config.yaml:2: unknown key "providers.antropic": did you mean "providers.anthropic"?`,
			`config.yaml:3: "providers.openai" is a section: write its keys indented below it`,
			`config.yaml:4: unknown key "google.api_key": write "google:" and, indented below it, "api_key:"`,
			`config.yaml:5: unknown key "providers.ollama.key": did you mean "providers.ollama.api_key"?`,
			`environment variable PROVIDERS_OLLAMA_BASE_URL: holds a user name or a password: set providers.ollama.api_key instead`,
		}},
		{"patience", "llm: {retries: 11, retry_first: 0s, retry_most: 1h, max_calls: -1}\n", nil, []string{
			`config.yaml:1: llm.retries: 11 is out of range: want 0 to 10`,
			`config.yaml:1: llm.max_calls: -1 is out of range: want 0 to 100000`,
			`config.yaml:1: llm.retry_first: 0s is out of range: want 1ms to 1m`,
			`config.yaml:1: llm.retry_most: 1h is out of range: want 1ms to 10m`,
		}},
		{"prices", "prices:\n  models:\n    a: 3\n    b: {input: 1}\n    c: {input: 1, output: 2, cahced: 1}\n    d: {input: -1, output: 2}\n    e: {input: 1e3, output: 2}\n" +
			"    f: {input: 1, output: 0.1234567891}\n    g: {input: 1000001, output: 2}\n    \"h i\": {input: 1, output: 2}\n    j*k: {input: 1, output: 2}\n    l: {input: 1, output: 2}\n    l: {input: 1, output: 2}\n", nil, []string{
			`config.yaml:3: prices.models: "a": want {input: 0.15, output: 0.60}, in dollars for a million tokens, and cached: if it differs from input`,
			`config.yaml:4: prices.models: "b": want {input: 0.15, output: 0.60}, in dollars for a million tokens, and cached: if it differs from input`,
			`config.yaml:5: prices.models: "c": want {input: 0.15, output: 0.60}, in dollars for a million tokens, and cached: if it differs from input`,
			`config.yaml:6: prices.models: "d": "-1" is no amount: want dollars such as 3 or 0.15, with nine decimals at most`,
			`config.yaml:7: prices.models: "e": "1e3" is no amount: want dollars such as 3 or 0.15, with nine decimals at most`,
			`config.yaml:8: prices.models: "f": "0.1234567891" is no amount: want dollars such as 3 or 0.15, with nine decimals at most`,
			`config.yaml:9: prices.models: "g": "1000001" is too much: want 1000000 dollars at most`,
			`config.yaml:10: prices.models: "h i": it is no model: want a name such as openai/gpt-4o-mini, or its beginning and a *`,
			`config.yaml:11: prices.models: "j*k": it is no model: want a name such as openai/gpt-4o-mini, or its beginning and a *`,
			`config.yaml:13: prices.models: "l" has two prices: the first is in line 12`,
		}},
		{"prices as a text", "", []string{"PRICES_MODELS=a 1 2; a 3 4"}, []string{`environment variable PRICES_MODELS: "a" has two prices: leave one`}},
		{"prices as half a text", "", []string{"PRICES_MODELS=a 1"}, []string{
			`environment variable PRICES_MODELS: "a 1" is no price: want NAME INPUT OUTPUT, and CACHED if it differs from INPUT`,
		}},
		{"prices as a bad text", "", []string{"PRICES_MODELS=a 1 x"}, []string{
			`environment variable PRICES_MODELS: "a": "x" is no amount: want dollars such as 3 or 0.15, with nine decimals at most`,
		}},
		{"no server", "llm: {provider: ollama, base_url: 127.0.0.1}\n", nil, []string{
			`config.yaml:1: llm.base_url: no URL of a server: want one such as http://127.0.0.1:8000/v1`,
		}},
		{"a query", "llm: {base_url: \"http://a/v1?key=1\"}\n", nil, []string{
			`config.yaml:1: llm.base_url: goes beyond the path: leave out what follows ? or #; want one such as http://127.0.0.1:8000/v1`,
		}},
		{"a syntax error", "grpc:\n  port: 1\n host: x\n", nil, []string{`config.yaml:2: did not find expected key`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := complaints(t, write(t, test.yaml, test.environ...)); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestValidateACopyMadeByHand(t *testing.T) {
	c := config.Default()
	c.Log.Format = "xml"
	err := c.Validate()
	if err == nil || err.Error() != `log.format: "xml" is not known: want text or json` {
		t.Errorf("got %v", err)
	}
}
