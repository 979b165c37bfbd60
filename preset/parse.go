package preset

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"parley/room"
)

// Parse reads one preset; file stands before the line numbers of its errors.
func Parse(file, name string, data []byte) (Preset, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return Preset{}, fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Content) == 0 {
		return Preset{}, fmt.Errorf("%s: it is empty: give it a title and models", file)
	}
	p := parser{file: file}
	out := Preset{Name: name}
	p.preset(doc.Content[0], &out)
	if err := errors.Join(p.errs...); err != nil {
		return Preset{}, err
	}
	return out, nil
}

// A parser walks the YAML tree and collects everything that is wrong with it.
type parser struct {
	file string
	errs []error
}

func (p *parser) fail(n *yaml.Node, path, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s:%d: %s: %s", p.file, n.Line, path, fmt.Sprintf(format, args...)))
}

// A setter takes the value of one field.
type setter func(n *yaml.Node, path string)

// object hands each field to its setter and fails for those that are missing.
func (p *parser) object(n *yaml.Node, path string, fields map[string]setter, required ...string) {
	within := "preset"
	if path != "" {
		within = path
	}
	if n.Kind != yaml.MappingNode {
		p.fail(n, within, "want fields (%s)", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		return
	}
	seen := make(map[string]bool)
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		set, ok := fields[key.Value]
		switch {
		case !ok:
			p.fail(key, at, "there is no such field: use one of %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		case seen[key.Value]:
			p.fail(key, at, "it is given twice: remove one")
		default:
			set(value, at)
		}
		seen[key.Value] = true
	}
	for _, name := range required {
		if !seen[name] {
			p.fail(n, strings.TrimPrefix(path+"."+name, "."), "it is missing: add it")
		}
	}
}

func (p *parser) preset(n *yaml.Node, out *Preset) {
	var models, autopilot *yaml.Node
	p.object(n, "", map[string]setter{
		"title":       text(p, &out.Title),
		"description": text(p, &out.Description),
		"models":      func(n *yaml.Node, _ string) { models = n },
		"autopilot":   func(n *yaml.Node, _ string) { autopilot = n },
		"policy":      func(n *yaml.Node, path string) { p.policy(n, path, &out.Policy) },
	}, "title", "description", "models")
	if models != nil {
		p.models(models, out)
	}
	if autopilot != nil {
		p.autopilot(autopilot, "autopilot", out)
	}
	if len(p.errs) == 0 {
		p.room(n, out)
	}
}

func (p *parser) models(n *yaml.Node, out *Preset) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.fail(n, "models", "want a list with one model at least")
		return
	}
	for i, item := range n.Content {
		var m room.Model
		path := fmt.Sprintf("models[%d]", i)
		p.object(item, path, map[string]setter{
			"id":      text(p, &m.ID),
			"name":    text(p, &m.Name),
			"title":   text(p, &m.Title),
			"persona": text(p, &m.Persona),
			"avatar":  text(p, &m.Avatar),
			"model":   text(p, &m.Model),
			"style":   among(p, &m.Style, room.Conversational, room.Detailed, room.Bullet),
		}, "id", "persona")
		if slices.ContainsFunc(out.Models, func(o room.Model) bool { return o.ID == m.ID }) {
			p.fail(item, path+".id", "another model is called %q: give this one another id", m.ID)
		}
		out.Models = append(out.Models, m)
	}
}

func (p *parser) autopilot(n *yaml.Node, path string, out *Preset) {
	a := &out.Autopilot
	p.object(n, path, map[string]setter{
		"goal":  text(p, &a.Goal),
		"turns": p.count(&a.Turns),
		"mode":  among(p, &a.Mode, room.RoundRobin, room.Leader, room.Debate, room.Relay, room.Consensus),
		"lead": func(n *yaml.Node, path string) {
			text(p, &a.Lead)(n, path)
			if !slices.ContainsFunc(out.Models, func(m room.Model) bool { return m.ID == a.Lead }) {
				p.fail(n, path, "%q is none of the models: use the id of one of them", a.Lead)
			}
		},
	}, "goal", "mode")
}

func (p *parser) policy(n *yaml.Node, path string, out *room.Policy) {
	p.object(n, path, map[string]setter{
		"model_polls": p.flag(&out.ModelPolls),
		"total":       func(n *yaml.Node, path string) { p.allowance(n, path, &out.Total) },
		"day":         func(n *yaml.Node, path string) { p.allowance(n, path, &out.Day) },
	})
}

func (p *parser) allowance(n *yaml.Node, path string, out *room.Allowance) {
	p.object(n, path, map[string]setter{"dollars": p.dollars(&out.Cost), "tokens": p.count(&out.Tokens)})
}

// room has the domain itself say whether there can be such a room.
func (p *parser) room(n *yaml.Node, out *Preset) {
	_, err := room.New("preset", room.DefaultRules()).Decide(room.Meta{By: room.System}, room.Create{
		Epoch: "preset", Name: out.Title, Description: out.Description, Models: out.Models, Policy: out.Policy,
	})
	if err != nil {
		p.fail(n, "preset", "%s", err)
	}
}

// text takes a string as it is, without the white space around it.
func text[T ~string](p *parser, into *T) setter {
	return func(n *yaml.Node, path string) {
		value := strings.TrimSpace(n.Value)
		if n.Kind != yaml.ScalarNode || value == "" {
			p.fail(n, path, "want a text")
			return
		}
		*into = T(value)
	}
}

// among takes one of the values.
func among[T ~string](p *parser, into *T, values ...T) setter {
	return func(n *yaml.Node, path string) {
		if *into = T(n.Value); !slices.Contains(values, *into) {
			p.fail(n, path, "%q is none of %v", n.Value, values)
		}
	}
}

func (p *parser) flag(into *bool) setter {
	return func(n *yaml.Node, path string) {
		if n.Decode(into) != nil {
			p.fail(n, path, "want true or false, not %q", n.Value)
		}
	}
}

func (p *parser) count(into *int) setter {
	return func(n *yaml.Node, path string) {
		var err error
		if *into, err = strconv.Atoi(n.Value); err != nil || *into < 1 {
			p.fail(n, path, "want a number of at least 1, not %q", n.Value)
		}
	}
}

// dollars reads money exactly: 0.5, 12, 0.000375.
func (p *parser) dollars(into *room.Cost) setter {
	return func(n *yaml.Node, path string) {
		amount, ok := new(big.Rat).SetString(n.Value)
		if ok {
			amount.Mul(amount, big.NewRat(int64(room.Dollar), 1))
		}
		if !ok || strings.ContainsAny(n.Value, "/eE") || amount.Sign() <= 0 || !amount.IsInt() || !amount.Num().IsInt64() {
			p.fail(n, path, "want an amount in US dollars such as 0.50, not %q", n.Value)
			return
		}
		*into = room.Cost(amount.Num().Int64())
	}
}
