package scripted

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"parley/llm"
)

// Parse reads a script; name stands before the line numbers of its errors.
func Parse(name string, data []byte) (*Script, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := parser{file: name, known: map[string]bool{}}
	for _, n := range builtin {
		p.known[n] = true
	}
	s := &Script{name: strings.TrimSuffix(name, ".yaml")}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s: the script is empty", name)
	}
	p.script(doc.Content[0], s)
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// A parser walks the YAML tree and collects everything that is wrong with it.
type parser struct {
	file  string
	known map[string]bool // names that a text may use
	errs  []error
}

func (p *parser) fail(n *yaml.Node, path, format string, args ...any) {
	if path == "" {
		path = "script"
	}
	p.errs = append(p.errs, fmt.Errorf("%s:%d: %s: %w", p.file, n.Line, path, fmt.Errorf(format, args...)))
}

// A setter takes the value of one field.
type setter func(n *yaml.Node, path string)

func (p *parser) object(n *yaml.Node, path string, fields map[string]setter) {
	if n.Kind != yaml.MappingNode {
		p.fail(n, path, "want fields (%s)", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		set, ok := fields[key.Value]
		switch {
		case !ok:
			p.fail(key, at, "no such field, there are %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		case seen[key.Value]:
			p.fail(key, at, "given twice")
		default:
			set(p.target(value, at), at)
		}
		seen[key.Value] = true
	}
}

// target follows an alias to a text; one to anything larger could contain itself.
func (p *parser) target(n *yaml.Node, path string) *yaml.Node {
	if n.Kind != yaml.AliasNode {
		return n
	}
	if n.Alias.Kind != yaml.ScalarNode {
		p.fail(n, path, "an alias can only stand for a text")
		return &yaml.Node{Kind: yaml.ScalarNode, Line: n.Line}
	}
	return n.Alias
}

func (p *parser) list(n *yaml.Node, path string, each setter) {
	if n.Kind != yaml.SequenceNode {
		p.fail(n, path, "want a list")
		return
	}
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		each(p.target(item, at), at)
	}
}

func (p *parser) script(n *yaml.Node, s *Script) {
	var rules *yaml.Node
	p.object(n, "", map[string]setter{
		"name":  p.word(&s.name),
		"pace":  p.pace(&s.pace),
		"facts": func(n *yaml.Node, path string) { s.facts = p.facts(n, path) },
		"rules": func(n *yaml.Node, _ string) { rules = n },
	})
	if rules == nil {
		p.fail(n, "rules", "missing")
		return
	}
	// The texts of the rules may use facts and fall back on the script's pace, wherever these stand in the file.
	p.list(rules, "rules", func(n *yaml.Node, path string) { s.rules = append(s.rules, p.rule(n, path, s.pace)) })
}

func (p *parser) facts(n *yaml.Node, path string) []fact {
	if n.Kind != yaml.MappingNode {
		p.fail(n, path, "want name: pattern")
		return nil
	}
	var out []fact
	for i := 0; i < len(n.Content); i += 2 {
		name, at := n.Content[i].Value, path+"."+n.Content[i].Value
		pattern := p.regexp(p.target(n.Content[i+1], at), at)
		if pattern == nil {
			continue
		}
		if pattern.NumSubexp() != 1 {
			p.fail(n.Content[i+1], at, "want exactly one group, there are %d", pattern.NumSubexp())
		}
		p.known[name] = true
		out = append(out, fact{name, pattern})
	}
	return out
}

func (p *parser) rule(n *yaml.Node, path string, base pace) rule {
	r, own := rule{}, base
	var replies *yaml.Node
	p.object(n, path, map[string]setter{
		"name":      p.word(&r.name),
		"match":     func(n *yaml.Node, path string) { r.patterns = p.patterns(n, path) },
		"result_of": p.word(&r.resultOf),
		"system":    func(n *yaml.Node, path string) { r.system = p.regexp(n, path) },
		"spread":    p.flag(&r.spread),
		"pace":      p.pace(&own),
		"replies":   func(n *yaml.Node, _ string) { replies = n },
	})
	if replies == nil || len(replies.Content) == 0 {
		p.fail(n, path+".replies", "missing")
		return r
	}
	if r.resultOf != "" && r.patterns != nil {
		p.fail(n, path, "match and result_of exclude each other")
	}
	inner := p.within(r.patterns)
	inner.list(replies, path+".replies", func(n *yaml.Node, path string) {
		r.replies = append(r.replies, inner.reply(n, path, own))
	})
	p.errs = inner.errs
	return r
}

// within is p with the names of the groups of patterns. A text may use what only one of them has: it is passed over
// when another one matched.
func (p *parser) within(patterns []*regexp.Regexp) *parser {
	inner := &parser{file: p.file, known: maps.Clone(p.known), errs: p.errs}
	for _, pattern := range patterns {
		for i, name := range pattern.SubexpNames() {
			if i > 0 {
				inner.known[strconv.Itoa(i)] = true
				inner.known[name] = true
			}
		}
	}
	return inner
}

func (p *parser) reply(n *yaml.Node, path string, base pace) reply {
	r := reply{pace: base}
	if n.Kind == yaml.ScalarNode {
		r.text = p.text(n, path)
		return r
	}
	p.object(n, path, map[string]setter{
		"text":       func(n *yaml.Node, path string) { r.text = p.text(n, path) },
		"reasoning":  func(n *yaml.Node, path string) { r.reasoning = p.text(n, path) },
		"tool_calls": func(n *yaml.Node, path string) { r.calls = p.calls(n, path) },
		"opt_out":    p.flag(&r.optOut),
		"error":      func(n *yaml.Node, path string) { r.fail = p.failure(n, path) },
		"pace":       p.pace(&r.pace),
	})
	if r.text == nil && r.calls == nil && r.fail == nil && !r.optOut {
		p.fail(n, path, "says nothing: give it a text, tool_calls, opt_out or an error")
	}
	return r
}

func (p *parser) calls(n *yaml.Node, path string) []call {
	var out []call
	p.list(n, path, func(n *yaml.Node, path string) {
		c := call{arguments: map[string]any{}}
		p.object(n, path, map[string]setter{
			"name":      p.word(&c.name),
			"arguments": func(n *yaml.Node, path string) { c.arguments = p.tree(n, path) },
		})
		if c.name == "" {
			p.fail(n, path+".name", "missing")
		}
		out = append(out, c)
	})
	return out
}

var kinds = []llm.Kind{llm.Invalid, llm.Denied, llm.Overloaded, llm.Unavailable, llm.Broken}

func (p *parser) failure(n *yaml.Node, path string) *failure {
	f := &failure{kind: llm.Unavailable, text: "the script wants an error here"}
	kind := string(f.kind)
	p.object(n, path, map[string]setter{
		"kind":        p.word(&kind),
		"text":        p.word(&f.text),
		"retry_after": p.duration(&f.retryAfter),
	})
	f.kind = llm.Kind(kind)
	if !slices.Contains(kinds, f.kind) {
		p.fail(n, path+".kind", "%q is none of %v", kind, kinds)
	}
	return f
}

func (p *parser) pace(into *pace) setter {
	return func(n *yaml.Node, path string) {
		p.object(n, path, map[string]setter{"first": p.duration(&into.first), "word": p.duration(&into.word)})
	}
}

func (p *parser) duration(into *time.Duration) setter {
	return func(n *yaml.Node, path string) {
		d, err := time.ParseDuration(n.Value)
		if err != nil || d < 0 {
			p.fail(n, path, "want a duration such as 300ms, not %q", n.Value)
			return
		}
		*into = d
	}
}
