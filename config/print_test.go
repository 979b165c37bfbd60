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
	src := write(t, "grpc:\n  host: 0.0.0.0\nllm:\n  provider: openrouter\n  model: \"true\"\nstore:\n  path: \"a\\nb\"\n",
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
	got := mustLoad(t, config.Source{Path: path})
	want := config.Default()
	if got.GRPC != want.GRPC || got.LLM != want.LLM || got.Store != want.Store || got.Log != want.Log {
		t.Errorf("the example sets %+v", got)
	}
}

// Every key is explained in one sentence or two, has its own environment variable, and is of a kind Load reads.
func TestEveryKeyIsExplained(t *testing.T) {
	names := make(map[string]string)
	sections := reflect.TypeFor[config.Config]()
	for i := range sections.NumField() {
		section := sections.Field(i)
		if !section.IsExported() {
			continue
		}
		for j := range section.Type.NumField() {
			field := section.Type.Field(j)
			key := section.Tag.Get("key") + "." + field.Tag.Get("key")
			if doc := field.Tag.Get("doc"); len(doc) < 10 || !strings.HasSuffix(doc, ".") || section.Tag.Get("doc") == "" {
				t.Errorf("%s: the tag `doc` has to explain it", key)
			}
			name := strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
			if other, taken := names[name]; taken {
				t.Errorf("%s and %s share %s", key, other, name)
			}
			names[name] = key
		}
	}
}
