package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"parley/config"
)

// golden compares got with a file, or writes the file with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs: look at what `go test ./config -update` changes in it\n%s", path, got)
	}
}

func TestPrint(t *testing.T) {
	src := write(t, "grpc:\n  host: 0.0.0.0\nllm:\n  provider: openrouter\n  model: \"true\"\nstore:\n  path: \"a\\nb\"\n"+
		"prices:\n  models:\n    openai/gpt-x*: {input: 0.150, output: 3, cached: \"0.0375\"}\n    b: {input: 1, output: 2}\n",
		"LLM_API_KEY="+hidden, "LIMITS_SLOW_AFTER=60m")
	var out bytes.Buffer
	if err := mustLoad(t, src).Print(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "print.golden"), strings.ReplaceAll(out.String(), src.Dir+string(filepath.Separator), ""))
}

func TestTheExampleListsEveryKeyAtItsDefault(t *testing.T) {
	path := filepath.Join("..", "config.example.yaml")
	var out bytes.Buffer
	if err := config.Example(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, path, out.String())
	for _, line := range strings.Split(out.String(), "\n") {
		if sample, ok := strings.CutPrefix(line, "  #   "); ok { // what is shown as an example is one
			if c := mustLoad(t, write(t, "prices:\n  models:\n    "+sample+"\n")); len(c.Prices.Models) != 1 {
				t.Errorf("%q sets %v", sample, c.Prices.Models)
			}
		}
	}
	got := mustLoad(t, config.Source{Path: path})
	want := config.Default()
	if got.GRPC != want.GRPC || got.LLM != want.LLM || got.Store != want.Store || got.Log != want.Log || got.Providers != want.Providers || len(got.Prices.Models) > 0 {
		t.Errorf("the example sets %+v", got)
	}
}

// Every key is explained in one sentence or two, has its own environment variable, and is of a kind Load reads.
func TestEveryKeyIsExplained(t *testing.T) {
	names := make(map[string]string)
	var explain func(section reflect.Type, path string)
	explain = func(section reflect.Type, path string) {
		for field := range section.Fields() {
			word, ok := field.Tag.Lookup("key")
			if !ok {
				continue
			}
			key := path + word
			if doc := field.Tag.Get("doc"); len(doc) < 10 || !strings.HasSuffix(doc, ".") {
				t.Errorf("%s: the tag `doc` has to explain it", key)
			}
			if field.Type.Kind() == reflect.Struct && field.Type != reflect.TypeFor[config.Secret]() {
				explain(field.Type, key+".")
				continue
			}
			name := strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
			if other, taken := names[name]; taken {
				t.Errorf("%s and %s share %s", key, other, name)
			}
			names[name] = key
		}
	}
	explain(reflect.TypeFor[config.Config](), "")
	if len(names) < 30 {
		t.Errorf("found %d keys only", len(names))
	}
}
