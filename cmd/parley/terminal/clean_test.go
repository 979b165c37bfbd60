package terminal

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"hello":                      "hello",
		"two\nlines":                 "two\nlines",
		"two\r\nlines":               "two\nlines",
		"over\rwritten":              "over␍written",
		"\x1b[2J\x1b]0;title\x07":    "␛[2J␛]0;title␇",
		"\u009b31m":                  "\ufffd31m",
		"a\tb":                       "a    b",
		"Grüße, 世界 👩‍💻":              "Grüße, 世界 👩‍💻",
		"user\u202egnp.exe":          "usergnp.exe",
		"\ufeffbom and \u200bhidden": "bom and hidden",
		"not \xff UTF-8":             "not \ufffd UTF-8",
		"\x7f":                       "␡",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Line("two\nlines"); got != "two lines" {
		t.Errorf("Line: %q", got)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"hello", "\x1b[31mred", "\u202e", "\x9b", "a\r\nb\rc", "\xc2", "\x1b]8;;http://x\x1b\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := Text(s)
		if !utf8.ValidString(text) {
			t.Fatalf("%q is not UTF-8", text)
		}
		for _, r := range text {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Fatalf("%q has %U", text, r)
			}
		}
		if again := Text(text); again != text {
			t.Fatalf("%q cleaned again is %q", text, again)
		}
		if line := Line(s); strings.ContainsRune(line, '\n') {
			t.Fatalf("%q has two lines", line)
		}
	})
}
