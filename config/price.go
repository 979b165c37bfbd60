package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// pricesKey is the one key whose value is a table.
const pricesKey = "prices.models"

// ModelPrices are what models cost. In a file they are a table, in a variable one text: NAME INPUT OUTPUT CACHED, the
// entries parted by semicolons or lines.
type ModelPrices []ModelPrice

// ModelPrice is what a million tokens cost, in billionths of a US dollar.
type ModelPrice struct {
	Pattern string // the model's whole name, or its beginning and a *
	Input   int64
	Output  int64
	Cached  int64 // of input that the provider had kept; Input if nobody says
}

// Dollars is an amount of money, in billionths of a US dollar.
type Dollars int64

// String writes the amount as it is read.
func (d Dollars) String() string { return dollars(int64(d)) }

// String writes the prices as they are in a variable.
func (p ModelPrices) String() string {
	list := make([]string, len(p))
	for i, m := range p {
		list[i] = m.Pattern + " " + dollars(m.Input) + " " + dollars(m.Output)
		if m.Cached != m.Input {
			list[i] += " " + dollars(m.Cached)
		}
	}
	return strings.Join(list, "; ")
}

func parsePrices(text string) (ModelPrices, error) {
	var list ModelPrices
	for entry := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == '\n' }) {
		words := strings.Fields(entry)
		if len(words) == 0 {
			continue
		}
		if len(words) < 3 || len(words) > 4 {
			return nil, fmt.Errorf("%s is no price: want NAME INPUT OUTPUT, and CACHED if it differs from INPUT", show(entry))
		}
		p, err := parsePrice(words[0], words[1:])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", show(words[0]), err)
		}
		if slices.ContainsFunc(list, func(o ModelPrice) bool { return o.Pattern == p.Pattern }) {
			return nil, fmt.Errorf("%s has two prices: leave one", show(p.Pattern))
		}
		list = append(list, p)
	}
	return list, nil
}

// parsePrice reads the amounts for input, output and perhaps cached input.
func parsePrice(pattern string, amounts []string) (ModelPrice, error) {
	p := ModelPrice{Pattern: pattern}
	if strings.Contains(strings.TrimSuffix(pattern, "*"), "*") || strings.ContainsAny(pattern, "; \t\r\n") || pattern == "" {
		return p, errors.New("it is no model: want a name such as openai/gpt-4o-mini, or its beginning and a *")
	}
	for i, to := range []*int64{&p.Input, &p.Output, &p.Cached} {
		if i == len(amounts) {
			p.Cached = p.Input
			break
		}
		var err error
		if *to, err = billionths(amounts[i]); err != nil {
			return p, err
		}
	}
	return p, nil
}

const (
	billion    = 1_000_000_000
	mostDollar = 1_000_000
)

// billionths reads an amount such as 0.15 without rounding.
func billionths(text string) (int64, error) {
	err := fmt.Errorf("%s is no amount: want dollars such as 3 or 0.15, with nine decimals at most", show(text))
	whole, part, pointed := strings.Cut(text, ".")
	if !digits(whole) || pointed && !digits(part) || len(part) > 9 {
		return 0, err
	}
	n, overflow := strconv.ParseInt(whole, 10, 64)
	if overflow != nil || n > mostDollar {
		return 0, fmt.Errorf("%s is too much: want %d dollars at most", show(text), mostDollar)
	}
	rest, _ := strconv.ParseInt((part + "000000000")[:9], 10, 64) // nine digits
	return n*billion + rest, nil
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// dollars writes an amount as billionths reads it.
func dollars(n int64) string {
	text := strconv.FormatInt(n/billion, 10)
	if part := strings.TrimRight(fmt.Sprintf("%09d", n%billion), "0"); part != "" {
		text += "." + part
	}
	return text
}

// prices reads the table of a file: NAME: {input: 0.15, output: 0.60, cached: 0.075}.
func (f *file) prices(k, table *yaml.Node) {
	var list ModelPrices
	seen := make(map[string]int)
	for i := 0; i+1 < len(table.Content); i += 2 {
		name, amounts := resolve(table.Content[i]), resolve(table.Content[i+1])
		if first, ok := seen[name.Value]; ok {
			f.problem(table.Content[i], "%s: %s has two prices: the first is in line %d", pricesKey, show(name.Value), first)
			continue
		}
		seen[name.Value] = table.Content[i].Line
		words, err := amountsOf(amounts)
		if err == nil {
			var p ModelPrice
			if p, err = parsePrice(name.Value, words); err == nil {
				list = append(list, p)
				continue
			}
		}
		f.problem(table.Content[i], "%s: %s: %w", pricesKey, show(name.Value), err)
	}
	f.settings = append(f.settings, setting{key: pricesKey, text: list.String(), at: origin{file: f.name, line: k.Line}})
}

// amountsOf returns input, output and perhaps cached.
func amountsOf(n *yaml.Node) ([]string, error) {
	want := errors.New("want {input: 0.15, output: 0.60}, in dollars for a million tokens, and cached: if it differs from input")
	if n.Kind != yaml.MappingNode {
		return nil, want
	}
	names, values := []string{"input", "output", "cached"}, make([]string, 3)
	for i := 0; i+1 < len(n.Content); i += 2 {
		at, value := slices.Index(names, resolve(n.Content[i]).Value), resolve(n.Content[i+1])
		if at < 0 || value.Kind != yaml.ScalarNode || values[at] != "" {
			return nil, want
		}
		values[at] = value.Value
	}
	if values[0] == "" || values[1] == "" {
		return nil, want
	}
	if values[2] == "" {
		values = values[:2]
	}
	return values, nil
}
