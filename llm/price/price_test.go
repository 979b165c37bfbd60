package price_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"parley/llm"
	"parley/llm/price"
)

func TestOf(t *testing.T) {
	gpt := price.Price{Input: 150_000_000, Output: 600_000_000, Cached: 37_500_000} // $0.15, $0.60, $0.0375
	for _, c := range []struct {
		price price.Price
		usage llm.Usage
		want  price.Nanos
	}{
		{gpt, llm.Usage{}, 0},
		{gpt, llm.Usage{Input: 1_000_000, Output: 1_000_000}, 750_000_000},
		{gpt, llm.Usage{Input: 1000, Output: 10}, 156_000},
		{gpt, llm.Usage{Input: 1000, Cached: 800}, 200*150 + 800*37 + 400},
		{gpt, llm.Usage{Input: 1, Cached: 1}, 38}, // 37.5, rounded up
		{gpt, llm.Usage{Input: 5, Cached: 9}, 188},
		{gpt, llm.Usage{Input: -5, Output: -1, Cached: -1}, 0},
		{price.Price{Input: math.MaxInt64}, llm.Usage{Input: math.MaxInt}, math.MaxInt64},
		{price.Price{Input: 1}, llm.Usage{Input: 1}, 1},
	} {
		if got := c.price.Of(c.usage); got != c.want {
			t.Errorf("%+v of %+v is %d, want %d", c.usage, c.price, got, c.want)
		}
	}
}

// The cost is the exact sum, rounded up once.
func TestOfIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount, tokens := rapid.Int64Range(0, math.MaxInt64), rapid.IntRange(0, math.MaxInt)
		p := price.Price{Input: price.Nanos(amount.Draw(t, "input")), Output: price.Nanos(amount.Draw(t, "output")), Cached: price.Nanos(amount.Draw(t, "cached"))}
		u := llm.Usage{Input: tokens.Draw(t, "read"), Output: tokens.Draw(t, "written")}
		u.Cached = rapid.IntRange(0, u.Input).Draw(t, "kept")
		sum := new(big.Int)
		for _, part := range [][2]int64{{int64(u.Input - u.Cached), int64(p.Input)}, {int64(u.Cached), int64(p.Cached)}, {int64(u.Output), int64(p.Output)}} {
			sum.Add(sum, new(big.Int).Mul(big.NewInt(part[0]), big.NewInt(part[1])))
		}
		sum.Add(sum, big.NewInt(999_999)).Div(sum, big.NewInt(1_000_000))
		want := price.Nanos(math.MaxInt64)
		if sum.IsInt64() {
			want = price.Nanos(sum.Int64())
		}
		if got := p.Of(u); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	})
}

func TestLookup(t *testing.T) {
	table, err := price.New(map[string]price.Price{
		"openai/gpt-x":       {Input: 1},
		"openai/gpt-x*":      {Input: 2},
		"openai/gpt-x-mini*": {Input: 3},
		"ollama/rented*":     {Input: 4},
		"openrouter/*":       {Input: 5},
	}, "scripted", "ollama")
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]price.Nanos{
		"openai/gpt-x": 1, "openai/gpt-x-2026": 2, "openai/gpt-x-mini-2026": 3, "openai/gpt-x-mini": 3,
		"ollama/rented:70b": 4, "ollama/llama:8b": 0, "scripted/demo": 0, "openrouter/meta/llama": 5,
	} {
		if got, ok := table.Lookup(model); !ok || got.Input != want {
			t.Errorf("%s costs %d, %t, want %d", model, got.Input, ok, want)
		}
	}
	for _, model := range []string{"", "gpt-x", "openai/gpt", "anthropic/claude", "scriptedly/x"} {
		if got, ok := table.Lookup(model); ok {
			t.Errorf("%s costs %+v, want an unknown price", model, got)
		}
	}
	all, err := price.New(map[string]price.Price{"*": {Input: 9}}, "ollama")
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := all.Lookup("ollama/x"); !ok || got.Input != 9 {
		t.Errorf("the table says %+v of what would be free", got)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, pattern := range []string{"", "a*b", "**"} {
		if _, err := price.New(map[string]price.Price{pattern: {}}); err == nil {
			t.Errorf("%q is taken as a pattern", pattern)
		}
	}
	if _, err := price.New(map[string]price.Price{"a": {Output: -1}}); err == nil {
		t.Error("a negative price is taken")
	}
}

func TestString(t *testing.T) {
	for n, want := range map[price.Nanos]string{
		0: "$0.00", 1: "$0.000000001", 375_000: "$0.000375", 1_500_000_000: "$1.50", -2_000_000_000: "-$2.00",
		12_345_678_901: "$12.345678901", math.MinInt64: "-$9223372036.854775808",
	} {
		if got := n.String(); got != want {
			t.Errorf("%d is %s, want %s", int64(n), got, want)
		}
	}
}
