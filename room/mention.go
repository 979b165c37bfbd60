package room

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mentions lists the models that text mentions, each once, in the order of models: by "@" and the id, the display
// name, or the display name with "_" for spaces, without regard to case. "@all" and "@everyone" mention every model
// if everyone is true. The longest name that fits wins, so "@gpt-4o" is not a mention of "gpt-4".
func Mentions(text string, models []Model, everyone bool) []ModelID {
	hit := make([]bool, len(models))
	for i := 0; ; {
		at := strings.IndexByte(text[i:], '@')
		if at < 0 {
			break
		}
		at += i
		i = at + 1
		if before, _ := utf8.DecodeLastRuneInString(text[:at]); at > 0 && nameRune(before) {
			continue // an e-mail address
		}
		mark(hit, text[at+1:], models, everyone)
	}
	var ids []ModelID
	for i, m := range models {
		if hit[i] {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// mark sets hit for the model, or models, that the beginning of text names.
func mark(hit []bool, text string, models []Model, everyone bool) {
	best, longest := -1, 0
	for i, m := range models {
		for _, name := range [...]string{string(m.ID), m.Name, strings.ReplaceAll(m.Name, " ", "_")} {
			if n := prefixFold(text, name); n > longest && endsName(text[n:]) {
				best, longest = i, n
			}
		}
	}
	for _, word := range [...]string{"all", "everyone"} {
		if n := prefixFold(text, word); everyone && n > longest && endsName(text[n:]) {
			for i := range hit {
				hit[i] = true
			}
			return
		}
	}
	if best >= 0 {
		hit[best] = true
	}
}

// prefixFold returns how many bytes of text spell name without regard to case, 0 if text does not begin with it.
func prefixFold(text, name string) int {
	n := 0
	for _, want := range name {
		got, size := utf8.DecodeRuneInString(text[n:])
		if size == 0 || !equalFold(got, want) {
			return 0
		}
		n += size
	}
	return n
}

func equalFold(a, b rune) bool {
	if a == b {
		return true
	}
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}

// endsName reports whether a name that stopped just before rest is complete: "." after it ends a sentence, "." before
// another letter goes on.
func endsName(rest string) bool {
	r, size := utf8.DecodeRuneInString(rest)
	if size == 0 {
		return true
	}
	if nameRune(r) {
		return false
	}
	if r == '-' || r == '.' {
		next, _ := utf8.DecodeRuneInString(rest[size:])
		return len(rest) == size || !nameRune(next)
	}
	return true
}

func nameRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}
