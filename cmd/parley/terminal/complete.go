package terminal

import (
	"slices"
	"strings"
)

// A completion is what Tab offers for a word.
type completion struct {
	found []string
	next  int
	shown string // what stands before the cursor now, to be replaced by the next one
}

func (c *completion) reset() { *c = completion{} }

// find looks for what the last word of before could become. First says that it is the first line.
func find(s *story, before string, first bool) completion {
	at := strings.LastIndexAny(before, " \t") + 1
	word := before[at:]
	switch {
	case first && at == 0 && strings.HasPrefix(word, "/"):
		return match(word, commandNames())
	case strings.HasPrefix(word, "@"):
		return match(word, s.mentions())
	case first && takesModel(before[:at]):
		return match(word, s.modelIDs())
	}
	return completion{}
}

func match(word string, from []string) completion {
	c := completion{shown: word}
	for _, name := range from {
		if len(name) >= len(word) && strings.EqualFold(name[:len(word)], word) && !slices.Contains(c.found, name) {
			c.found = append(c.found, name)
		}
	}
	return c
}

func commandNames() []string {
	var names []string
	for _, c := range commands() {
		names = append(names, "/"+c.name)
	}
	slices.Sort(names)
	return names
}

// takesModel reports whether a command names a model next.
func takesModel(line string) bool { return line == "/interrupt " || line == "/remove " }

func (s *story) modelIDs() []string {
	var ids []string
	for _, m := range s.room.Models {
		ids = append(ids, Line(m.ID))
	}
	return ids
}

// mentions lists who can be written to: models by their names, everybody at once, people.
func (s *story) mentions() []string {
	var names []string
	add := func(name string) { names = append(names, "@"+strings.ReplaceAll(Line(name), " ", "_")) }
	for _, m := range s.room.Models {
		add(firstNonEmpty(m.Name, m.ID))
		add(m.ID)
	}
	if len(s.room.Models) > 1 {
		add("all")
	}
	for _, p := range s.people {
		if p.ID != s.me {
			add(firstNonEmpty(p.Name, p.ID))
		}
	}
	return names
}
