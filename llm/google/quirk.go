package google

import (
	"net/http"
	"strings"
	"sync"

	"parley/llm"
)

// A quirk is what a model refused, so that it is not offered again.
type quirk struct {
	noThoughts    bool // does not think aloud: "Thinking is not enabled for models/X"
	signed        bool // wants signatures: "Function call is missing a thought_signature in functionCall parts"
	formatInWords bool // takes no format, or none beside tools: "Function calling with a response mime type: ... is unsupported"
}

// learn returns the quirk with what a refusal of a request teaches; the same if nothing does.
func (q quirk) learn(refused *llm.Error, req llm.Request) quirk {
	if refused.Status != http.StatusBadRequest {
		return q
	}
	says := func(words ...string) bool {
		text := strings.ToLower(refused.Err.Error())
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case says("thought_signature", "thought signature"):
		q.signed = true
	case says("thinking"):
		q.noThoughts = true
	case req.Format != nil && says("mime type", "mime_type", "mimetype", "response_schema", "response_json_schema", "responsejsonschema"):
		q.formatInWords = true
	}
	return q
}

// lasting is what holds for the model whatever it is asked: whether a format is taken depends on the format.
func (q quirk) lasting() quirk {
	q.formatInWords = false
	return q
}

// remembered is how many calls' signatures are kept: those of the last few hundred answers that called tools.
const remembered = 1024

// unsigned stands for a signature that nobody has any more
// (https://ai.google.dev/gemini-api/docs/thought-signatures#faqs).
const unsigned = "skip_thought_signature_validator"

// signatures remembers the signatures of the last calls, by the call's id. The zero value is ready.
type signatures struct {
	mu   sync.Mutex
	of   map[string][]byte
	ring [remembered]string // the ids, oldest at next
	next int
}

func (s *signatures) keep(id string, signature []byte) {
	if len(signature) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string][]byte{}
	}
	delete(s.of, s.ring[s.next])
	s.of[id] = signature
	s.ring[s.next] = id
	s.next = (s.next + 1) % remembered
}

func (s *signatures) get(id string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[id]
}
