package room

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mentions lists the models that text mentions, each once, in the order of models: by "@" and the id, the display
// name, or the display name with "_" for spaces, without regard to case. "@all" and "@everyone" mention every model
// if everyone is true. The longest name that fits wins, so "@gpt-4o" is not a mention of "gpt-4".
//
// A name ends where a word ends. Chinese, Japanese, Korean, Thai and their like write on without a space, so there a
// name ends where it ends: "你好@克劳德你好" mentions 克劳德, and "@claude는" mentions claude.
func Mentions(text string, models []Model, everyone bool) []ModelID {
	if !strings.Contains(text, "@") && !strings.Contains(text, "＠") { // most texts
		return nil
	}
	var all [][]string
	hit := make([]bool, len(models))
	before := ' '
	for i, r := range text {
		if (r == '@' || r == '＠') && (!nameRune(before) || unspaced(before)) { // otherwise an e-mail address
			if all == nil {
				all = spellings(models)
			}
			mark(hit, text[i+utf8.RuneLen(r):], all, everyone)
		}
		before = r
	}
	return picked(models, hit)
}

// hinted lists the models that hints name, each by one of its spellings and nothing else, with or without "@".
func hinted(hints []string, models []Model) []ModelID {
	hit := make([]bool, len(models))
	all := spellings(models)
	for _, hint := range hints[:min(len(hints), maxHints)] {
		hint = strings.TrimLeft(strings.TrimSpace(hint), "@＠")
		for i := range models {
			same := func(name string) bool { return strings.EqualFold(name, hint) }
			hit[i] = hit[i] || slices.ContainsFunc(all[i], same) || slices.ContainsFunc(everybody[:], same)
		}
	}
	return picked(models, hit)
}

// maxHints is how many hints of a message count: each model by each of its spellings, and more.
const maxHints = 4 * maxModels

// everybody lists the words that mention every model.
var everybody = [...]string{"all", "everyone"}

// spellings lists how each model can be named after the "@".
func spellings(models []Model) [][]string {
	all := make([][]string, len(models))
	for i, m := range models {
		all[i] = m.spellings()
	}
	return all
}

func (m *Model) spellings() []string {
	return []string{string(m.ID), m.Name, strings.ReplaceAll(m.Name, " ", "_")}
}

func picked(models []Model, hit []bool) (ids []ModelID) {
	for i := range models {
		if hit[i] {
			ids = append(ids, models[i].ID)
		}
	}
	return ids
}

// mark sets hit for the model, or models, that the beginning of text names.
func mark(hit []bool, text string, all [][]string, everyone bool) {
	best, longest := -1, 0
	for i, names := range all {
		for _, name := range names {
			if n := prefixFold(text, name); n > longest && endsName(text, n) {
				best, longest = i, n
			}
		}
	}
	for _, word := range everybody {
		if n := prefixFold(text, word); everyone && n > 0 && n >= longest && endsName(text, n) {
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

// endsName reports whether a name that is the first n bytes of text is complete: "." after it ends a sentence, "."
// before another letter goes on.
func endsName(text string, n int) bool {
	last, _ := utf8.DecodeLastRuneInString(text[:n])
	r, size := utf8.DecodeRuneInString(text[n:])
	if size == 0 {
		return true
	}
	if nameRune(r) {
		return !unicode.In(r, unicode.M, unicode.Lm) && (unspaced(r) || unspaced(last) && unicode.IsLetter(r))
	}
	if r == '-' || r == '.' {
		next, _ := utf8.DecodeRuneInString(text[n+size:])
		return !nameRune(next) || unspaced(next)
	}
	return true
}

func nameRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// unspaced reports whether words in the script of r follow one another, or their endings follow them, without a space.
func unspaced(r rune) bool {
	return r == 'ー' || r > unicode.MaxLatin1 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana,
		unicode.Hangul, unicode.Bopomofo, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
