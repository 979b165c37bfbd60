package scripted

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"

	"parley/llm"
)

// played is a reply with everything filled in.
type played struct {
	reasoning string
	words     []string
	calls     []llm.ToolCall
	optOut    bool
	fail      *failure
	pace      pace
}

// pick finds the answer to a request: the first rule that matches and has a reply that fits.
func (s *Script) pick(req llm.Request) (played, error) {
	t := s.listen(req)
	for _, r := range s.rules {
		values, ok := r.match(t)
		if !ok {
			continue
		}
		if fitting := r.fitting(req, t, values); len(fitting) > 0 {
			return finish(choose(fitting, t, r.first(t, values)), req), nil
		}
	}
	if req.Format != nil {
		return played{}, errors.New("the script has no answer in JSON for this; use a real model")
	}
	return played{}, errors.New("no rule of the script matches")
}

// match reports whether the rule is for this talk, and what its texts may say.
func (r rule) match(t talk) (map[string]string, bool) {
	if r.system != nil && !r.system.MatchString(t.system) {
		return nil, false
	}
	if r.resultOf != "" || t.tool != "" {
		return t.values, t.tool != "" && (r.resultOf == "*" || r.resultOf == t.tool)
	}
	if len(r.patterns) == 0 {
		return t.values, true
	}
	for _, p := range r.patterns {
		if found := p.FindStringSubmatch(t.message); found != nil {
			return withGroups(t.values, p, found), true
		}
	}
	return nil, false
}

func withGroups(values map[string]string, p *regexp.Regexp, found []string) map[string]string {
	out := maps.Clone(values)
	out["found"] = found[0]
	for i, name := range p.SubexpNames() {
		if i == 0 {
			continue
		}
		out[strconv.Itoa(i)] = strings.TrimSpace(found[i])
		if name != "" {
			out[name] = strings.TrimSpace(found[i])
		}
	}
	return out
}

// A candidate is a reply that could be given.
type candidate struct {
	text string
	played
}

func (r rule) fitting(req llm.Request, t talk, values map[string]string) []candidate {
	var out []candidate
	for _, p := range r.replies {
		c, ok := p.fill(req, t, values)
		if ok && (req.Format == nil || c.fail != nil || answersJSON(&c, req.Format)) {
			out = append(out, c)
		}
	}
	return out
}

func (p reply) fill(req llm.Request, t talk, values map[string]string) (candidate, bool) {
	said, ok := p.text.fill(values)
	if !ok {
		return candidate{}, false
	}
	thought, ok := p.reasoning.fill(values)
	if !ok {
		return candidate{}, false
	}
	calls, ok := p.call(req, t, values)
	if !ok {
		return candidate{}, false
	}
	return candidate{said, played{reasoning: thought, calls: calls, optOut: p.optOut, fail: p.fail, pace: p.pace}}, true
}

func (p reply) call(req llm.Request, t talk, values map[string]string) ([]llm.ToolCall, bool) {
	var out []llm.ToolCall
	for i, c := range p.calls {
		arguments, ok := fillJSON(c.arguments, values)
		if !ok || !offers(req, c.name) {
			return nil, false
		}
		out = append(out, llm.ToolCall{ID: fmt.Sprintf("call_%016x_%d", t.hash, i), Name: c.name, Arguments: arguments})
	}
	return out, true
}

func offers(req llm.Request, name string) bool {
	for _, tool := range req.Tools {
		if tool.Name == name {
			return true
		}
	}
	return false
}

// answersJSON makes a plain text an object when any object will do; a schema takes only a reply that is JSON already.
func answersJSON(c *candidate, format *llm.Format) bool {
	if json.Valid([]byte(c.text)) {
		return true
	}
	if format.Schema != nil {
		return false
	}
	wrapped, err := json.Marshal(map[string]string{"text": c.text})
	c.text = string(wrapped)
	return err == nil
}

// first is the number of the reply to begin with, to be taken modulo their count: a hash of the talk, or where models
// spread, of what the pattern found, which is the same for all of them, and the model's place among them.
func (r rule) first(t talk, values map[string]string) uint64 {
	if !r.spread {
		return t.hash
	}
	return hashOf([]llm.Message{{Text: values["found"]}}) + uint64(place(values))
}

// place is where the fact me stands among the names of the fact others, such as "Ada (Counsel), Basil".
func place(values map[string]string) int {
	n := 0
	for _, other := range strings.Split(aside.ReplaceAllString(values["others"], ""), ",") {
		if other = strings.TrimSpace(other); other != "" && other < values["me"] {
			n++
		}
	}
	return n
}

var aside = regexp.MustCompile(` \([^)]*\)`)

// choose takes the candidate with the number first, and the next one while it was said before.
func choose(from []candidate, t talk, first uint64) candidate {
	at := int(first % uint64(len(from)))
	for i := range from {
		if c := from[(at+i)%len(from)]; c.text == "" || !t.said[strings.TrimSpace(c.text)] {
			return c
		}
	}
	return from[at]
}

func finish(c candidate, req llm.Request) played {
	c.words = split(c.text)
	if req.MaxTokens > 0 && len(c.words) > req.MaxTokens {
		c.words = c.words[:req.MaxTokens]
	}
	return c.played
}
