// Package price says what an answer costs: tokens times the price of a model, exactly.
//
// All amounts are whole numbers of Nanos, so that any number of sums is exact; the one rounding, per answer, is up, so
// that what was counted is never less than what is billed. A model that no table knows has an unknown price, which is
// not the price 0. Nothing is looked up anywhere: the table is what the configuration says.
package price

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"

	"parley/llm"
)

// Nanos are billionths of a US dollar.
type Nanos int64

// String writes dollars without rounding: $0.000375.
func (n Nanos) String() string {
	sign, whole := "", uint64(n)
	if n < 0 {
		sign, whole = "-", -whole
	}
	const dollar = 1_000_000_000
	cents := strings.TrimRight(fmt.Sprintf("%09d", whole%dollar), "0")
	for len(cents) < 2 {
		cents += "0"
	}
	return fmt.Sprintf("%s$%d.%s", sign, whole/dollar, cents)
}

// A Price is what a million tokens cost.
type Price struct {
	Input  Nanos
	Output Nanos
	Cached Nanos // of input that the provider had kept; providers without a price of its own ask Input for it
}

// perMillion is the number of tokens that a Price is for.
const perMillion = 1_000_000

// Of is what an answer costs, rounded up to a Nano. What is beyond an int64 (9 billion dollars) is its largest value.
func (p Price) Of(u llm.Usage) Nanos {
	input, output := uint64(max(0, u.Input)), uint64(max(0, u.Output))
	cached := min(input, uint64(max(0, u.Cached)))
	var hi, lo uint64 // Nanos times perMillion
	for _, part := range []struct {
		tokens uint64
		price  Nanos
	}{{input - cached, p.Input}, {cached, p.Cached}, {output, p.Output}} {
		h, l := bits.Mul64(part.tokens, uint64(max(0, part.price)))
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, carry)
	}
	lo, carry := bits.Add64(lo, perMillion-1, 0)
	hi += carry
	if hi >= perMillion {
		return math.MaxInt64
	}
	cost, _ := bits.Div64(hi, lo, perMillion)
	return Nanos(min(cost, math.MaxInt64))
}

// A Table knows the prices of models. It does not change, so any goroutine may read it at any time.
type Table struct {
	exact    map[string]Price
	prefixes []prefix // longest first
	free     []string
}

type prefix struct {
	text  string
	price Price
}

// New makes a table. A pattern is the whole name of a model, with its provider (openai/gpt-x), or the beginning of
// names with a * after it (openai/gpt-x*). free are the providers whose models cost nothing unless a pattern fits them:
// those that run on one's own machine.
func New(prices map[string]Price, free ...string) (*Table, error) {
	t := &Table{exact: make(map[string]Price), free: slices.Clone(free)}
	for _, pattern := range slices.Sorted(maps.Keys(prices)) {
		p := prices[pattern]
		if min(p.Input, p.Output, p.Cached) < 0 {
			return nil, fmt.Errorf("price of %s: it is negative", pattern)
		}
		start, isPrefix := strings.CutSuffix(pattern, "*")
		switch {
		case pattern == "":
			return nil, errors.New("price of a model: it has no name")
		case strings.Contains(start, "*"):
			return nil, fmt.Errorf("price of %s: a * may only be the last character", pattern)
		case isPrefix:
			t.prefixes = append(t.prefixes, prefix{start, p})
		default:
			t.exact[pattern] = p
		}
	}
	slices.SortStableFunc(t.prefixes, func(a, b prefix) int { return len(b.text) - len(a.text) })
	return t, nil
}

// Lookup returns the price of a model by its whole name, such as llm.Delta's Model from package route. The exact name
// counts before the longest beginning. ok is false if the price is unknown.
func (t *Table) Lookup(model string) (p Price, ok bool) {
	if p, ok := t.exact[model]; ok {
		return p, true
	}
	for _, f := range t.prefixes {
		if strings.HasPrefix(model, f.text) {
			return f.price, true
		}
	}
	provider, _, _ := strings.Cut(model, "/")
	return Price{}, slices.Contains(t.free, provider)
}
