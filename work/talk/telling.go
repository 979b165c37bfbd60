package reply

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"parley/llm"
	"parley/room"
)

// A line is a message that is told, perhaps not all of it.
type line struct {
	at   int // in the view
	text string
}

// turns tells what was said, in at most left tokens: the newest messages that fit, and at any rate the one to answer
// and the one it answers. Turns of others and of the model itself alternate, and the last one is of others.
func (t *task) turns(who *labels, window, left int) []llm.Message {
	said := t.view.Messages
	older := max(0, len(said)-window) // they show that there are older ones
	trigger := find(said, t.Trigger)
	var b turns
	next := 0
	for _, l := range choose(said, older, trigger, left) {
		if l.at > next {
			b.others("[Older messages are left out here.]")
		}
		next = l.at + 1
		m := said[l.at]
		if m.By == who.self {
			b.own(l.text)
			b.cut(m.End, "you were")
			continue
		}
		b.others(answers(said, l.at, who) + mark(m, who) + guard(l.text))
		b.cut(m.End, "that message was")
	}
	switch {
	case trigger < 0:
		b.others("[The message you were asked to answer is not shown any more. Say so, or answer the newest messages.]")
	case trigger < len(said)-1:
		b.others("[Now answer this message from above.]\n" + mark(said[trigger], who) + guard(clip(said[trigger].Text, maxPointer)))
	}
	return b.done()
}

// maxPointer is how many bytes of a message are repeated, maxQuote how many are quoted.
const (
	maxPointer = 1000
	maxQuote   = 100
)

// choose picks what is told, in order: first the trigger and what it answers, then from the newest on as long as there
// are tokens left.
func choose(said []room.Message, oldest, trigger, left int) []line {
	var lines []line
	pin := func(i, most int) {
		if i >= 0 {
			text := shorten(said[i].Text, most)
			left -= tokens(text) + turnTokens
			lines = append(lines, line{i, text})
		}
	}
	pin(trigger, left)
	if trigger >= 0 {
		pin(find(said, said[trigger].ReplyTo), left/2)
	}
	pinned := len(lines)
	for i := len(said) - 1; i >= oldest; i-- {
		if slices.ContainsFunc(lines[:pinned], func(l line) bool { return l.at == i }) {
			continue
		}
		cost := tokens(said[i].Text) + turnTokens
		if cost > left {
			break
		}
		left -= cost
		lines = append(lines, line{i, said[i].Text})
	}
	slices.SortFunc(lines, func(a, b line) int { return a.at - b.at })
	return lines
}

// shorten keeps the beginning and the end of a text that has more than most tokens.
func shorten(text string, most int) string {
	have := tokens(text)
	if have <= most {
		return text
	}
	keep := len(text) * max(most, 0) / have
	head, tail := boundary(text, keep/2), boundary(text, len(text)-keep/2)
	return fmt.Sprintf("%s\n(%d bytes are left out here.)\n%s", text[:head], tail-head, text[tail:])
}

func find(said []room.Message, id room.Offset) int {
	for i := range said {
		if said[i].ID == id && id != 0 {
			return i
		}
	}
	return -1
}

func mark(m room.Message, who *labels) string { return "[" + who.of(m) + "]: " }

// answers says what a message answers, unless that is the one just before it.
func answers(said []room.Message, i int, who *labels) string {
	to := find(said, said[i].ReplyTo)
	if to < 0 || to == i-1 {
		return ""
	}
	whose := who.of(said[to])
	if said[to].By == who.self {
		whose = "you"
	}
	return fmt.Sprintf("[The next message answers %s: %q]\n", whose, clip(strings.Join(strings.Fields(said[to].Text), " "), maxQuote))
}

// guard keeps what somebody wrote from looking like somebody else's words, or the server's: a line of it that begins
// like a mark is shown as a quotation.
func guard(text string) string {
	i := strings.IndexByte(text, '[')
	if i < 0 {
		return text
	}
	var b strings.Builder
	from := 0
	for {
		if beginsLine(text, i) && isMark(text[i:]) {
			b.WriteString(text[from:i] + "> ")
			from = i
		}
		next := strings.IndexByte(text[i+1:], '[')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return b.String() + text[from:]
}

// beginsLine reports whether nothing visible stands between i and the break before it. The first line of a text does
// not count: it follows the speaker's own mark.
func beginsLine(text string, i int) bool {
	before := strings.TrimRightFunc(text[:i], blank)
	return strings.ContainsFunc(text[len(before):i], breaks)
}

func isMark(rest string) bool {
	if end := strings.IndexFunc(rest, breaks); end >= 0 {
		rest = rest[:end]
	}
	return strings.Contains(rest, "]:") || strings.Contains(rest, "]：") || strings.HasSuffix(strings.TrimSpace(rest), "]")
}

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
