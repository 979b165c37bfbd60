package openai

import (
	"crypto/rand"

	"parley/llm"
)

// A fragment is a piece of a tool call. The first one of a call names it, the others go on with its arguments.
type fragment struct {
	Index    int    `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// An assembly puts tool calls together. Fragments of several calls may come in any mix.
type assembly struct {
	parts []part
}

type part struct {
	index     int
	id, name  string
	arguments []byte
}

func (a *assembly) add(fragments []fragment) {
	for _, f := range fragments {
		p := a.find(f)
		if p.id == "" {
			p.id = f.ID
		}
		if p.name == "" {
			p.name = f.Function.Name
		}
		p.arguments = append(p.arguments, f.Function.Arguments...)
	}
}

// find returns the part that f belongs to. Some endpoints number every call 0: another id under a known number is
// another call.
func (a *assembly) find(f fragment) *part {
	for i := len(a.parts) - 1; i >= 0; i-- {
		p := &a.parts[i]
		if p.index == f.Index && (f.ID == "" || p.id == "" || p.id == f.ID) {
			return p
		}
	}
	a.parts = append(a.parts, part{index: f.Index})
	return &a.parts[len(a.parts)-1]
}

func (a *assembly) calls() []llm.ToolCall {
	var out []llm.ToolCall
	for _, p := range a.parts {
		if p.id == "" { // a result must be able to name its call
			p.id = "call_" + rand.Text()
		}
		if len(p.arguments) == 0 {
			p.arguments = []byte("{}")
		}
		out = append(out, llm.ToolCall{ID: p.id, Name: p.name, Arguments: string(p.arguments)})
	}
	return out
}
