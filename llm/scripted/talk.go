package scripted

import (
	"hash/fnv"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"parley/llm"
)

// A talk is what a script can know about a conversation.
type talk struct {
	message string            // the last one, without the speaker's prefix and leading mentions
	system  string            // the system message
	tool    string            // that the last message is the result of, empty for none
	values  map[string]string // what can be filled in
	said    map[string]bool   // the model's own earlier words
	hash    uint64            // of everything that was said
}

const quoteLength = 90 // runes of {quote}

// builtin are the names every text may use, beside facts and groups.
var builtin = []string{"speaker", "message", "quote", "model", "tool", "result"}

// How package work/talk writes a turn: "[Maja]: text" for each speaker, "(model)" or "(user id)" after a name that
// needs it, "> " before the further lines of a text, and the server's notes as lines in brackets of their own.
var (
	prefix   = regexp.MustCompile(`(?m)^\[([^\]\n]{1,200})\]:[ \t]*`)
	suffix   = regexp.MustCompile(` \((?:model|user [^)]*)\)`)
	note     = regexp.MustCompile(`(?:\n|^)\[[^\]\n]+\]\s*$`)
	quoted   = regexp.MustCompile(`(?m)^> ?`)
	mentions = regexp.MustCompile(`^(?:@[\p{L}\p{N}_.\-]+[,:]?\s*)+`)
)

func (s *Script) listen(req llm.Request) talk {
	t := talk{values: map[string]string{}, said: map[string]bool{}, hash: hashOf(req.Messages)}
	for _, m := range req.Messages {
		switch m.Role {
		case llm.System:
			t.system = m.Text
			s.learn(m.Text, t.values)
		case llm.User:
			t.hear(m.Text)
		case llm.Assistant:
			t.said[strings.TrimSpace(m.Text)] = true
		case llm.ToolResult:
			t.values["result"] = m.Text
		}
	}
	if len(req.Models) > 0 {
		t.values["model"] = req.Models[0]
	}
	if n := len(req.Messages); n > 0 && req.Messages[n-1].Role == llm.ToolResult {
		t.tool = toolOf(req.Messages, req.Messages[n-1].ToolCallID)
		t.values["tool"] = t.tool
	}
	return t
}

func (s *Script) learn(system string, values map[string]string) {
	for _, f := range s.facts {
		if found := f.pattern.FindStringSubmatch(system); found != nil {
			values[f.name] = strings.TrimSpace(found[1])
		}
	}
}

// hear takes the last speaker's words out of a turn.
func (t *talk) hear(said string) {
	delete(t.values, "speaker")
	if marks := prefix.FindAllStringSubmatchIndex(said, -1); marks != nil {
		last := marks[len(marks)-1]
		t.values["speaker"] = suffix.ReplaceAllString(said[last[2]:last[3]], "")
		said = said[last[1]:]
	}
	said = quoted.ReplaceAllString(note.ReplaceAllString(said, ""), "")
	t.message = strings.TrimSpace(mentions.ReplaceAllString(said, ""))
	t.values["message"] = t.message
	t.values["quote"] = shorten(t.message)
}

func toolOf(messages []llm.Message, id string) string {
	for _, m := range messages {
		for _, c := range m.ToolCalls {
			if c.ID == id {
				return c.Name
			}
		}
	}
	return "tool"
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= quoteLength {
		return s
	}
	cut := string([]rune(s)[:quoteLength])
	if at := strings.LastIndexByte(cut, ' '); at > 0 {
		cut = cut[:at]
	}
	return cut + "..."
}

func hashOf(messages []llm.Message) uint64 {
	h := fnv.New64a()
	for _, m := range messages {
		_, _ = io.WriteString(h, strconv.Itoa(int(m.Role))+"\x00"+m.Text+"\x00")
	}
	return h.Sum64()
}
