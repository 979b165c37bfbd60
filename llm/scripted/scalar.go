package scripted

import (
	"regexp"

	"go.yaml.in/yaml/v3"
)

// word takes a plain string as it is.
func (p *parser) word(into *string) setter {
	return func(n *yaml.Node, path string) {
		if n.Kind != yaml.ScalarNode || n.Value == "" {
			p.fail(n, path, "want a text")
			return
		}
		*into = n.Value
	}
}

func (p *parser) flag(into *bool) setter {
	return func(n *yaml.Node, path string) {
		if err := n.Decode(into); err != nil {
			p.fail(n, path, "want true or false, not %q", n.Value)
		}
	}
}

func (p *parser) text(n *yaml.Node, path string) text {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		p.fail(n, path, "want a text")
		return nil
	}
	t, err := parseText(n.Value, p.known)
	if err != nil {
		p.fail(n, path, "%w", err)
	}
	return t
}

func (p *parser) regexp(n *yaml.Node, path string) *regexp.Regexp {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		p.fail(n, path, "want a pattern")
		return nil
	}
	re, err := regexp.Compile(n.Value)
	if err != nil {
		p.fail(n, path, "%w", err)
	}
	return re
}

// patterns takes one pattern or a list of them.
func (p *parser) patterns(n *yaml.Node, path string) []*regexp.Regexp {
	var out []*regexp.Regexp
	take := func(n *yaml.Node, path string) {
		if re := p.regexp(n, path); re != nil {
			out = append(out, re)
		}
	}
	if n.Kind == yaml.SequenceNode {
		p.list(n, path, take)
	} else {
		take(n, path)
	}
	return out
}

// tree takes the arguments of a tool call: any YAML that JSON can say, its strings being texts.
func (p *parser) tree(n *yaml.Node, path string) any {
	switch {
	case n.Kind == yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i].Value
			at := path + "." + key
			out[key] = p.tree(p.target(n.Content[i+1], at), at)
		}
		return out
	case n.Kind == yaml.SequenceNode:
		out := []any{}
		p.list(n, path, func(n *yaml.Node, path string) { out = append(out, p.tree(n, path)) })
		return out
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str":
		return p.text(n, path)
	}
	var out any
	if err := n.Decode(&out); err != nil {
		p.fail(n, path, "%w", err)
	}
	return out
}
