package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"parley/config"
)

const hidden = "sk-hidden"

// prints are the ways a value leaves a program.
func prints(t *testing.T, v any) string {
	t.Helper()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t", "%z", "%w"} {
		fmt.Fprintf(&out, verb+"\n", v)
	}
	fmt.Fprintln(&out, v)
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		data, err := marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(data)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", v)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "value", v)
	return out.String()
}

func TestNothingPrintsASecret(t *testing.T) {
	s := config.NewSecret(hidden)
	c := config.Default()
	c.LLM.APIKey = s
	for name, v := range map[string]any{
		"the secret": s, "its address": &s, "a list": []config.Secret{s}, "a config": c, "the address of a config": &c,
		"a field that is not exported": struct{ inner config.Config }{c},
	} {
		if out := prints(t, v); strings.Contains(out, hidden) || strings.Contains(out, fmt.Sprintf("%x", hidden)) {
			t.Errorf("%s prints it:\n%s", name, out)
		}
	}
	if s.Reveal() != hidden || !s.IsSet() || fmt.Sprint(s) != "[set]" {
		t.Errorf("%v holds %q", s, s.Reveal())
	}
}

func TestAnEmptySecret(t *testing.T) {
	for _, s := range []config.Secret{{}, config.NewSecret("")} {
		if s.IsSet() || s.Reveal() != "" || s.String() != "[empty]" {
			t.Errorf("%v holds %q", s, s.Reveal())
		}
	}
}

func TestNoProblemTellsASecret(t *testing.T) {
	for _, yaml := range []string{
		"llm: " + hidden + "\n",
		"llm: {api_key: [" + hidden + "]}\n",
		"llm: {api_key: {" + hidden + ": 1}}\n",
		"llm: {api_key: " + hidden + ", base_url: \"http://me:" + hidden + "@host/v1\"}\n",
		"llm: {api_key: " + hidden + ", base_url: \"http://me:" + hidden + "@host:x/v1\"}\n",
		"llm: {api_key: " + hidden + "\n",
	} {
		c, _, err := config.Load(write(t, yaml))
		if err == nil || strings.Contains(err.Error(), hidden) {
			t.Errorf("%q: %v", yaml, err)
		}
		var out bytes.Buffer
		if err := c.Print(&out); err != nil || strings.Contains(out.String(), hidden) {
			t.Errorf("%q prints %v\n%s", yaml, err, &out)
		}
	}
}
