package config_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"parley/config"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// write puts a config.yaml into a folder of its own and returns a Source for it.
func write(t *testing.T, yaml string, environ ...string) config.Source {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Source{Dir: dir, Environ: environ}
}

// mustLoad loads what has no problem.
func mustLoad(t *testing.T, src config.Source) config.Config {
	t.Helper()
	c, warnings, err := config.Load(src)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("Load: %v, warnings %q", err, warnings)
	}
	return c
}

// complaints returns the lines of Load's error, without the folder.
func complaints(t *testing.T, src config.Source) []string {
	t.Helper()
	_, _, err := config.Load(src)
	if err == nil {
		return nil
	}
	return strings.Split(strings.ReplaceAll(err.Error(), src.Dir+string(filepath.Separator), ""), "\n")
}

func TestNothingIsTheDefault(t *testing.T) {
	for name, yaml := range map[string]string{
		"empty": "", "comment": "# nothing\n", "null": "~\n", "sections without keys": "grpc:\nllm:\n",
		"keys without values": "grpc:\n  port:\nllm:\n  api_key: ~\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got := mustLoad(t, write(t, yaml)); !reflect.DeepEqual(got, config.Default()) {
				t.Errorf("got %+v", got)
			}
		})
	}
	if got := mustLoad(t, config.Source{Dir: t.TempDir()}); !reflect.DeepEqual(got, config.Default()) {
		t.Errorf("without a file: %+v", got)
	}
	if err := config.Default().Validate(); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	c := mustLoad(t, write(t, "grpc: {host: 0.0.0.0, port: 1}\nlimits:\n  slow_after: 3s\n",
		"GRPC_PORT=2", "LIMITS_MESSAGE_BYTES=100", "STORE_DRIVER=memory", "STORE_PATH=", "CHAT_SERVICE_ADDRESS=[::1]:50051",
		"LLM_API_KEY=sk=1", "UNRELATED=x", "broken"))
	want := config.Default()
	want.GRPC = config.GRPC{Host: "0.0.0.0", Port: 2}
	want.Limits = config.Limits{MessageBytes: 100, SlowAfter: 3 * time.Second}
	want.Store.Driver = config.StoreMemory
	want.ChatService.Address = "[::1]:50051"
	if c.LLM.APIKey.Reveal() != "sk=1" {
		t.Errorf("the key is %q", c.LLM.APIKey.Reveal())
	}
	want.LLM.APIKey = c.LLM.APIKey
	if c.GRPC != want.GRPC || c.Limits != want.Limits || c.Store != want.Store || c.LLM != want.LLM || c.ChatService != want.ChatService {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestEveryKeyCanBeSetByTheEnvironment(t *testing.T) {
	c := mustLoad(t, config.Source{Dir: t.TempDir(), Environ: []string{
		"GRPC_HOST=h", "GRPC_PORT=1", "CHAT_SERVICE_ADDRESS=a:1", "CHAT_HOST=i", "CHAT_PORT=2",
		"STORE_DRIVER=memory", "STORE_PATH=p", "FANOUT_DRIVER=local", "LLM_PROVIDER=ollama", "LLM_MODEL=m",
		"LLM_API_KEY=k", "LLM_BASE_URL=http://b", "LLM_SCRIPT=s", "LLM_TIMEOUT=5s", "LLM_MAX_TOKENS=7",
		"LLM_CONTEXT_TOKENS=800", "LIMITS_MESSAGE_BYTES=9", "LIMITS_SLOW_AFTER=11s", "ROOM_MAX_DEPTH=0",
		"LOG_LEVEL=debug", "LOG_FORMAT=json", "LLM_RETRIES=1", "LLM_RETRY_FIRST=1s", "LLM_RETRY_MOST=2s", "LLM_MAX_CALLS=3",
		"PROVIDERS_OPENAI_API_KEY=k", "PROVIDERS_OPENAI_BASE_URL=http://o", "PROVIDERS_ANTHROPIC_API_KEY=k",
		"PROVIDERS_ANTHROPIC_BASE_URL=http://a", "PROVIDERS_GOOGLE_API_KEY=k", "PROVIDERS_GOOGLE_BASE_URL=http://g",
		"PROVIDERS_OPENROUTER_API_KEY=k", "PROVIDERS_OPENROUTER_BASE_URL=http://r", "PROVIDERS_OLLAMA_API_KEY=k",
		"PROVIDERS_OLLAMA_BASE_URL=http://l", "PRICES_MODELS=m 1 2",
		"BUDGET_TOTAL=1", "BUDGET_DAY=0.5", "BUDGET_CALL=0.1", "BUDGET_TOTAL_TOKENS=1", "BUDGET_DAY_TOKENS=2", "BUDGET_CALL_TOKENS=3",
		"ROOM_SECRET=s",
	}})
	var out bytes.Buffer
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if !strings.Contains(line, " env ") {
			t.Errorf("not from the environment: %s", line)
		}
	}
}

func TestTheProviderFillsItsAddress(t *testing.T) {
	for _, test := range []struct{ provider, environ, want string }{
		{"scripted", "", ""},
		{"openai", "LLM_API_KEY=k", "https://api.openai.com/v1"},
		{"anthropic", "LLM_API_KEY=k", "https://api.anthropic.com"},
		{"google", "LLM_API_KEY=k", "https://generativelanguage.googleapis.com"},
		{"openrouter", "LLM_API_KEY=k", "https://openrouter.ai/api/v1"},
		{"ollama", "", "http://127.0.0.1:11434/v1"},
		{"openai", "LLM_BASE_URL=http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"},
	} {
		t.Run(test.provider, func(t *testing.T) {
			c := mustLoad(t, write(t, "llm: {provider: "+test.provider+"}", test.environ))
			if c.LLM.BaseURL != test.want {
				t.Errorf("base URL %q, want %q", c.LLM.BaseURL, test.want)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	_, warnings, err := config.Load(config.Source{Dir: t.TempDir(), Environ: []string{
		"LLM_MODLE=x", "GRPC_PROT=1", "CHAT_SERVICE_ADRESS=a", "LOG_DIR=/var/log", "HOME=/", "STORE_PATHS=y", "MODLE=z", "ROOM_MAXDEPTH=",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Warning{
		"environment variable CHAT_SERVICE_ADRESS sets nothing: did you mean CHAT_SERVICE_ADDRESS?",
		"environment variable GRPC_PROT sets nothing: did you mean GRPC_PORT?",
		"environment variable LLM_MODLE sets nothing: did you mean LLM_MODEL?",
		"environment variable STORE_PATHS sets nothing: did you mean STORE_PATH?",
	}
	if !reflect.DeepEqual(warnings, want) {
		t.Errorf("got  %q\nwant %q", warnings, want)
	}
}

func TestANamedFileHasToExist(t *testing.T) {
	_, _, err := config.Load(config.Source{Path: filepath.Join(t.TempDir(), "no.yaml")})
	if err == nil || !strings.Contains(err.Error(), "no.yaml: there is no such file") {
		t.Errorf("got %v", err)
	}
	if _, _, err := config.Load(config.Source{Path: t.TempDir()}); err == nil {
		t.Error("a folder was read as a file")
	}
}

func TestANamedFileIsRead(t *testing.T) {
	src := write(t, "grpc: {port: 7}")
	c := mustLoad(t, config.Source{Path: filepath.Join(src.Dir, "config.yaml"), Dir: t.TempDir()})
	if c.GRPC.Port != 7 {
		t.Errorf("port %d", c.GRPC.Port)
	}
}

func TestAliasesAreFollowed(t *testing.T) {
	c := mustLoad(t, write(t, "grpc: &here {host: 10.0.0.1}\nchat: *here\nlog: {level: &l debug}\nllm: {model: *l}\n"))
	if c.Chat.Host != "10.0.0.1" || c.LLM.Model != "debug" {
		t.Errorf("got %+v", c)
	}
}
