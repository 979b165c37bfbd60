package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"
)

// Print writes every key with its value and where that comes from, one a line. Secrets are only said to be there.
func (c Config) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for l := range c.leaves() {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%v\n", l.key, l.text(), c.origins[l.key])
	}
	return table.Flush()
}

// text is the value as YAML has it, in one line.
func (l leaf) text() string {
	if s, ok := l.value.Interface().(Secret); ok {
		return s.String()
	}
	if strings.HasSuffix(l.key, "_url") && strings.Contains(l.value.String(), "@") {
		return "[holds a password]"
	}
	return scalar(l.value)
}

// short writes a duration without the zeros at its end: 1m, not 1m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// scalar writes a value as YAML, quoted where it has to be.
func scalar(v reflect.Value) string {
	if d, ok := v.Interface().(time.Duration); ok {
		return short(d)
	}
	n := yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(v.Interface())}
	if v.Kind() == reflect.String || v.Kind() == reflect.Slice {
		n.SetString(n.Value)
		if strings.Contains(n.Value, "\n") {
			n.Style = yaml.DoubleQuotedStyle
		}
	}
	data, err := yaml.Marshal(&n)
	if err != nil {
		return fmt.Sprintf("%q", n.Value)
	}
	return strings.TrimSuffix(string(data), "\n")
}

// Example writes a configuration file with every key at its default, explained.
func Example(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Everything that can be set, at its default. Copy it to config.yaml and keep the lines you change.\n")
	b.WriteString("# Each key can also be set by the environment variable named in brackets, which wins over this file.\n")
	c := Default()
	walk(reflect.ValueOf(&c).Elem(), "", nil, func(l leaf) bool {
		l.example(&b)
		return true
	})
	_, err := io.WriteString(w, b.String())
	return err
}

func (l leaf) example(b *strings.Builder) {
	above, name := "", l.key
	if i := strings.LastIndexByte(l.key, '.'); i >= 0 {
		above, name = l.key[:i], l.key[i+1:]
	}
	indent := ""
	if above != "" {
		indent = strings.Repeat("  ", strings.Count(above, ".")+1)
	}
	if l.isSection() {
		if above == "" {
			b.WriteByte('\n')
		}
		fmt.Fprintf(b, "%s# %s\n%s%s:\n", indent, l.doc, indent, name)
		return
	}
	fmt.Fprintf(b, "%s# %s [%s]\n", indent, l.explained(), strings.Join(append([]string{env(l.key)}, l.also...), ", else "))
	if l.sample != "" {
		fmt.Fprintf(b, "%s#   %s\n", indent, l.sample)
	}
	fmt.Fprintf(b, "%s%s: %s\n", indent, name, l.initial())
}

// explained is the doc with the values that are allowed.
func (l leaf) explained() string {
	if c, ok := l.value.Interface().(choice); ok && len(c.Allowed()) > 1 {
		return l.doc + " One of " + or(c.Allowed()) + "."
	}
	return l.doc
}

// initial is the value that the example shows.
func (l leaf) initial() string {
	switch v := l.value.Interface().(type) {
	case Secret:
		return `""`
	case ModelPrices:
		if len(v) == 0 {
			return "{}"
		}
	}
	return scalar(l.value)
}
