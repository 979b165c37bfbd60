package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text makes what somebody wrote safe to show: lines of printable characters, separated by "\n". Control characters
// are shown as pictures; those that change the direction of text or hide it are left out.
func Text(s string) string { return clean(s, '\n') }

// Line is Text in one line.
func Line(s string) string { return clean(s, ' ') }

// clean is Text with another character between lines.
func clean(s string, newline rune) string {
	if plain(s) {
		return s
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case r == '\n', r == '\u2028', r == '\u2029', r == '\u0085':
			b.WriteRune(newline)
		case r == '\t':
			b.WriteString("    ")
		case r < ' ':
			b.WriteRune(r + '\u2400')
		case r == 0x7f:
			b.WriteRune('\u2421')
		case unicode.IsControl(r):
			b.WriteRune(utf8.RuneError)
		case hides(r):
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plain reports whether s is printable ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// hides reports whether r is a character that is not seen and changes how others are: directions, tags, fillers. The
// joiners that emoji and scripts are composed with stay.
func hides(r rune) bool {
	return r != '\u200c' && r != '\u200d' && (unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) || r == '\ufffc')
}
