package talk

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"parley/llm"
	"parley/room"
)

// Prices tell what calls cost.
type Prices interface {
	// Cost is what a call took of money, in billionths of a US dollar. The model is named as a request names it, or as
	// an answer does; "" is the one that answers when a request names none. ok is false if its price is not known.
	Cost(model string, u llm.Usage) (nano int64, ok bool)
}

// Bill is what a call took. The model that answered counts; where its name has no price, the one that was asked for.
func (a Asker) Bill(served string, asked []string, u llm.Usage) room.Usage {
	total := room.Usage{Input: u.Input, Output: u.Output, Unpriced: true}
	names := append([]string{served}, asked...)
	if served == "" {
		names = names[1:]
	}
	if len(asked) == 0 {
		names = append(names, "")
	}
	for _, name := range names {
		if cost, ok := a.cost(name, u); ok {
			total.Cost, total.Unpriced = cost, false
			return total
		}
	}
	return total
}

func (a Asker) cost(model string, u llm.Usage) (room.Cost, bool) {
	if a.Prices == nil {
		return 0, false
	}
	nano, ok := a.Prices.Cost(model, u)
	return room.Cost(nano), ok
}

// Add is what two calls took together.
func Add(a, b room.Usage) room.Usage {
	return room.Usage{
		Input: a.Input + b.Input, Output: a.Output + b.Output, Cost: a.Cost + b.Cost, Unpriced: a.Unpriced || b.Unpriced,
	}
}

// Left is what an allowance allows after a call took spent of it, and whether that is anything at all. What has no limit
// has none then.
func Left(of room.Allowance, spent room.Usage) (room.Allowance, bool) {
	left, some := of, true
	if of.Cost > 0 {
		left.Cost -= spent.Cost
		some = left.Cost > 0
	}
	if of.Tokens > 0 {
		left.Tokens -= spent.Input + spent.Output
		some = some && left.Tokens > 0
	}
	return left, some
}

const (
	minAnswer = 64   // tokens; an answer that can only be shorter is not asked for
	maxAnswer = 8192 // tokens of an answer where there is a limit and the configuration names none; most models take it
)

// Afford lowers req.MaxTokens so that the worst case of the call, all that it may read and write, stays within the
// allowance. The error says why there can be no call and what to do, for the people in the room; name is the model's.
func (a Asker) Afford(req *llm.Request, name string, most room.Allowance) error {
	if most == (room.Allowance{}) {
		return nil
	}
	input, output := PromptTokens(*req), req.MaxTokens
	if output == 0 {
		output = maxAnswer
	}
	floor := min(minAnswer, output)
	if most.Tokens > 0 {
		output = min(output, most.Tokens-input)
	}
	if output < floor {
		return fmt.Errorf("%s was not asked: reading the room takes about %d tokens, and this call may take %d in all. "+
			"Raise the room's limit of tokens, or wait for the next day", name, input, most.Tokens)
	}
	if most.Cost > 0 {
		worst, err := a.worst(req.Models, input)
		if err != nil {
			return err
		}
		output = sort.Search(output, func(n int) bool { return worst(n+1) > most.Cost })
		if output < floor {
			return fmt.Errorf("%s was not asked: an answer could cost %s, and this call may cost %s at most. "+
				"Raise the room's limit of money, wait for the next day, or take a cheaper model", name, Dollars(worst(floor)), Dollars(most.Cost))
		}
	}
	req.MaxTokens = output
	return nil
}

// worst returns what an answer of so many tokens costs at most, whichever of the models gives it.
func (a Asker) worst(asked []string, input int) (func(output int) room.Cost, error) {
	if len(asked) == 0 {
		asked = []string{""}
	}
	for _, model := range asked {
		if _, ok := a.cost(model, llm.Usage{Input: input}); !ok {
			return nil, UnpricedError{model}
		}
	}
	return func(output int) room.Cost {
		var most room.Cost
		for _, model := range asked {
			cost, ok := a.cost(model, llm.Usage{Input: input, Output: output})
			if !ok {
				return math.MaxInt64
			}
			most = max(most, cost)
		}
		return most
	}, nil
}

// An UnpricedError says that nobody knows what a model costs. More money does not help.
type UnpricedError struct{ Model string }

func (e UnpricedError) Error() string {
	return fmt.Sprintf("the price of %s is unknown: add it to prices or lift the limit", First(e.Model, "the server's default model"))
}

// Dollars writes money for people.
func Dollars(c room.Cost) string {
	cents := strings.TrimRight(fmt.Sprintf("%09d", c%room.Dollar), "0")
	for len(cents) < 2 {
		cents += "0"
	}
	return fmt.Sprintf("$%d.%s", c/room.Dollar, cents)
}
