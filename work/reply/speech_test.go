package reply

import (
	"strings"
	"testing"
	"unicode/utf8"

	"parley/room"
)

func TestOwnNameIsStripped(t *testing.T) {
	emile := room.Model{ID: "emile", Name: "Émile Zola"}
	c := room.Model{ID: "c", Name: "C"}
	for _, c := range []struct {
		model      room.Model
		said, want string
	}{
		{claude, "[Claude]: hello", "hello"},
		{claude, "[Claude (model)]: hello", "hello"},
		{claude, "claude: hello", "hello"},
		{claude, "**Claude:** hello", "hello"},
		{claude, "**Claude**: hello", "hello"},
		{claude, "**[CLAUDE]:** hello", "hello"},
		{claude, " \n [Claude]:\n\nhello", "hello"},
		{claude, "[Claude]:hello", "hello"},
		{claude, "Claude:", ""},
		{claude, "[Claude]:", ""},
		{claude, "Claude", "Claude"},
		{claude, "Claude is here", "Claude is here"},
		{claude, "[Claude", "[Claude"},
		{claude, "[Claudette]: hello", "[Claudette]: hello"},
		{claude, "[GPT Five]: hello", "[GPT Five]: hello"},
		{claude, "hello [Claude]: x", "hello [Claude]: x"},
		{claude, "  hello  ", "hello  "},
		{claude, "**bold** Claude: x", "**bold** Claude: x"},
		{emile, "[émile zola]: salut", "salut"},
		{emile, "ÉMILE ZOLA: salut", "salut"},
		{emile, "Émile_Zola: salut", "salut"},
		{emile, "emile： salut", "salut"},
		{emile, "Émile arrive", "Émile arrive"},
		{c, `C:\Windows`, `C:\Windows`},
		{c, "C: yes", "yes"},
	} {
		for size := 1; size <= len(c.said); size++ {
			if got, heard := speak(t, c.model, split(c.said, size), 1<<20); got != c.want || heard != got {
				t.Errorf("%q in pieces of %d: said %q, signalled %q, want %q", c.said, size, got, heard, c.want)
			}
		}
	}
}

// Text that cannot become the name is not waited for.
func TestNothingIsHeldWithoutNeed(t *testing.T) {
	for _, pieces := range [][]string{{"S"}, {"Cl", "o"}, {"[Claude]: ", "x"}, {"Claude:", " ", "x"}, {"**", "n"}, {"\xe8\xb1", "\x86"}} {
		d := &desk{}
		s := newSpeech(d, &task{ReplyRef: claudesReply, self: claude}, 100)
		for i, p := range pieces {
			s.hear(p)
			if last := i == len(pieces)-1; last != (len(d.said) > 0) {
				t.Errorf("%q: %d signals after piece %d", pieces, len(d.said), i)
			}
		}
	}
}

func FuzzSpeech(f *testing.F) {
	f.Add("[Claude]: hello", 1, 100)
	f.Add("**Claude:** 豆 peas", 2, 10)
	f.Add("\xff\xe8\xb1", 1, 4)
	f.Add("  Claude:\n", 3, 3)
	f.Fuzz(func(t *testing.T, text string, size, most int) {
		if size < 1 || most < 1 {
			t.Skip()
		}
		got, heard := speak(t, claude, split(text, size), most)
		if got != heard {
			t.Fatalf("said %q, signalled %q", got, heard)
		}
		if !utf8.ValidString(text) {
			return
		}
		if whole, _ := speak(t, claude, []string{text}, most); got != whole {
			t.Fatalf("%q in pieces of %d is %q, at once %q", text, size, got, whole)
		}
		if len(text) <= most && !strings.HasSuffix(text, got) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

// speak says the pieces, and returns what was kept and what was signalled.
func speak(t *testing.T, m room.Model, pieces []string, most int) (said, heard string) {
	t.Helper()
	d := &desk{}
	s := newSpeech(d, &task{ReplyRef: claudesReply, self: m}, most)
	for _, p := range pieces {
		if !s.hear(p) {
			break
		}
	}
	s.finish()
	for _, signal := range d.said {
		if !utf8.ValidString(signal.Text) {
			t.Errorf("signal %q is no UTF-8", signal.Text)
		}
	}
	return s.text(), d.heard(t)
}

func split(text string, size int) []string {
	var pieces []string
	for len(text) > size {
		pieces, text = append(pieces, text[:size]), text[size:]
	}
	return append(pieces, text)
}
