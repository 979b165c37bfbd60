package scripted

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// A text is literal pieces and names to fill in, in turn.
type text []piece

type piece struct {
	literal  string
	name     string // empty for a literal
	fallback string // for a name that is not known
	has      bool   // there is a fallback
}

// slots are {name}, {1} and {name|fallback}; other braces are themselves.
var slots = regexp.MustCompile(`\\\{|\{([a-z][a-z_]*|\d)(\|[^{}\n]*)?\}`)

// parseText splits s and refuses names that known does not have.
func parseText(s string, known map[string]bool) (text, error) {
	var t text
	from := 0
	for _, at := range slots.FindAllStringSubmatchIndex(s, -1) {
		t = append(t, piece{literal: s[from:at[0]]})
		from = at[1]
		if at[2] < 0 {
			t = append(t, piece{literal: "{"})
			continue
		}
		p := piece{name: s[at[2]:at[3]]}
		if !known[p.name] {
			return nil, fmt.Errorf("{%s} is not known here (write \\{ for a brace)", p.name)
		}
		if at[4] >= 0 {
			p.fallback, p.has = s[at[4]+1:at[5]], true
		}
		t = append(t, p)
	}
	return append(t, piece{literal: s[from:]}), nil
}

// fill writes t with values and reports whether all of it was known.
func (t text) fill(values map[string]string) (string, bool) {
	var b strings.Builder
	for _, p := range t {
		switch value := values[p.name]; {
		case p.name == "":
			b.WriteString(p.literal)
		case value != "":
			b.WriteString(value)
		case p.has:
			b.WriteString(p.fallback)
		default:
			return "", false
		}
	}
	return b.String(), true
}

// fillJSON writes the arguments of a tool call as JSON.
func fillJSON(arguments any, values map[string]string) (string, bool) {
	filled, ok := fillTree(arguments, values)
	if !ok {
		return "", false
	}
	out, err := json.Marshal(filled)
	return string(out), err == nil
}

func fillTree(node any, values map[string]string) (any, bool) {
	switch n := node.(type) {
	case text:
		return n.fill(values)
	case []any:
		out := make([]any, len(n))
		for i, item := range n {
			filled, ok := fillTree(item, values)
			if !ok {
				return nil, false
			}
			out[i] = filled
		}
		return out, true
	case map[string]any:
		out := make(map[string]any, len(n))
		for key, item := range n {
			filled, ok := fillTree(item, values)
			if !ok {
				return nil, false
			}
			out[key] = filled
		}
		return out, true
	}
	return node, true
}

// split cuts an answer into words that join to it again: each keeps the white space that follows it.
func split(s string) []string {
	var out []string
	from, space := 0, false
	for i, r := range s {
		blank := r == ' ' || r == '\n' || r == '\t'
		if space && !blank {
			out = append(out, s[from:i])
			from = i
		}
		space = blank && i > 0
	}
	if from < len(s) {
		out = append(out, s[from:])
	}
	return out
}
