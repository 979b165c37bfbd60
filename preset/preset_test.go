package preset_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/preset"
	"parley/room"
)

func TestBuiltin(t *testing.T) {
	list, err := preset.Load("")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range list {
		names = append(names, p.Name)
		if p.File != "" || p.Autopilot.Goal == "" || len(p.Models) < 2 {
			t.Errorf("%s: %+v", p.Name, p)
		}
		for _, m := range p.Models {
			if m.Model != "" || m.Name == "" || m.Title == "" || m.Style == "" || len(m.Persona) < 200 {
				t.Errorf("%s: %s has no name, title, style or persona worth the name, or is tied to a vendor: %+v", p.Name, m.ID, m)
			}
		}
	}
	if want := []string{"architecture-review", "product-council", "safety-council", "writing-pair"}; !slices.Equal(names, want) {
		t.Errorf("built in are %v, want %v", names, want)
	}
}

// A room takes each preset, and its models can be mentioned.
func TestRoomsTakeThem(t *testing.T) {
	list, err := preset.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		_, err := room.New("r", room.DefaultRules()).Decide(room.Meta{At: time.Unix(1, 0), By: room.PersonIdentity("maja")}, room.Create{
			Epoch: "e", Name: p.Title, Description: p.Description, Models: p.Models, Policy: p.Policy,
		})
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		for _, m := range p.Models {
			if got := room.Mentions("@"+m.Name+", go on", p.Models, true); !slices.Equal(got, []room.ModelID{m.ID}) {
				t.Errorf("%s: @%s mentions %v", p.Name, m.Name, got)
			}
		}
	}
}

const mine = `
title: Mine
description: Ours.
models:
  - {id: a, name: Ann, persona: You are Ann., model: openai/gpt-x}
  - {id: b, persona: You are b., style: bullet}
autopilot: {goal: Get on., mode: debate, lead: b, turns: 5}
policy:
  model_polls: true
  total: {dollars: 12, tokens: 1000}
  day: {dollars: 0.000000001}
`

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOwnPresets(t *testing.T) {
	dir := folder(t, map[string]string{"mine.yaml": mine, "writing-pair.yml": mine, "notes.txt": "x"})
	list, err := preset.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 5 {
		t.Errorf("there are %d presets", len(list))
	}
	got, err := preset.Find(list, "mine")
	if err != nil {
		t.Fatal(err)
	}
	if got.Title != "Mine" || got.File != filepath.Join(dir, "mine.yaml") || got.Models[0].Model != "openai/gpt-x" ||
		got.Models[1].Style != room.Bullet || got.Autopilot != (preset.Autopilot{Goal: "Get on.", Mode: room.Debate, Lead: "b", Turns: 5}) {
		t.Errorf("got %+v", got)
	}
	want := room.Policy{ModelPolls: true, Total: room.Allowance{Cost: 12 * room.Dollar, Tokens: 1000}, Day: room.Allowance{Cost: 1}}
	if got.Policy != want {
		t.Errorf("policy %+v, want %+v", got.Policy, want)
	}
	if pair, err := preset.Find(list, "writing-pair"); err != nil || pair.Title != "Mine" {
		t.Errorf("a file of one's own does not replace what is built in: %+v, %v", pair, err)
	}
	if _, err := preset.Find(list, "minne"); err == nil || !strings.Contains(err.Error(), "use one of architecture-review, mine, ") {
		t.Errorf("not found: %v", err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	dir := folder(t, map[string]string{
		"Big Name.yaml": mine,
		"empty.yaml":    "",
		"twice.yaml":    mine, "twice.yml": mine,
		"bad.yaml": `title: Bad
colour: red
models:
  - {id: a, persona: x, style: loud}
  - {id: a, persona: x}
  - {name: y}
autopilot:
  goal: ""
  mode: chess
  lead: z
  turns: 0
policy:
  model_polls: perhaps
  day: {dollars: 1e9, tokens: many}
`,
		"seat.yaml": "title: Seats\ndescription: d\nmodels:\n  - {id: a b, persona: x}\n",
		"none.yaml": "title: T\ntitle: T\ndescription: d\nmodels: []\n",
		"yaml.yaml": "a: [",
	})
	_, err := preset.Load(dir)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"Big Name.yaml: a preset is called by its file: use small letters",
		"empty.yaml: it is empty: give it a title and models",
		"twice.yml: there is another file for the preset twice: remove one of them",
		"bad.yaml:2: colour: there is no such field: use one of autopilot, description, models, policy, title",
		"bad.yaml:1: description: it is missing: add it",
		`bad.yaml:4: models[0].style: "loud" is none of [conversational detailed bullet]`,
		`bad.yaml:5: models[1].id: another model is called "a": give this one another id`,
		"bad.yaml:6: models[2].id: it is missing: add it",
		"bad.yaml:8: autopilot.goal: want a text",
		`bad.yaml:9: autopilot.mode: "chess" is none of [round_robin leader debate relay consensus]`,
		`bad.yaml:10: autopilot.lead: "z" is none of the models: use the id of one of them`,
		`bad.yaml:11: autopilot.turns: want a number of at least 1, not "0"`,
		`bad.yaml:13: policy.model_polls: want true or false, not "perhaps"`,
		`bad.yaml:14: policy.day.dollars: want an amount in US dollars such as 0.50, not "1e9"`,
		`bad.yaml:14: policy.day.tokens: want a number of at least 1, not "many"`,
		`seat.yaml:1: preset: model id "a b": use 1 to 64 letters`,
		"none.yaml:2: title: it is given twice: remove one",
		"none.yaml:4: models: want a list with one model at least",
		"yaml.yaml: yaml: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if _, err := preset.Load(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a missing folder is no error")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(mine)
	f.Add("models: [1, {id: [x]}]")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := preset.Parse("x.yaml", "x", []byte(text)); err == nil && (p.Title == "" || len(p.Models) == 0) {
			t.Errorf("%q: %+v", text, p)
		}
	})
}
