package reply

import (
	"parley/llm"
)

// request is all that the model is told: who it is and where, then what was said, oldest first.
func (w *Worker) request(t *task) llm.Request {
	who := newLabels(t)
	system, tools := w.system(t, who), w.offered(t)
	left := w.cfg.ContextTokens - tokens(system) - turnTokens
	for _, tool := range tools {
		left -= tokens(tool.Name) + tokens(tool.Description) + tokens(string(tool.Schema))
	}
	left = max(left, w.cfg.ContextTokens/4) // a long persona must not silence the room

	req := llm.Request{Tools: tools, MaxTokens: w.cfg.MaxTokens}
	if t.self.Model != "" {
		req.Models = []string{t.self.Model}
	}
	req.Messages = append([]llm.Message{{Role: llm.System, Text: system}}, t.turns(who, w.cfg.Window, left)...)
	return req
}

// tokens estimates how many tokens text is, rather too many than too few: four ASCII bytes are one, as in English and
// in code, two letters of another alphabet (two bytes each), and one sign of any other script (three or four bytes:
// Chinese, Korean, emoji). Tokenizers of today need a little less of each.
func tokens(text string) int {
	quarters := len(text)
	for i := range len(text) {
		if text[i]&0xf0 == 0xe0 { // begins a sign of three bytes
			quarters++
		}
	}
	return (quarters + 3) / 4
}

// turnTokens is what a message costs beside its text: the frame of a turn, the speaker's name, a note.
const turnTokens = 12
