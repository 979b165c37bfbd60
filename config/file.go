package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fromFile lists what a YAML file sets, in its order, and everything in it that cannot be meant.
func fromFile(name string, data []byte) ([]setting, []error) {
	root, err := parse(data)
	if err != nil {
		return nil, []error{atLine(name, err)}
	}
	f := file{name: name}
	f.mapping(root, "")
	return f.settings, f.problems
}

// parse returns the top of the only document in data, nil if there is none.
func parse(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, rest yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := dec.Decode(&rest); err == nil {
		return nil, fmt.Errorf("yaml: line %d: a second document starts here: leave one", rest.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// atLine says a YAML error, "yaml: line 7: text", the way the other problems are said.
func atLine(name string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line, rest, ok := strings.Cut(text, ": ")
	if n, numbered := strings.CutPrefix(line, "line "); ok && numbered {
		return fmt.Errorf("%s:%s: %s", name, n, rest)
	}
	return fmt.Errorf("%s: %s", name, text)
}

// A file is one YAML file being read.
type file struct {
	name     string
	settings []setting
	problems []error
}

func (f *file) problem(n *yaml.Node, format string, args ...any) {
	args = append([]any{f.name, n.Line}, args...)
	f.problems = append(f.problems, fmt.Errorf("%s:%d: "+format, args...))
}

// mapping reads the keys below path, which is empty at the top and a section otherwise.
func (f *file) mapping(n *yaml.Node, path string) {
	n = resolve(n)
	switch {
	case n == nil || isNull(n):
		return
	case n.Kind != yaml.MappingNode && path == "":
		f.problem(n, `want sections such as "grpc:" with their keys indented below`)
		return
	case n.Kind != yaml.MappingNode:
		f.problem(n, "%q is a section: write its keys indented below it", path)
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		f.pair(n.Content[i], n.Content[i+1], path, seen)
	}
}

// pair reads one key with what is behind it.
func (f *file) pair(k, v *yaml.Node, path string, seen map[string]int) {
	name := resolve(k)
	if name == nil || name.Kind != yaml.ScalarNode {
		f.problem(k, "a key has to be a word")
		return
	}
	key := join(path, name.Value)
	if first, ok := seen[key]; ok {
		f.problem(k, "%q is set twice: first in line %d", key, first)
		return
	}
	seen[key] = k.Line
	switch {
	case slices.Contains(sections(), key) && inside(key, path):
		f.mapping(v, key)
	case slices.Contains(keys(), key) && inside(key, path):
		f.value(k, v, key)
	default:
		f.unknown(k, key)
	}
}

// inside reports whether a key is one word below path: a whole path is no word.
func inside(key, path string) bool { return !strings.Contains(strings.TrimPrefix(key, path+"."), ".") }

func (f *file) value(k, v *yaml.Node, key string) {
	v = resolve(v)
	switch {
	case v == nil || isNull(v):
		return
	case key == pricesKey && v.Kind == yaml.MappingNode:
		f.prices(k, v)
	case v.Kind != yaml.ScalarNode:
		f.problem(v, "%s: want one value, not a list or a section", key)
	default:
		f.settings = append(f.settings, setting{key: key, text: v.Value, at: origin{file: f.name, line: k.Line}})
	}
}

func (f *file) unknown(k *yaml.Node, key string) {
	if section, name, ok := strings.Cut(resolve(k).Value, "."); ok && slices.Contains(keys(), key) {
		f.problem(k, "unknown key %q: write %q and, indented below it, %q", resolve(k).Value, section+":", name+":")
		return
	}
	var known []string
	for _, section := range sections() {
		if strings.Count(section, ".") == strings.Count(key, ".") {
			known = append(known, section)
		}
	}
	known = append(known, keys()...)
	f.problem(k, "unknown key %s%s", show(key), didYouMean(key, known))
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// resolve follows an alias to what it stands for. An alias never stands for another one.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
