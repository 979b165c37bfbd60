package reply

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/room"
	"parley/work/talk"
)

// An echo takes away the model's own name where an answer begins with it, as the messages in its prompt do, and white
// space at the beginning. It holds text back only while that may still be such a name.
type echo struct {
	forms []form
	held  string
	done  bool
}

// A form is one way to write a name before what is said.
type form struct {
	runes []rune
	bare  bool // without brackets or asterisks: a space must follow, since "C:\" begins no speech of C
}

func newEcho(m room.Model) echo {
	var e echo
	for _, name := range []string{m.Name, strings.ReplaceAll(m.Name, " ", "_"), string(m.ID), talk.InBrackets(m.Name)} {
		for _, name := range []string{name, name + talk.ModelMark} {
			e.forms = append(e.forms,
				form{[]rune("[" + name + "]:"), false}, form{[]rune(name + ":"), true},
				form{[]rune("**" + name + ":**"), false}, form{[]rune("**" + name + "**:"), false},
				form{[]rune("**[" + name + "]:**"), false}, form{[]rune("**[" + name + "]**:"), false})
		}
	}
	return e
}

// strip returns what of the text so far can be said.
func (e *echo) strip(text string) string {
	if e.done {
		return text
	}
	text = strings.TrimLeftFunc(e.held+text, unicode.IsSpace)
	e.held = ""
	n, open := e.match(text)
	switch {
	case n > 0:
		e.forms = nil
		text = strings.TrimLeftFunc(text[n:], unicode.IsSpace)
	case open:
		e.held = text
		return ""
	}
	e.done = text != ""
	return text
}

// rest returns what was held back when the answer has ended.
func (e *echo) rest() string {
	text := e.held
	e.held = ""
	if n, _ := e.match(text + " "); n > 0 {
		return strings.TrimLeftFunc(text[min(n, len(text)):], unicode.IsSpace)
	}
	return text
}

// match returns how many bytes of text are a name. If there is none, open reports whether more text may make it one.
func (e *echo) match(text string) (n int, open bool) {
	for _, f := range e.forms {
		n, part := f.match(text)
		if n > 0 {
			return n, false
		}
		open = open || part
	}
	return 0, open
}

func (f form) match(text string) (n int, open bool) {
	for _, want := range f.runes {
		got, size := utf8.DecodeRuneInString(text[n:])
		if size == 0 {
			return 0, true
		}
		if !same(got, want) {
			return 0, false
		}
		n += size
	}
	if f.bare && text[n-1] == ':' {
		next, size := utf8.DecodeRuneInString(text[n:])
		if size == 0 || !unicode.IsSpace(next) {
			return 0, size == 0
		}
	}
	return n, false
}

// same compares without regard to case, and takes the wide colon for a colon.
func same(got, want rune) bool {
	if got == want || want == ':' && got == '：' {
		return true
	}
	for r := unicode.SimpleFold(got); r != got; r = unicode.SimpleFold(r) {
		if r == want {
			return true
		}
	}
	return false
}
