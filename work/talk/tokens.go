package talk

import "parley/llm"

// TurnTokens is what a message costs beside its text: the frame of a turn, the speaker's name, a note.
const TurnTokens = 12

// Tokens estimates how many tokens text is, rather too many than too few: four ASCII bytes are one, as in English and
// in code, two letters of another alphabet (two bytes each), and one sign of any other script (three or four bytes:
// Chinese, Korean, emoji). Tokenizers of today need a little less of each.
func Tokens(text string) int {
	var t tally
	t.add(text)
	return t.tokens()
}

// PromptTokens estimates what a model has to read of a request, rather too much.
func PromptTokens(req llm.Request) int {
	sum := ToolTokens(req.Tools)
	for _, m := range req.Messages {
		sum += Tokens(m.Text) + TurnTokens
		for _, c := range m.ToolCalls {
			sum += Tokens(c.Name) + Tokens(c.Arguments) + TurnTokens
		}
	}
	if req.Format != nil {
		sum += Tokens(req.Format.Name) + Tokens(string(req.Format.Schema))
	}
	return sum
}

// ToolTokens estimates what the description of tools costs.
func ToolTokens(tools []llm.Tool) int {
	sum := 0
	for _, t := range tools {
		sum += Tokens(t.Name) + Tokens(t.Description) + Tokens(string(t.Schema)) + TurnTokens
	}
	return sum
}

// A tally counts the tokens of a text that comes in pieces, in quarters.
type tally int

func (t *tally) add(text string) {
	*t += tally(len(text))
	for i := range len(text) {
		if text[i]&0xf0 == 0xe0 { // begins a sign of three bytes
			*t++
		}
	}
}

func (t tally) tokens() int { return (int(t) + 3) / 4 }
