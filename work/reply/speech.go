package reply

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"parley/room"
	"parley/work"
	"parley/work/talk"
)

// A speech turns what a provider streams into the words of a reply: whole characters, without the model's own name at
// the beginning, no longer than allowed. Each piece goes to the followers before it is kept.
type speech struct {
	desk  work.Desk
	ref   room.ReplyRef
	most  int
	runes runes
	echo  echo
	said  strings.Builder
	full  bool // it was cut
}

func newSpeech(desk work.Desk, t *task, most int) *speech {
	return &speech{desk: desk, ref: t.ReplyRef, most: most, echo: newEcho(t.self)}
}

// hear takes what came from the provider and reports whether more may come.
func (s *speech) hear(text string) (more bool) {
	return s.say(s.echo.strip(s.runes.whole(text)))
}

// finish lets go of what was held back. A character that never became whole is lost.
func (s *speech) finish() { s.say(s.echo.rest()) }

// say adds text, as much as is allowed, and reports whether more may come.
func (s *speech) say(text string) (more bool) {
	if text == "" || s.full {
		return !s.full
	}
	if left := s.most - s.said.Len(); len(text) > left {
		s.full = true
		text = text[:talk.Boundary(text, left)] + fmt.Sprintf("\n\n[cut off: answers may have %d bytes]", s.most)
	}
	s.desk.Signal(room.Said{Reply: s.ref, Position: s.said.Len(), Text: text})
	s.said.WriteString(text)
	return !s.full
}

// paragraph adds text in a paragraph of its own.
func (s *speech) paragraph(text string) {
	if s.said.Len() > 0 {
		text = "\n\n" + text
	}
	s.say(text)
}

func (s *speech) text() string { return s.said.String() }

// runes puts characters together that a provider cut.
type runes struct {
	tail [utf8.UTFMax]byte
	n    int
}

// whole returns what is complete of the text so far; bytes that are no UTF-8 become U+FFFD.
func (r *runes) whole(text string) string {
	if r.n == 0 && utf8.ValidString(text) {
		return text
	}
	text = string(r.tail[:r.n]) + text
	cut := len(text) - unfinished(text)
	r.n = copy(r.tail[:], text[cut:])
	return strings.ToValidUTF8(text[:cut], "\uFFFD")
}

// unfinished counts the bytes at the end of text that begin a character and do not end it.
func unfinished(text string) int {
	for i := len(text) - 1; i >= 0 && i > len(text)-utf8.UTFMax; i-- {
		if !utf8.RuneStart(text[i]) {
			continue
		}
		if utf8.FullRuneInString(text[i:]) {
			return 0
		}
		return len(text) - i
	}
	return 0
}
