package room

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// What random tests draw: few people and models, so that they meet, and texts that have been trouble somewhere.

func anyActor() *rapid.Generator[Identity] {
	return rapid.SampledFrom([]Identity{
		PersonIdentity("ada"), PersonIdentity("ada"), PersonIdentity("bob"), PersonIdentity("eve"), PersonIdentity("zoe"),
		ModelIdentity("claude"), ModelIdentity("claude"), ModelIdentity("gpt-4"), ModelIdentity("max"), System,
		"", "person/", "person/no id", "model/", "someone", "\xff",
	})
}

// anyText is a few fragments.
func anyText() *rapid.Generator[string] {
	fragment := rapid.SampledFrom([]string{
		"hello", " ", "@claude", "@Claude", "@gpt_4", "@GPT 4", "@gpt-4", "@max", "@all", "@everyone", "@", "you@claude.ai",
		"claude", "\n", "\x00", "\xff", "\u2028", "<&>", `"\`, "克劳德", "@克劳德", "İ", "ſ", "é", "e\u0301", "👩🏽‍🚀", ".", "-", "_", "'s",
		strings.Repeat("x", 79), "\ufffd",
	})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(fragment, 0, 4).Draw(t, "text"), "")
	})
}

func anyModelID() *rapid.Generator[ModelID] {
	return rapid.Custom(func(t *rapid.T) ModelID {
		if rapid.IntRange(0, 5).Draw(t, "odd") == 0 {
			return ModelID(anyText().Draw(t, "id"))
		}
		return rapid.SampledFrom([]ModelID{"claude", "gpt-4", "max", ""}).Draw(t, "id")
	})
}

// anyOffset is mostly that of a running reply, if there is one.
func anyOffset(s *State) *rapid.Generator[Offset] {
	return rapid.Custom(func(t *rapid.T) Offset {
		if running := s.Running(); len(running) > 0 && rapid.IntRange(0, 9).Draw(t, "running") > 0 {
			return rapid.SampledFrom(running).Draw(t, "reply").Reply.ID
		}
		return Offset(rapid.Uint64Range(0, uint64(s.Head())+2).Draw(t, "offset"))
	})
}

func anyModel() *rapid.Generator[Model] {
	return rapid.Custom(func(t *rapid.T) Model {
		return Model{
			ID: anyModelID().Draw(t, "id"), Name: anyText().Draw(t, "name"), Persona: anyText().Draw(t, "persona"),
			Style: rapid.SampledFrom([]Style{"", Bullet, "loud"}).Draw(t, "style"), Model: anyText().Draw(t, "model"),
		}
	})
}

func maybe[T any](t *rapid.T, g *rapid.Generator[T]) *T {
	if rapid.Bool().Draw(t, "given") {
		return new(g.Draw(t, "value"))
	}
	return nil
}

func anyCommand(s *State) *rapid.Generator[Command] {
	return rapid.Custom(func(t *rapid.T) Command {
		text, id := anyText().Draw(t, "text"), anyOffset(s).Draw(t, "id")
		model := anyModelID().Draw(t, "model")
		role := rapid.SampledFrom([]Role{Admin, Member, Viewer, "", "emperor"}).Draw(t, "role")
		asked := rapid.SliceOfN(anyModelID(), 0, 2).Draw(t, "asked")
		commands := []func() Command{
			func() Command { return Create{Name: text, Models: []Model{{ID: model}}} },
			func() Command {
				return Describe{Description: maybe(t, anyText()), Visibility: maybe(t, rapid.SampledFrom([]Visibility{Public, Private, "secret"}))}
			},
			func() Command { return Join{Name: text, Title: anyText().Draw(t, "title"), Role: role} },
			func() Command { return Join{Name: "Somebody", Role: role} },
			func() Command { return Leave{} },
			func() Command {
				return SetRole{rapid.SampledFrom([]PersonID{"ada", "bob", "eve", "zoe", "nobody"}).Draw(t, "person"), role}
			},
			func() Command { return AddModel{anyModel().Draw(t, "new")} },
			func() Command { return UpdateModel{ID: model, Name: maybe(t, anyText()), Persona: maybe(t, anyText())} },
			func() Command { return RemoveModel{model} },
			func() Command { return PostMessage{Text: text, ReplyTo: id} },
			func() Command { return PostMessage{Text: "@all " + text, Hints: []string{text, string(model)}} },
			func() Command { return InterruptReply{Model: model, Reply: id} },
			func() Command { return InterruptReply{Model: model} },
			func() Command { return CompleteReply{Reply: id, Text: text, Mentions: asked, Served: text} },
			func() Command { return CompleteReply{Reply: id, Text: "@max " + text, Usage: Usage{Input: 7}} },
			func() Command { return FailReply{Reply: id, Text: text, Reason: text} },
			func() Command { return DeclineReply{Reply: id, Reason: text} },
			func() Command { return ResumeReply{id} },
			func() Command {
				return SetPolicy{Policy{Total: anyAllowance().Draw(t, "total"), Day: anyAllowance().Draw(t, "day")}}
			},
			func() Command { return RecordUsage{Reply: id, Served: text, Usage: anyUsage().Draw(t, "usage")} },
			func() Command {
				return RequestSummary{Upto: Offset(rapid.Uint64Range(0, uint64(s.Head())+2).Draw(t, "upto"))}
			},
			func() Command {
				return CompleteSummary{anySummary(s).Draw(t, "summary"), text, text, anyUsage().Draw(t, "usage")}
			},
			func() Command {
				return FailSummary{anySummary(s).Draw(t, "summary"), text, "served", anyUsage().Draw(t, "usage")}
			},
			func() Command { return ResumeSummary{anySummary(s).Draw(t, "summary")} },
			func() Command { return Tick{} },
			func() Command { return anyAutopilotCommand(s, id).Draw(t, "steer") },
			func() Command { return CompleteReply{Reply: id, Text: text, Finish: &Finish{Summary: text}} },
			func() Command { return CompleteReply{Reply: id, Ask: &Ask{text, []Option{{Text: "a"}, {Text: "b"}}}} },
		}
		commands = append(commands, pollCommands(t, s, text)...)
		return rapid.SampledFrom(commands).Draw(t, "which")()
	})
}

func anyAutopilotCommand(s *State, id Offset) *rapid.Generator[Command] {
	return rapid.Custom(func(t *rapid.T) Command {
		if a := s.View(System, 0).Autopilot; a != nil && rapid.IntRange(0, 9).Draw(t, "known") > 0 {
			id = a.ID
		}
		text := anyText().Draw(t, "goal")
		commands := []func() Command{
			func() Command {
				return StartAutopilot{
					Goal: text, Mode: rapid.SampledFrom([]Mode{RoundRobin, Leader, Debate, Relay, Consensus, "", "other"}).Draw(t, "mode"),
					Models: rapid.SliceOfN(anyModelID(), 0, 3).Draw(t, "models"), Turns: rapid.IntRange(-1, 201).Draw(t, "turns"),
					Lead:  rapid.SampledFrom([]ModelID{"", "", "claude"}).Draw(t, "lead"),
					Limit: Cost(rapid.IntRange(-1, 9).Draw(t, "limit")),
				}
			},
			func() Command {
				return StartAutopilot{Goal: "a plan", Mode: rapid.SampledFrom([]Mode{RoundRobin, Leader, Debate, Relay, Consensus}).Draw(t, "mode")}
			},
			func() Command { return PauseAutopilot{id} },
			func() Command { return ResumeAutopilot{id} },
			func() Command { return GuideAutopilot{id, text} },
			func() Command { return StopAutopilot{id} },
		}
		return rapid.SampledFrom(commands).Draw(t, "which")()
	})
}

func anyAllowance() *rapid.Generator[Allowance] {
	return rapid.Custom(func(t *rapid.T) Allowance {
		return Allowance{rapid.SampledFrom([]Cost{0, 0, 1, Dollar, -1}).Draw(t, "cost"), rapid.SampledFrom([]int{0, 0, 1, 1000, -1}).Draw(t, "tokens")}
	})
}

func anyUsage() *rapid.Generator[Usage] {
	return rapid.Custom(func(t *rapid.T) Usage {
		return Usage{rapid.IntRange(-1, 500).Draw(t, "input"), rapid.Int().Draw(t, "output"), Cost(rapid.Int64().Draw(t, "cost")), rapid.Bool().Draw(t, "unpriced")}
	})
}

// anySummary is mostly the one under way, if there is one.
func anySummary(s *State) *rapid.Generator[Offset] {
	return rapid.Custom(func(t *rapid.T) Offset {
		if job, ok := s.summary.job(); ok && rapid.IntRange(0, 9).Draw(t, "under way") > 0 {
			return job.(SummaryJob).Summary
		}
		return Offset(rapid.Uint64Range(0, uint64(s.Head())+2).Draw(t, "offset"))
	})
}

// anyEvent is an event as another version may have written it.
func anyEvent() *rapid.Generator[Event] {
	names, _ := filledEvents()
	return rapid.Custom(func(t *rapid.T) Event {
		kind := rapid.SampledFrom(names).Draw(t, "kind")
		if rapid.IntRange(0, 15).Draw(t, "unknown") == 0 {
			return Unknown{Kind: "later_" + kind, Data: json.RawMessage(`{"name":"x"}`)}
		}
		v := reflect.New(kinds[kind]).Elem()
		drawInto(t, v)
		return v.Interface().(Event)
	})
}

// drawInto fills v with what the log can hold.
func drawInto(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[ModelID]() {
			v.SetString(valid(string(anyModelID().Draw(t, "id"))))
			return
		}
		v.SetString(valid(anyText().Draw(t, "text")))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(rapid.IntRange(-1, 1<<40).Draw(t, "int")))
	case reflect.Uint64:
		v.SetUint(rapid.OneOf(rapid.Uint64Range(0, 40), rapid.Uint64()).Draw(t, "uint"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Slice:
		if n := rapid.IntRange(0, 2).Draw(t, "len"); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for i := range v.Len() {
			drawInto(t, v.Index(i))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "given") {
			v.Set(reflect.New(v.Type().Elem()))
			drawInto(t, v.Elem())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(morning.Add(time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "time")))))
			return
		}
		for i := range v.NumField() {
			drawInto(t, v.Field(i))
		}
	default:
		t.Fatalf("cannot draw %s", v.Type())
	}
}
