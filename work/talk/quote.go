package talk

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote writes what a member said behind its mark: each line but the first begins with > . A first line that could be
// taken for a mark or a note moves to a line of its own, with > before it. The name is one of Names.
func Quote(name, text string) string {
	text = strings.TrimRight(Plain(text), " \n")
	if begins, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(text, blank)); unicode.Is(unicode.Ps, begins) {
		return "[" + name + "]:\n" + indent(text)
	}
	first, rest, more := strings.Cut(text, "\n")
	if more {
		first += "\n" + indent(rest)
	}
	return "[" + name + "]: " + first
}

// Block writes a text as quoted lines, each of which begins with > .
func Block(text string) string { return indent(strings.TrimRight(Plain(text), " \n")) }

// indent begins each line of a plain text with > .
func indent(plain string) string { return "> " + strings.ReplaceAll(plain, "\n", "\n> ") }

// Plain is a text as a model may read it: whatever breaks a line is a newline, what nobody sees is gone, and what a
// tokenizer could take for the frame of a turn has a space in it.
func Plain(text string) string {
	if ascii(text) {
		return unframed(text)
	}
	var b strings.Builder
	b.Grow(len(text))
	joined := false
	for _, r := range strings.ReplaceAll(text, "\r\n", "\n") {
		joiner := r == '\u200c' || r == '\u200d'
		switch {
		case hidden(r), joiner && joined:
		case breaks(r):
			b.WriteByte('\n')
		default:
			b.WriteRune(r)
		}
		joined = joiner
	}
	return unframed(b.String())
}

// ascii reports whether nothing in text has to be looked at rune by rune.
func ascii(text string) bool {
	for i := range len(text) {
		if c := text[i]; c >= 0x7f || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// unframed puts a space into each frame: the signs with which the chat templates of open models begin and end turns and
// tool calls, and which some servers read in a message, too.
func unframed(text string) string {
	var b strings.Builder
	from := 0
	for i := range len(text) {
		if c := text[i]; (c == '<' || c == '[') && isFrame(text[i:]) {
			b.WriteString(text[from:i+1] + " ")
			from = i + 1
		}
	}
	if from == 0 {
		return text
	}
	return b.String() + text[from:]
}

// isFrame reports whether a text that begins with < or [ begins with a frame.
func isFrame(text string) bool {
	const longest = 80 // bytes
	text = text[:min(len(text), longest)]
	if text[0] == '[' {
		word, _, closed := strings.Cut(text[1:], "]")
		return closed && oneOf(squareFrames[:], word)
	}
	word, _, closed := strings.Cut(text[1:], ">")
	if !closed || word == "" {
		return false
	}
	first, _ := utf8.DecodeRuneInString(word)
	last, _ := utf8.DecodeLastRuneInString(word)
	return bar(first) && bar(last) || oneOf(angleFrames[:], word)
}

// oneOf compares a word with frames, without regard to case and to the / of an end.
func oneOf(frames []string, word string) bool {
	word = strings.Replace(word, "/", "", 1)
	for _, frame := range frames {
		if strings.EqualFold(word, frame) {
			return true
		}
	}
	return false
}

func bar(r rune) bool { return r == '|' || r == '｜' }

var (
	angleFrames  = [...]string{"s", "<sys", "start_of_turn", "end_of_turn", "bos", "eos", "pad", "unk"}
	squareFrames = [...]string{"INST", "SYSTEM_PROMPT", "AVAILABLE_TOOLS", "TOOL_CALLS", "TOOL_RESULTS", "TOOL_CONTENT"}
)

func breaks(r rune) bool {
	switch r {
	case '\n', '\r', '\v', '\f', '\u0085', '\u2028', '\u2029':
		return true
	}
	return false
}

func blank(r rune) bool {
	return r == ' ' || unicode.IsSpace(r) || r >= 0x80 && unicode.Is(unicode.Cf, r)
}

// hidden reports whether a rune is not seen, or changes the order in which others are: a text could say one thing to
// people and another to a model.
func hidden(r rune) bool {
	switch {
	case r < ' ' || r == 0x7f:
		return r != '\t' && !breaks(r)
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // direction
		return true
	case r == 0x200b, r >= 0x2060 && r <= 0x2064, r == 0xfeff, r == 0x00ad, r == 0x180e: // width 0
		return true
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0000 && r <= 0xe0fff: // variants, tags
		return true
	}
	return false
}
