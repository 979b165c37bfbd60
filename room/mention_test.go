package room

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// What a person who writes the text would expect, with the models below in the room.
var mentions = []struct{ text, want string }{
	{"hello", ""},
	{"@claude", "claude"},
	{"@CLAUDE hello", "claude"},
	{"hello @claude", "claude"},
	{"(@claude)", "claude"},
	{"@claude, @gpt-4: hello", "claude gpt-4"},
	{"@gpt-4 @claude", "claude gpt-4"},
	{"@claude @claude", "claude"},
	{"@@claude", "claude"},
	{"@ claude", ""},
	{"@", ""},
	{"claude", ""},

	// Ends of names: a name is followed by something that is no part of a name.
	{"@claude's idea", "claude"},
	{"@claude’s idea", "claude"},
	{"@claude.", "claude"},
	{"@claude...", "claude"},
	{"@claude. And you?", "claude"},
	{"@claude!\n", "claude"},
	{"@claude-", "claude"},
	{"@claude - hello", "claude"},
	{"**@claude**", "claude"},
	{"`@claude`", "claude"},
	{"@claude👋", "claude"},
	{"@claude/@gpt-4", "claude gpt-4"},
	{"@claude2", ""},
	{"@claudette", ""},
	{"@claude_bot", ""},
	{"@claude-bot", ""},
	{"@claude.ai", ""},
	{"@claude\u0301", ""}, // the accent makes it another letter

	// E-mail addresses, and what looks like them.
	{"you@claude.ai", ""},
	{"you@claude", ""},
	{"me_@claude", ""},
	{"5@claude", ""},
	{"я@claude", ""},
	{"https://example.org/@claude", "claude"},

	// Names with spaces and _ for them; the longest that fits wins.
	{"@Claude Opus says", "opus"},
	{"@claude_opus says", "opus"},
	{"@opus says", "opus"},
	{"@Claude  Opus", "claude"},
	{"@claude opuses", "claude"},
	{"@claude\nopus", "claude"},
	{"@gpt-4o", "gpt-4o"},
	{"@gpt-4 o", "gpt-4"},
	{"@gpt-4.1", ""},
	{"@gpt-4-turbo", ""},
	{"@gpt", ""},
	{"@Dr. Max: hm", "max"},
	{"@dr._max: hm", "max"},

	// Letters of the world, without regard to case.
	{"@ЖУЧКА", "dog"},
	{"@жучка, ко мне", "dog"},
	{"@Жучкам", ""},
	{"@STRASSE", ""}, // ß is one letter, not two
	{"@straße", "street"},
	{"@STRAẞE", "street"},
	{"@josé", "jose"},
	{"@JOSÉ", "jose"},
	{"@jose\u0301", ""}, // as two code points; keyboards write one
	{"@ＣＬＡＵＤＥ", ""},
	{"@نور؟", "light"},
	{"@नीला।", "blue"},

	// Scripts that write on without a space.
	{"@克劳德你好", "kld"},
	{"@克劳德，你好", "kld"},
	{"你好@克劳德", "kld"},
	{"你好@claude你好", "claude"},
	{"＠克劳德你好", "kld"},
	{"@克劳德abc", "kld"},
	{"@克劳德2", ""},
	{"@克劳德二号", "kld2"},
	{"@克劳", ""},
	{"@クロードさん", "kurodo"},
	{"@クロー", ""},
	{"@クロ", "kuro"},
	{"@クロは", "kuro"},
	{"ハロー@クロ", "kuro"},
	{"@클로드는 어때?", "klod"},
	{"@claude는 어때?", "claude"},
	{"안녕@클로드야", "klod"},
	{"@คลอดครับ", "khlot"},
	{"@คลอด์", ""},
	{"@claude.你好", "claude"},

	// Everybody.
	{"@all", "*"},
	{"@ALL: hello", "*"},
	{"@everyone!", "*"},
	{"@all大家好", "*"},
	{"@allow", ""},
	{"@all-hands", ""},
	{"@all_", ""},
	{"call@all", ""},
	{"@all stars", "stars"},
	{"@all @claude", "*"},
}

var mentionable = []Model{
	{ID: "claude", Name: "Claude"},
	{ID: "opus", Name: "Claude Opus"},
	{ID: "gpt-4", Name: "GPT-4"},
	{ID: "gpt-4o", Name: "GPT-4o"},
	{ID: "max", Name: "Dr. Max"},
	{ID: "dog", Name: "Жучка"},
	{ID: "street", Name: "Straße"},
	{ID: "jose", Name: "José"},
	{ID: "light", Name: "نور"},
	{ID: "blue", Name: "नीला"},
	{ID: "kld", Name: "克劳德"},
	{ID: "kld2", Name: "克劳德二号"},
	{ID: "kurodo", Name: "クロード"},
	{ID: "kuro", Name: "クロ"},
	{ID: "klod", Name: "클로드"},
	{ID: "khlot", Name: "คลอด"},
	{ID: "stars", Name: "All Stars"},
}

func TestMentions(t *testing.T) {
	for _, c := range mentions {
		got := Mentions(c.text, mentionable, true)
		if c.want == "*" {
			if len(got) != len(mentionable) {
				t.Errorf("%q mentions %v, want everybody", c.text, got)
			}
			continue
		}
		var want []ModelID
		for id := range strings.FieldsSeq(c.want) {
			want = append(want, ModelID(id))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q mentions %v, want %v", c.text, got, want)
		}
	}
}

func TestMentionsOfEverybodyAreForPeople(t *testing.T) {
	for _, text := range []string{"@all", "@everyone", "@All, @EVERYONE"} {
		if got := Mentions(text, mentionable, false); got != nil {
			t.Errorf("%q mentions %v", text, got)
		}
	}
	if got := Mentions("@all @claude", mentionable, false); !slices.Equal(got, []ModelID{"claude"}) {
		t.Errorf("%v", got)
	}
}

// A log may hold a model that is called like the word for everybody.
func TestEverybodyIsNotAModel(t *testing.T) {
	models := []Model{{ID: "claude", Name: "Claude"}, {ID: "all", Name: "Everyone"}}
	for _, text := range []string{"@all", "@Everyone"} {
		if got := Mentions(text, models, true); len(got) != 2 {
			t.Errorf("%q mentions %v", text, got)
		}
	}
	if got := Mentions("@", []Model{{}}, true); got != nil {
		t.Errorf("a model without a name: %v", got)
	}
}

func FuzzMentions(f *testing.F) {
	for _, c := range mentions {
		f.Add(c.text, "Claude Opus")
	}
	f.Add("@\xff\xfe", "\xff")
	f.Fuzz(func(t *testing.T, text, name string) {
		models := append(slices.Clone(mentionable), Model{ID: "other", Name: name})
		some, all := Mentions(text, models, false), Mentions(text, models, true)
		for _, ids := range [][]ModelID{some, all, hinted([]string{text, name}, models)} {
			at := -1
			for _, id := range ids {
				next := slices.IndexFunc(models, func(m Model) bool { return m.ID == id })
				if next <= at {
					t.Fatalf("%q: %v is not in the order of the models", text, ids)
				}
				at = next
			}
		}
		for _, id := range some {
			if !slices.Contains(all, id) {
				t.Fatalf("%q: %s is mentioned unless everybody may be", text, id)
			}
		}
		if len(some) > 0 && !strings.ContainsAny(text, "@＠") {
			t.Fatalf("%q mentions %v", text, some)
		}
		if utf8.ValidString(text) && len(Mentions(text+" @kld", models, false)) < max(1, len(some)) {
			t.Fatalf("%q: what follows takes mentions away", text)
		}
	})
}
